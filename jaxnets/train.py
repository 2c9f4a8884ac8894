"""A whole training run as a pure function: the one scan over training steps.

``run`` compiles (``jit``), multiplies (``vmap`` over keys and hyperparameters), differentiates
(``grad`` with respect to hyperparameters) and continues: the run cut into segments is, bit for bit,
the run in one piece, because keys and rows are derived from the number of the step.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets import check, check_rows, sampling, status
from jaxnets.data.dataset import Dataset
from jaxnets.learner import Learner
from jaxnets.status import Status
from jaxnets.types import Array, Batch, Bool, Inputs, Int, Key, Metrics, PyTree, State, Targets


class Run(NamedTuple):
    """One training, as far as it has come.

    Attributes:
        state: the learner's state, for ``learner.predict(run.state, inputs)``.
        history: one array a metric, one entry an evaluation: ``step``, the step metrics (mean over
            the steps since the evaluation before; NaN where none was made), and ``valid_...``.
        status: ok, diverged (with the step) or converged.
        step: steps so far, made or passed over after the end.
    """

    state: State
    history: dict[str, Array]
    status: Status
    step: Int[Array, "*lanes"]


def run(
    key: Key,
    learner: Learner,
    data: Dataset | Batch | tuple[Inputs, Targets],
    *,
    num_steps: int,
    batch_size: int | None = None,
    sampling: str | Callable = "epoch",
    evaluate_every: int | None = None,
    metrics: Callable[[PyTree, Targets], Metrics] | None = None,
    state: Run | None = None,
) -> Run:
    """Trains ``learner`` on ``data.train`` for ``num_steps`` steps.

    A step whose loss is not finite, or absurd, is not kept: the run is frozen there as diverged. A
    step that reports ``converged`` ends the run. Frozen runs cost nothing beyond their evaluation
    interval (under ``vmap``, they cost what their neighbours do).

    Args:
        key: gives three: initialisation, order of the rows, randomness inside the steps.
        data: a data set, or ``(inputs, targets)`` to train on.
        num_steps: steps to make; 0 gives the initial state and an empty history.
        batch_size: rows a step; None is the full batch in the order given, and so are as many as there
            are rows, or more, when passes are sampled.
        sampling: ``epoch`` (shuffled passes, remainder left out), ``replacement``, ``sequential``
            (passes in order, wrapping around), or a function as in :mod:`jaxnets.sampling`.
        evaluate_every: steps between entries of the history; None for one at the end. The numbers of the
            rows of so many steps are in memory at a time.
        metrics: ``(outputs, targets) -> dict``, evaluated on ``data.valid`` with each entry.
        state: a run to continue, with the same other arguments; its history is not repeated. Under ``vmap``
            over hyperparameters alone, map ``Run.step`` over no axis, ``in_axes=Run(0, 0, 0, None)``, so
            that all lanes share their rows, and their bits are those of the uncut run.

    Raises:
        InputError: rows that cannot be used (NaN, labels outside ``0..k-1``, unequal lengths, none),
            or an argument out of its range.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from jaxnets import models
        >>> x = jnp.array([[0.0], [1.0], [2.0], [3.0]])
        >>> ridge = models.ridge_classifier(num_classes=2, alpha=0.1)
        >>> done = run(jax.random.key(0), ridge, (x, jnp.array([0, 0, 1, 1])), num_steps=1)
        >>> ridge.predict(done.state, x).argmax(1).tolist()
        [0, 0, 1, 1]
    """
    dataset = _dataset(data)
    _check(dataset, num_steps=num_steps, batch_size=batch_size, evaluate_every=evaluate_every, state=state)
    dataset = jax.tree.map(jnp.asarray, dataset.replace(test=None))
    init_key, update, rows_of = _steps(key, learner, dataset, batch_size, sampling, either=status.selected)

    def train(carry: Run, length: int) -> Run:
        end, (per_step, kept) = jax.lax.scan(update, carry, rows_of(carry.step, length), length)
        return _ended(end, carry, per_step, kept)

    def segment(carry: Run, length: int, advance: Callable = train) -> tuple[Run, dict[str, Array]]:
        end = advance(carry, length)
        entry = _entry(end, learner, dataset.valid, metrics)
        return end._replace(history={}), entry

    begun = _begin(init_key, learner, dataset) if state is None else state._replace(history={})
    return _in_segments(segment, partial(_unless_ended, train), begun, num_steps, evaluate_every or num_steps)


def advance(
    key: Key,
    learner: Learner,
    data: Dataset | Batch | tuple[Inputs, Targets],
    run: Run,
    *,
    until: Int[Array, ""] | int,
    at_most: int,
    batch_size: int | None = None,
    sampling: str | Callable = "epoch",
    metrics: Callable[[PyTree, Targets], Metrics] | None = None,
) -> Run:
    """One entry of the history: on to the step ``until``, or ``at_most`` steps, whichever is nearer.

    What :func:`run` does between two entries, but ``until`` may be traced: one compiled program makes
    segments of all lengths. Alone, it is bit for bit the loop that one would write by hand. It cannot be
    differentiated in reverse; :func:`run` can.

    Args:
        run: where to go on; :func:`run` with ``num_steps=0`` begins one.
        until: no step is made from this one on; under ``vmap``, one number for each lane if they differ.
        at_most: the numbers of the rows of so many steps are in memory at a time.

    Raises:
        InputError: as :func:`run`.

    Example:
        >>> from jaxnets import models
        >>> x = jnp.array([[0.0], [1.0], [2.0], [3.0]])
        >>> data, ridge = (x, jnp.array([0, 0, 1, 1])), models.ridge_classifier(num_classes=2, alpha=0.1)
        >>> begun = run(jax.random.key(0), ridge, data, num_steps=0)
        >>> advance(jax.random.key(0), ridge, data, begun, until=1, at_most=10).history["step"].tolist()
        [1]
    """
    dataset = _dataset(data)
    _check(dataset, num_steps=at_most, batch_size=batch_size, at_most=at_most, state=run)
    dataset = jax.tree.map(jnp.asarray, dataset.replace(test=None))
    _, update, rows_of = _steps(key, learner, dataset, batch_size, sampling, either=status.branched)
    begun = run._replace(history={})
    rows = rows_of(begun.step, at_most)
    row = lambda number: None if rows is None else rows[number]  # noqa: E731
    _, shapes = jax.eval_shape(lambda: update(begun, row(0)))
    notes = jax.tree.map(lambda one: jnp.zeros((at_most, *one.shape), one.dtype), shapes)

    def step(number: Int[Array, ""], so_far: tuple[Run, PyTree]) -> tuple[Run, PyTree]:
        end, note = update(so_far[0], row(number))
        return end, jax.tree.map(lambda all, one: all.at[number].set(one), so_far[1], note)

    num_steps = jnp.clip(until - begun.step, 0, at_most)
    end, (per_step, kept) = jax.lax.fori_loop(0, num_steps, step, (begun, notes))
    end = _ended(end, begun, per_step, kept)
    entry = _entry(end, learner, dataset.valid, metrics)
    return end._replace(history=jax.tree.map(lambda value: value[None], entry))


def predict(learner: Learner, state: State, inputs: Inputs, *, batch_size: int = 1000) -> PyTree:
    """``learner.predict`` on any number of rows, ``batch_size`` at a time, so that memory stays bounded."""
    num_rows = len(jax.tree.leaves(inputs)[0])
    if num_rows <= batch_size:
        return learner.predict(state, inputs)
    inputs = jax.tree.map(jnp.asarray, inputs)
    num_batches = -(-num_rows // batch_size)
    rows = jnp.arange(num_batches * batch_size).reshape(num_batches, batch_size) % num_rows
    outputs = jax.lax.map(lambda some: learner.predict(state, _take(inputs, some)), rows)
    return jax.tree.map(lambda leaf: leaf.reshape(-1, *leaf.shape[2:])[:num_rows], outputs)


def _dataset(data: Dataset | Batch | tuple[Inputs, Targets]) -> Dataset:
    if isinstance(data, Dataset):
        return data
    if not isinstance(data, tuple) or len(data) != 2:
        raise check.InputError("data: allowed are a Dataset, or a pair (inputs, targets)")
    return Dataset(train=Batch(*(np.asarray(part) if isinstance(part, list) else part for part in data)))


def _begin(key: Key, learner: Learner, dataset: Dataset) -> Run:
    state = jax.tree.map(jnp.asarray, learner.init(key, dataset.train))
    return Run(state, {}, status.begin(dataset.train.targets), jnp.int32(0))


def _steps(
    key: Key,
    learner: Learner,
    dataset: Dataset,
    batch_size: int | None,
    sampling: str | Callable,
    *,
    either: Callable,
) -> tuple[Key, Callable, Callable]:
    """The key of the initialisation, one update, and the rows of several."""
    init_key, order_key, step_key = jax.random.split(key, 3)

    def update(carry: Run, rows: Int[Array, " b"] | None) -> tuple[Run, tuple[Metrics, Array]]:
        batch = dataset.train if rows is None else _take(dataset.train, rows)
        new, step_metrics = learner.step(jax.random.fold_in(step_key, carry.step), carry.state, batch)
        check.same_state(carry.state, new)
        standing, kept = status.after_step(carry.status, step_metrics)
        state = either(kept, new, carry.state)
        return Run(state, {}, standing, carry.step + 1), (step_metrics, kept)

    return init_key, update, _rows_of(_order(sampling), order_key, dataset.train, batch_size)


def _ended(end: Run, begun: Run, per_step: dict[str, Array], kept: Bool[Array, " steps"]) -> Run:
    """A segment's end: means of the metrics over the steps that were kept, and a look at the state."""
    means = {
        name: _mean(jnp.asarray(values), kept) for name, values in per_step.items() if name != "converged"
    }
    return end._replace(history=means, status=status.after_segment(end.status, begun.state, end.state))


