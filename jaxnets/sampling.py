"""Which rows each step sees: ``order(key, start, num_steps, *, num_rows, batch_size) -> indices``.

Where ``size`` is given, a batch has so many rows, and repeats them to ``batch_size`` (:func:`of_size`).

The order is a function of the key and of the step's number alone, so a run that is cut into
segments sees the same rows as the run in one piece, and two runs with one key are paired.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.types import Array, Int, Key

Number = Int[Array, ""] | int
Rows = Int[Array, "num_steps batch_size"]


def epoch(
    key: Key, start: Number, num_steps: int, *, num_rows: int, batch_size: int, size: Number | None = None
) -> Rows:
    """Shuffled passes; the ``num_rows mod batch_size`` rows left at a pass's end wait for the next shuffle.

    >>> import jax
    >>> rows = epoch(jax.random.key(0), 0, 3, num_rows=6, batch_size=2)
    >>> sorted(rows.ravel().tolist())
    [0, 1, 2, 3, 4, 5]
    """
    size = batch_size if size is None else size
    steps_per_epoch, least = num_rows // size, max(1, num_rows // batch_size)
    num_epochs = (num_steps + 2 * least - 2) // least
    first, step = start // steps_per_epoch, start + jnp.arange(num_steps)

    def shuffle(number: Number) -> Int[Array, " num_rows"]:
        return jax.random.permutation(jax.random.fold_in(key, number), num_rows)

    passes = jax.vmap(shuffle)(first + jnp.arange(num_epochs))
    place = (step % steps_per_epoch * size)[:, None] + (jnp.arange(batch_size) % size)[None, :]
    return passes[(step // steps_per_epoch - first)[:, None], place]


def replacement(
    key: Key, start: Number, num_steps: int, *, num_rows: int, batch_size: int, size: Number | None = None
) -> Rows:
    """Every batch drawn afresh from all rows, a row possibly more than once (the bootstrap)."""

    size = batch_size if size is None else size

    def draw(step: Number) -> Int[Array, " batch_size"]:
        rows = jax.random.randint(jax.random.fold_in(key, step), (batch_size,), 0, num_rows)
        return rows[jnp.arange(batch_size) % size]

    return jax.vmap(draw)(start + jnp.arange(num_steps))


def sequential(
    key: Key, start: Number, num_steps: int, *, num_rows: int, batch_size: int, size: Number | None = None
) -> Rows:
    """Passes in the order given; a pass's last batch is filled up from its first rows.

    >>> import jax
    >>> sequential(jax.random.key(0), 0, 3, num_rows=5, batch_size=2).tolist()
    [[0, 1], [2, 3], [4, 0]]
    """
    size = batch_size if size is None else size
    steps_per_pass = -(-num_rows // size)
    position = (start + jnp.arange(num_steps)) % steps_per_pass
    return (position[:, None] * size + (jnp.arange(batch_size) % size)[None, :]) % num_rows


ORDERS = {"epoch": epoch, "replacement": replacement, "sequential": sequential}


def of_size(order: str | Callable, size: Number) -> Callable:
    """The rows of batches of ``size``, which may be traced, each repeated to fill the array of rows.

    Means over the rows, and so the gradients of a mean loss, are those of a batch of ``size`` where it
    divides ``batch_size``. Sums are not, and what is random in each row (dropout) is drawn for every repeated
    row anew: a sweep refuses both.

    Args:
        order: a name, or a function that takes ``size``.

    >>> import jax
    >>> of_size("sequential", 2)(jax.random.key(0), 0, 2, num_rows=6, batch_size=4).tolist()
    [[0, 1, 0, 1], [2, 3, 2, 3]]
    """
    if not callable(order):
        check.choice("sampling", order, ORDERS)
    return partial(order if callable(order) else ORDERS[order], size=size)


def refuse(order: Callable, *, num_rows: int, batch_size: int, num_steps: int = 20) -> None:
    """Refuses an order that gives no rows of these numbers; its first steps are looked at.

    Inside a compiled program a row that is not there would be the last one, in silence.

    >>> refuse(lambda *_, **sizes: jnp.full((20, 2), 7), num_rows=7, batch_size=2)
    Traceback (most recent call last):
    jaxnets.check.InputError: sampling: row 7, allowed are 0 to 6
    """
    try:
        inspect.signature(order).bind(None, 0, num_steps, num_rows=num_rows, batch_size=batch_size)
    except TypeError as error:
        allowed = "a function (key, start, num_steps, *, num_rows, batch_size) -> indices"
        raise InputError(f"sampling: {error}, allowed is {allowed}") from None
    rows = np.asarray(order(jax.random.key(0), 0, num_steps, num_rows=num_rows, batch_size=batch_size))
    if rows.shape != (num_steps, batch_size) or rows.dtype.kind not in "iu":
        allowed = f"integers of shape ({num_steps}, {batch_size})"
        raise InputError(f"sampling: {rows.dtype} of shape {rows.shape}, allowed are {allowed}")
    wrong = rows[(rows < 0) | (rows >= num_rows)]
    if wrong.size:
        raise InputError(f"sampling: row {wrong[0]}, allowed are 0 to {num_rows - 1}")
