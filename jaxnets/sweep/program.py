"""One compiled program a static combination: it takes lanes from one entry of their history to the next."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr

from jaxnets import check, sampling, train
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep.devices import Spread, compiled_on
from jaxnets.sweep.trial import Trial, run_settings
from jaxnets.train import Run
from jaxnets.types import Array, Int, Metrics, PyTree, Shaped

_first = partial(jax.tree.map, lambda leaf: leaf[0])
_as_one_lane = partial(jax.tree.map, lambda leaf: leaf[None])


class Program(NamedTuple):
    """What trains the cells of one static combination.

    Attributes:
        advance: ``(seed, hparams, until, run, dataset) -> (run, entry, final)``, compiled: takes runs on by
            one entry of their history, at most to the step ``until``; ``final`` has the metrics of the test
            rows once all steps are made, NaN before. Every field of ``hparams``, ``run`` (but for its step),
            ``entry`` and ``final`` is ``[width]``, and so is ``seed`` unless it is shared. Donates ``run``.
        begun: runs before their first step: the program itself makes their first state.
        metrics: names of what an entry has.
        finals: names of what ``final`` has.
        lanes: cells side by side on each device.
        devices: on which.
        num_steps: of each run.
        interval: steps between entries of the history.
        num_bytes: of each device's memory, by the compiler's own analysis: arguments, results and what is
            needed on the way.
        seconds: that compiling took.
        text: a hash of what one lane computes, whatever the lanes and devices.
    """

    advance: Callable[..., tuple[Run, Metrics, Metrics]]
    begun: Run
    metrics: tuple[str, ...]
    finals: tuple[str, ...]
    lanes: int
    devices: tuple[jax.Device, ...]
    num_steps: int
    interval: int
    num_bytes: int
    seconds: float
    text: str

    @property
    def width(self) -> int:
        """Cells that it trains at a time, on all devices."""
        return self.lanes * len(self.devices)

    @property
    def num_segments(self) -> int:
        """Entries of a whole run's history."""
        return -(-self.num_steps // self.interval)

    @property
    def steps(self) -> list[int]:
        """At which they are made."""
        return [min(self.interval * number, self.num_steps) for number in range(1, self.num_segments + 1)]


def compile_program(
    trial: Trial,
    settings: Any,
    hparams: Any,
    dataset: Dataset,
    *,
    lanes: int,
    shares_seed: bool,
    devices: Sequence[jax.Device],
    like: Program | None = None,
) -> Program:
    """Compiles all that the cells with these settings need, once for segments of all lengths.

    Args:
        settings: complete, see :func:`~jaxnets.sweep.trial.complete`.
        hparams: of any cells; their number does not matter.
        lanes: cells side by side on each device; one alone is compiled without ``vmap``.
        shares_seed: whether cells side by side have one seed: they then share their rows as well.
        like: one for the same cells with other lanes, which is not looked into once more.

    Raises:
        InputError: what is trained is made anew each time, with other numbers in it.
    """
    started = time.perf_counter()
    lane, runs = lane_of(trial, settings), Run(0, 0, 0, None)
    mapped = jax.vmap(lane, (None if shares_seed else 0, 0, None, runs, None), (runs, 0, 0))
    if lanes == 1:
        mapped = _alone(lane, shares_seed)
    begun = _begun(trial, settings, _first(hparams), dataset, lanes)
    shapes = (
        jax.ShapeDtypeStruct(() if shares_seed else (lanes,), jnp.uint32),
        jax.tree.map(lambda column: jax.ShapeDtypeStruct((lanes,), column.dtype), hparams),
        jax.ShapeDtypeStruct((), jnp.int32),
        begun,
        jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype), dataset),
    )
    text = like.text if like else _settled_text(trial, settings, hparams, begun, dataset)
    first, *others = compiled_on(devices, lambda: jax.jit(mapped, donate_argnums=3).lower(*shapes))
    advance = Spread([first, *others], tuple(devices), shares_seed) if others else first
    _, entry, finals = first.out_info
    metrics = tuple(name for name in entry if name != "step")
    used = first.memory_analysis()
    num_bytes = used.argument_size_in_bytes + used.temp_size_in_bytes + used.output_size_in_bytes
    return Program(
        advance, _begun(trial, settings, _first(hparams), dataset, lanes * len(devices)), metrics,
        tuple(finals), lanes, tuple(devices), settings.num_steps, interval_of(settings),
        num_bytes - used.alias_size_in_bytes, time.perf_counter() - started, text,
    )  # fmt: skip


def least_bytes(trial: Trial, settings: Any, hparams: Any, dataset: Dataset, lanes: int) -> int:
    """Bytes of a device's memory that so many lanes take at least, for states and data, before compiling."""
    run = _shapes_of(trial, settings, _first(hparams), dataset)
    sizes = [math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(run)]
    return lanes * sum(sizes) + sum(leaf.nbytes for leaf in jax.tree.leaves(dataset))


def _settled_text(trial: Trial, settings: Any, hparams: Any, begun: Run, dataset: Dataset) -> str:
    """What a lane computes, refused where it is something else the second time."""
    text, again = (_text_of(lane_of(trial, settings), hparams, begun, dataset) for _ in range(2))
    if text != again:
        raise InputError(
            f"{trial.name}: made twice, it computes something else (random numbers of NumPy, a counter?); "
            "allowed is a function of hyperparameters and settings alone"
        )
    return text