def _entry(end: Run, learner: Learner, valid: Batch | None, metrics: Callable | None) -> dict[str, Array]:
    return {"step": end.step} | end.history | _validate(learner, end.state, valid, metrics)


def _in_segments(segment: Callable, careful: Callable, begun: Run, num_steps: int, interval: int) -> Run:
    """Whole intervals in one scan, then what is left of the last one."""
    if num_steps == 0:
        return begun
    whole, rest = divmod(num_steps, interval)
    end, entries = begun, []
    if whole > 1:
        end, entry = jax.lax.scan(lambda carry, _: segment(carry, interval, careful), end, length=whole)
        entries.append(entry)
    for length in ([interval] if whole == 1 else []) + ([rest] if rest else []):
        end, entry = segment(end, length)
        entries.append(jax.tree.map(lambda value: value[None], entry))
    return end._replace(history=jax.tree.map(lambda *parts: jnp.concatenate(parts), *entries))


def _unless_ended(train: Callable, carry: Run, length: int) -> Run:
    """``train``, but a run that has ended passes over its steps, at no cost outside ``vmap``."""
    shapes = jax.eval_shape(lambda: train(carry, length)).history
    nothing = {name: jnp.full(shape.shape, jnp.nan, shape.dtype) for name, shape in shapes.items()}
    skipped = carry._replace(history=nothing)
    goes_on = _any_lane(carry.status.code == status.OK)
    end = jax.lax.cond(goes_on, lambda: train(carry, length)._replace(step=carry.step), lambda: skipped)
    return end._replace(step=carry.step + length)


