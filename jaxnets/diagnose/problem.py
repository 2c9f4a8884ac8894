"""What is diagnosed: the functions and the data of a training that does not learn, as a person wrote them."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxnets import check, check_rows
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.diagnose.flow import slope_of
from jaxnets.diagnose.lengths import towards
from jaxnets.types import Array, Batch, PyTree


@dataclasses.dataclass(frozen=True, repr=False)
class Problem:
    """A training, as pure functions.

    Mini-batches are consecutive slices of the training rows in the order given.

    Args:
        init: ``key -> params``, any pytree of arrays.
        predict: ``(params, inputs[n, ...]) -> outputs[n, ...]``: what is called to predict.
        loss: ``(params, inputs, targets) -> scalar``: what is minimised.
        data: the training rows ``(inputs, targets)``, or a :class:`~jaxnets.data.Dataset`.
        valid: rows ``(inputs, targets)``, if there are any.
        test: likewise.
        gradient: ``(params, inputs, targets) -> pytree like params``, one written by hand.
        update: ``(params, inputs, targets) -> params``, one step, where it is not gradient descent.
        optimizer: an optax transformation that carries its own rate.
        learning_rate: of plain gradient descent, where there is no optimizer and no update; a number, or a
            schedule ``step -> rate``, which becomes an optimizer.
        batch_size: rows a step; None is all of them.
        num_steps: that are planned.
        output: what the outputs are, if known; inferred otherwise.

    Raises:
        InputError: something is no function, the rows cannot be used, or two ways to step are given.

    >>> x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    >>> line = lambda w, x: x @ w
    >>> loss = lambda w, x, y: ((line(w, x) - y) ** 2).mean()
    >>> Problem(lambda key: jnp.zeros((1, 1)), line, loss, (x, 2 * x), learning_rate=0.1).num_rows
    8
    """

    init: Any
    predict: Any
    loss: Any
    data: Any
    _: dataclasses.KW_ONLY
    valid: Any = None
    test: Any = None
    gradient: Any = None
    update: Any = None
    optimizer: Any = None
    learning_rate: Any = None
    batch_size: Any = None
    num_steps: Any = None
    output: Any = None

    def __post_init__(self) -> None:
        for name in ("init", "predict", "loss"):
            if not callable(getattr(self, name)):
                raise InputError(f"{name} = {getattr(self, name)!r}, allowed is a function")
        for name in ("gradient", "update"):
            found = getattr(self, name)
            if found is not None and not callable(found):
                raise InputError(f"{name} = {found!r}, allowed is a function, or None")
        ways = [name for name in ("update", "optimizer", "learning_rate") if getattr(self, name) is not None]
        if ways[1:] == ["learning_rate"] and ways[0] == "optimizer":
            raise InputError(
                "optimizer and learning_rate: the optimizer carries its own rate, allowed is one"
            )
        if callable(self.learning_rate):
            object.__setattr__(self, "optimizer", optax.sgd(self.learning_rate))
            object.__setattr__(self, "learning_rate", None)
        made_of = [getattr(self.optimizer, name, None) for name in ("init", "update")]
        if self.optimizer is not None and not all(map(callable, made_of)):
            raise InputError(f"optimizer = {check.shown(self.optimizer)}, allowed is one of optax's")
        if self.learning_rate is not None and not is_number(self.learning_rate):
            raise InputError(
                f"learning_rate = {check.shown(self.learning_rate)}, allowed is a number, or a schedule"
            )
        if _is_known(self.learning_rate) and not np.isfinite(self.learning_rate):
            raise InputError(f"learning_rate = {self.learning_rate}, allowed is a finite number")
        for name in ("batch_size", "num_steps"):
            if getattr(self, name) is not None:
                check.count(name, getattr(self, name), 1)
        if self.output is not None:
            check.choice("output", self.output, ("logits", "probabilities", "values"))
        rows = _splits(self.data, self.valid, self.test)
        object.__setattr__(self, "data", rows.pop("train"))
        for name, batch in rows.items():
            object.__setattr__(self, name, batch)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.num_rows} rows)"

    @property
    def num_rows(self) -> int:
        """Rows to train on."""
        return len(jax.tree.leaves(self.data.inputs)[0])

    @property
    def has_step(self) -> bool:
        """Whether it is known how a step is made."""
        return any(way is not None for way in (self.update, self.optimizer, self.learning_rate))

    @property
    def unasked(self) -> str:
        """Why only its rows can be looked at; empty where its functions can, too."""
        return ""

    def replace(self, **changes: Any) -> Problem:
        """The problem with other parts."""
        return dataclasses.replace(self, **changes)

    def grad(self, params: PyTree, inputs: Any, targets: Any) -> PyTree:
        """The gradient that a step follows: the one by hand, or that of the loss."""
        return (self.gradient or slope_of(self.loss))(params, inputs, targets)

    def begin(self, params: PyTree) -> Any:
        """The optimizer's memory before the first step; None without an optimizer."""
        return None if self.optimizer is None or self.update else self.optimizer.init(params)

    def step(
        self, params: PyTree, memory: Any, inputs: Any, targets: Any, scale: Array | float = 1.0
    ) -> tuple[PyTree, Any]:
        """One step as it is made, or so many times as long: by update, optimizer, or plain gradient descent.

        What is added to the params is made longer, so that it is not rounded off before.
        """
        if self.update is not None:
            return towards(params, self.update(params, inputs, targets), scale), memory
        grads = self.grad(params, inputs, targets)
        if self.optimizer is not None:
            updates, memory = self._optimized(grads, memory, params, inputs, targets)
            return optax.apply_updates(params, jax.tree.map(partial(_longer, scale), updates)), memory
        rate = self.learning_rate * scale
        return jax.tree.map(lambda w, g: (w - rate * g).astype(jnp.result_type(w)), params, grads), memory

    def _optimized(self, grads: PyTree, memory: Any, params: PyTree, *rows: Any) -> tuple[PyTree, Any]:
        """The optimizer's updates; a line search or a step by Polyak asks for the loss, too."""
        if not isinstance(self.optimizer, optax.GradientTransformationExtraArgs):
            return self.optimizer.update(grads, memory, params)
        return self.optimizer.update(
            grads, memory, params, value=self.loss(params, *rows), grad=grads,
            value_fn=lambda params: self.loss(params, *rows),
        )  # fmt: skip

    def trained(self, params: PyTree, data: Batch, num_steps: int) -> PyTree:
        """The params after so many steps over consecutive batches of rows, as many as the problem has."""
        size = min(self.batch_size or self.num_rows, self.num_rows)
        num_batches = self.num_rows // size

        def step(number: Any, so_far: Any) -> Any:
            start = number % num_batches * size
            batch = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, size), data)
            return self.step(*so_far, *batch)

        return jax.lax.fori_loop(0, num_steps, step, (params, self.begin(params)))[0]


