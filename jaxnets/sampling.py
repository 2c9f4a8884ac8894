"""Which rows each step sees: ``order(key, start, num_steps, *, num_rows, batch_size) -> indices``.

The order is a function of the key and of the step's number alone, so a run that is cut into
segments sees the same rows as the run in one piece, and two runs with one key are paired.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxnets.types import Array, Int, Key


def epoch(
    key: Key, start: Int[Array, ""] | int, num_steps: int, *, num_rows: int, batch_size: int
) -> Int[Array, "num_steps batch_size"]:
    """Shuffled passes; the ``num_rows mod batch_size`` rows left at a pass's end wait for the next shuffle.

    >>> import jax
    >>> rows = epoch(jax.random.key(0), 0, 3, num_rows=6, batch_size=2)
    >>> sorted(rows.ravel().tolist())
    [0, 1, 2, 3, 4, 5]
    """
    steps_per_epoch = num_rows // batch_size
    first, offset = start // steps_per_epoch, start % steps_per_epoch
    num_epochs = (num_steps + 2 * steps_per_epoch - 2) // steps_per_epoch

    def shuffle(number: Int[Array, ""]) -> Int[Array, ...]:
        rows = jax.random.permutation(jax.random.fold_in(key, number), num_rows)
        return rows[: steps_per_epoch * batch_size].reshape(steps_per_epoch, batch_size)

    passes = jax.vmap(shuffle)(first + jnp.arange(num_epochs)).reshape(-1, batch_size)
    return jax.lax.dynamic_slice_in_dim(passes, offset, num_steps)


def replacement(
    key: Key, start: Int[Array, ""] | int, num_steps: int, *, num_rows: int, batch_size: int
) -> Int[Array, "num_steps batch_size"]:
    """Every batch drawn afresh from all rows, a row possibly more than once (the bootstrap)."""

    def draw(step: Int[Array, ""]) -> Int[Array, " batch_size"]:
        return jax.random.randint(jax.random.fold_in(key, step), (batch_size,), 0, num_rows)

    return jax.vmap(draw)(start + jnp.arange(num_steps))


def sequential(
    key: Key, start: Int[Array, ""] | int, num_steps: int, *, num_rows: int, batch_size: int
) -> Int[Array, "num_steps batch_size"]:
    """Passes in the order given; a pass's last batch is filled up from its first rows.

    >>> import jax
    >>> sequential(jax.random.key(0), 0, 3, num_rows=5, batch_size=2).tolist()
    [[0, 1], [2, 3], [4, 0]]
    """
    steps_per_pass = -(-num_rows // batch_size)
    position = (start + jnp.arange(num_steps)) % steps_per_pass
    return (position[:, None] * batch_size + jnp.arange(batch_size)[None, :]) % num_rows


ORDERS = {"epoch": epoch, "replacement": replacement, "sequential": sequential}