@jax.custom_batching.custom_vmap
def _any_lane(active: Bool[Array, ""]) -> Bool[Array, ""]:
    """Under ``vmap``, whether any lane is active: one answer for all, so ``cond`` copies no data."""
    return active


@_any_lane.def_vmap
def _any_of_lanes(
    axis_size: int, in_batched: list[bool], active: Bool[Array, " lanes"]
) -> tuple[Array, bool]:
    return _any_lane(active.any(axis=0) if in_batched[0] else active), False


def _validate(learner: Learner, state: State, valid: Batch | None, metrics: Callable | None) -> Metrics:
    if valid is None or metrics is None:
        return {}
    values = check.scalars(metrics(predict(learner, state, valid.inputs), valid.targets))
    return {f"valid_{name}": value for name, value in values.items()}


def _mean(values: Array, kept: Array) -> Array:
    return jnp.where(kept, values, 0).sum() / kept.sum()


def _take(rows: PyTree, indices: Int[Array, " b"]) -> PyTree:
    return jax.tree.map(lambda leaf: leaf[indices], rows)


def _order(name: str | Callable) -> Callable:
    if callable(name):
        return name
    check.choice("sampling", name, sampling.ORDERS)
    return sampling.ORDERS[name]


def _rows_of(order: Callable, key: Key, train: Batch, batch_size: int | None) -> Callable:
    """``(start, num_steps) -> indices``, or None where every step sees the full batch."""
    num_rows = len(jax.tree.leaves(train.inputs)[0])
    passes = order in (sampling.epoch, sampling.sequential)
    if batch_size is None or (batch_size >= num_rows and passes):
        return lambda start, num_steps: None
    return lambda start, num_steps: order(key, start, num_steps, num_rows=num_rows, batch_size=batch_size)


def _check(dataset: Dataset, *, state: Run | None, num_steps: int, **positive: int | None) -> None:
    check_rows.splits(dataset.splits, dataset.num_classes)
    check.count("num_steps", num_steps)
    for name, value in positive.items():
        if value is not None:
            check.count(name, value, 1)
    if state is not None and not isinstance(state, Run):
        found = type(state).__name__
        raise check.InputError(f"state: {found}, allowed is the Run to continue, which knows its step")