def _longer(scale: Array | float, leaf: Array) -> Array:
    return (scale * leaf).astype(leaf.dtype) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf


def spaced(num: int, most: int) -> np.ndarray:
    """At most so many numbers below ``num``, evenly spaced.

    >>> spaced(10, 4).tolist(), spaced(2, 4).tolist()
    ([0, 3, 6, 9], [0, 1])
    """
    return np.unique(np.linspace(0, num - 1, min(most, num)).astype(int))


def some_rows(rows: Batch, most: int) -> Batch:
    """Rows from all over, for jax."""
    looked = spaced(len(jax.tree.leaves(rows)[0]), most)
    return jax.tree.map(lambda leaf: jnp.asarray(leaf[looked]), rows)


def _splits(data: Any, valid: Any, test: Any) -> dict[str, Batch]:
    """The rows by name; what the rules are to find in them (NaN, labels) is not refused."""
    if isinstance(data, Dataset):
        if valid is not None or test is not None:
            raise InputError("valid, test: not allowed beside a Dataset, which has them")
        found = data.splits
    else:
        found = {"train": data, "valid": valid, "test": test}
    rows = {}
    for name, pair in found.items():
        if pair is None:
            rows[name] = None
            continue
        if not isinstance(pair, tuple) or len(pair) != 2:
            raise InputError(f"{name}: {type(pair).__name__}, allowed is a pair (inputs, targets)")
        rows[name] = Batch(*(jax.tree.map(narrowed, part) for part in pair))
        check_rows.numbers(name, rows[name])
        lengths = {len(leaf) if np.ndim(leaf) else None for leaf in jax.tree.leaves(rows[name])}
        if None in lengths:
            raise InputError(f"{name}: single numbers, allowed are arrays that hold rows (numpy.asarray)")
        if len(lengths) > 1 or lengths == {0}:
            found = " and ".join(map(str, sorted(lengths)))
            raise InputError(f"{name}: {found} rows, allowed is one number of rows, not 0")
    return rows


def is_number(value: Any) -> bool:
    """Whether a value, traced or not, is one real number.

    >>> is_number(0.1), is_number(np.float32(1)), is_number("0.1"), is_number(True)
    (True, True, False, False)
    """
    if isinstance(value, (bool, str)) or np.shape(value):
        return False
    kind = getattr(value, "dtype", None) or np.asarray(value).dtype
    return any(jnp.issubdtype(kind, one) for one in (jnp.floating, jnp.integer))


def _is_known(value: Any) -> bool:
    return value is not None and not isinstance(value, jax.core.Tracer)


def narrowed(leaf: Any) -> Any:
    """As NumPy holds it, in 32 bits."""
    found = np.asarray(leaf)
    narrow = {np.dtype(np.float64): np.float32, np.dtype(np.int64): np.int32}.get(found.dtype)
    return found.astype(narrow) if narrow else found