def _text_of(lane: Callable, hparams: Any, begun: Run, dataset: Dataset) -> str:
    """SHA-256 of a lane's operations, with the numbers that its functions hold."""
    bare = Run(_first(begun.state), {}, _first(begun.status), begun.step)
    traced = jax.make_jaxpr(lane)(np.uint32(0), _first(hparams), np.int32(0), bare, dataset)
    text = re.sub(r"0x[0-9a-f]+", "", str(traced))  # addresses differ from process to process
    total = hashlib.sha256(text.encode())
    for constant in _constants_in(traced):
        total.update(numbers_of(constant).tobytes())
    return total.hexdigest()[:16]


def numbers_of(constant: Any) -> np.ndarray:
    """An array's numbers; those that a random key is made of."""
    return np.asarray(jax.random.key_data(constant) if _is_key(constant) else constant)


def _is_key(leaf: Any) -> bool:
    return jax.dtypes.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)


def _constants_in(closed: ClosedJaxpr) -> Iterator[Any]:
    """The numbers that a function holds, and those of the functions that it calls."""
    yield from closed.consts
    for equation in closed.jaxpr.eqns:
        for leaf in jax.tree.leaves([*equation.params.values()], is_leaf=_is_program):
            if isinstance(leaf, ClosedJaxpr):
                yield from _constants_in(leaf)
            elif isinstance(leaf, Jaxpr):
                yield from _constants_in(ClosedJaxpr(leaf, ()))


def _is_program(leaf: Any) -> bool:
    return isinstance(leaf, (ClosedJaxpr, Jaxpr))


def interval_of(settings: Any) -> int:
    """Steps between entries of the history: a twentieth of all where nothing is said."""
    return getattr(settings, "evaluate_every", None) or max(1, settings.num_steps // 20)


def lane_of(trial: Trial, settings: Any) -> Callable[..., tuple[Run, Metrics, Metrics]]:
    """One cell's ``(seed, hparams, until, run, dataset) -> (run, entry, final)``."""
    arguments = run_settings(settings)
    del arguments["num_steps"]
    arguments.pop("evaluate_every", None)

    def lane(
        seed: Shaped[Array, ""], hparams: Any, until: Int[Array, ""], run: Run, dataset: Dataset
    ) -> tuple[Run, Metrics, Metrics]:
        key, learner = jax.random.key(seed), trial.learner(hparams, settings)
        rows, order = dataset.replace(test=None), arguments.get("sampling", "epoch")
        if hasattr(hparams, "batch_size"):
            order = sampling.of_size(order, hparams.batch_size)
        begin = lambda run: train.run(key, learner, rows, num_steps=0, **arguments)  # noqa: E731
        run = jax.lax.cond(run.step == 0, begin, lambda run: run, run)
        own = jnp.minimum(until, getattr(hparams, "num_steps", until))
        interval = interval_of(settings)
        end = train.advance(
            key, learner, rows, run, until=own, at_most=interval, metrics=trial.metrics,
            **(arguments | {"sampling": order}),
        )  # fmt: skip
        entry = _first(end.history)
        end = end._replace(history={}, step=jnp.minimum(run.step + interval, until))  # as of all lanes
        return end, entry, final(learner, end, dataset)

    def final(learner: Learner, end: Run, dataset: Dataset) -> Metrics:
        if trial.metrics is None or dataset.test is None:
            return {}

        def measure() -> Metrics:
            outputs = train.predict(learner, end.state, dataset.test.inputs)
            values = check.scalars(trial.metrics(outputs, dataset.test.targets))
            return {f"test_{name}": value.astype(jnp.float32) for name, value in values.items()}

        nothing = {name: jnp.full(one.shape, jnp.nan) for name, one in jax.eval_shape(measure).items()}
        return jax.lax.cond(end.step >= settings.num_steps, measure, lambda: nothing)

    return lane


def _alone(lane: Callable, shares_seed: bool) -> Callable:
    """A lone cell, with an axis of one around it."""

    def alone(seed: PyTree, hparams: Any, until: PyTree, run: Run, dataset: Dataset) -> tuple:
        bare = Run(_first(run.state), {}, _first(run.status), run.step)
        end, *found = lane(seed if shares_seed else seed[0], _first(hparams), until, bare, dataset)
        state, standing = _as_one_lane((end.state, end.status))
        return Run(state, {}, standing, end.step), *_as_one_lane(found)

    return alone


def _begun(trial: Trial, settings: Any, hparams: Any, dataset: Dataset, width: int) -> Run:
    """Runs ``[width]`` of zeros before their first step."""
    run = _shapes_of(trial, settings, hparams, dataset)
    wide = partial(jax.tree.map, lambda leaf: np.zeros((width, *leaf.shape), leaf.dtype))
    return Run(wide(run.state), {}, wide(run.status), np.int32(0))


def _shapes_of(trial: Trial, settings: Any, hparams: Any, dataset: Dataset) -> Run:
    """A cell's run, without its numbers."""
    arguments = run_settings(settings) | {"num_steps": 0}

    def begin(hparams: Any, dataset: Dataset) -> Run:
        learner = trial.learner(hparams, settings)
        if not isinstance(learner, Learner):
            raise InputError(f"{trial.name}: it made {type(learner).__name__}, allowed is a Learner")
        return train.run(jax.random.key(0), learner, dataset.replace(test=None), **arguments)

    run = jax.eval_shape(begin, hparams, dataset)
    for path, leaf in jax.tree_util.tree_leaves_with_path(run.state):
        if _is_key(leaf):
            raise InputError(
                f"state{jax.tree_util.keystr(path)}: a random key, allowed are arrays of numbers"
            )
    return run
