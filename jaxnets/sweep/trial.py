"""What is trained at every point of a grid: a learner of traced hyperparameters and static settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Annotated, Any, NamedTuple

import jax
import numpy as np

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.data.dataset import Dataset
from jaxnets.learner import Learner
from jaxnets.types import Batch, Metrics, PyTree, State, Targets

WITHOUT_VALUE = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)
RUN_SETTINGS = ("num_steps", "batch_size", "sampling", "evaluate_every")
USUAL = {
    **dict.fromkeys(("learning_rate", "rate", "weight_decay"), check.NON_NEGATIVE),
    **dict.fromkeys(("momentum", "b1", "b2", "beta1", "beta2"), check.FRACTION),
    **dict.fromkeys(("eps", "epsilon"), check.POSITIVE),
}
"""Intervals of names that mean the same everywhere, where no hyperparameters are declared."""


class Trial(NamedTuple):
    """One training, with the names that a grid may vary.

    Attributes:
        name: what is trained, for people.
        learner: ``(hparams, settings) -> Learner``.
        hparams: a NamedTuple of numbers, the values where a grid does not name them; they are traced. A
            field ``num_steps`` ends each run there, in the program of the longest.
        settings: a NamedTuple of static choices; ``num_steps``, ``batch_size``, ``sampling`` and
            ``evaluate_every`` among them go to :func:`jaxnets.train.run`.
        data: ``(settings) -> Dataset``.
        metrics: ``(outputs, targets) -> dict`` of the validation rows on the way, and of the test rows last.
        evaluate: ``(learner, state, dataset) -> dict`` of final numbers, where they are others.
    """

    name: str
    learner: Callable[[Any, Any], Learner]
    hparams: Any
    settings: Any
    data: Callable[[Any], Dataset]
    metrics: Callable[[PyTree, Targets], Metrics] | None = None
    evaluate: Callable[[Learner, State, Dataset], Metrics] | None = None


class RunSettings(NamedTuple):
    """The settings of a trial that has no others."""

    num_steps: int
    batch_size: int | None = None
    sampling: str | Callable = "epoch"
    evaluate_every: int | None = None


def of(source: Any, data: Any, names: Sequence[str], **options: Any) -> Trial:
    """A trial of a trial, of an experiment's module, or of a function that makes a learner."""
    is_module = all(hasattr(source, part) for part in ("Hparams", "Settings", "data", "learner"))
    if isinstance(source, Trial) or is_module:
        if data is not None or options:
            names = ", ".join([*["data"] * (data is not None), *options])
            raise InputError(f"{names}: not allowed beside an experiment, whose settings say it")
        return of_module(source) if is_module else source
    if not callable(source):
        raise InputError(f"{source!r}, allowed are a Trial, an experiment or a function that makes a learner")
    return of_function(source, data, names, **options)


def of_module(module: Any) -> Trial:
    """A trial of ``Hparams``, ``Settings``, ``data``, ``learner``, and ``metrics`` or ``evaluate``."""
    metrics = getattr(module, "metrics", None)
    return Trial(
        module.__name__.rpartition(".")[2], module.learner, module.Hparams(), module.Settings(), module.data,
        metrics if callable(metrics) else None, getattr(module, "evaluate", None),
    )  # fmt: skip


def of_function(
    make: Callable,
    data: Any,
    names: Sequence[str],
    *,
    hparams: Any = None,
    settings: Any = None,
    metrics: Any = None,
    **run: Any,
) -> Trial:
    """A trial of a function that makes a learner.

    Args:
        make: ``(hparams) -> Learner`` or ``(hparams, settings) -> Learner``.
        data: a data set, or ``(inputs, targets)`` to train on.
        names: of the grid; without ``hparams``, those that are no settings are its fields.
        hparams: a NamedTuple of defaults.
        settings: a NamedTuple of defaults; else ``run`` gives ``num_steps`` and the like.
    """
    for name in run:
        check.choice("option", name, RunSettings._fields)
    if settings is not None and run:
        raise InputError(f"{', '.join(run)}: not allowed beside settings, which say it")
    if settings is None:
        if "num_steps" not in run:
            raise InputError("num_steps is missing: how many steps a run makes")
        settings = RunSettings(**run)
    for name, values in (("settings", settings), ("hparams", hparams)):
        if values is not None and not hasattr(values, "_fields"):
            raise InputError(f"{name}: {type(values).__name__}, allowed is a NamedTuple with its values")
    if hparams is None:
        free = [name for name in names if name not in settings._fields]
        fields = [(name, Annotated[float, USUAL[name]] if name in USUAL else float) for name in free]
        hparams = NamedTuple("Hparams", fields)(*[0.0] * len(free))
    if metrics is not None and not callable(metrics):
        raise InputError(f"metrics = {metrics!r}, allowed is a function (outputs, targets) -> dict")
    learner = make if _takes_settings(make) else partial(_without_settings, make)
    if not isinstance(data, Dataset) and not (isinstance(data, tuple) and len(data) == 2):
        raise InputError(f"data: {type(data).__name__}, allowed are a Dataset, or a pair (inputs, targets)")
    dataset = data if isinstance(data, Dataset) else Dataset(train=Batch(*map(_as_array, data)))
    return Trial(_name_of(make), learner, hparams, settings, partial(_given, dataset), metrics)


def _as_array(part: Any) -> Any:
    """Rows in a list as an array of them.

    Raises:
        InputError: rows of several lengths.
    """
    try:
        return np.asarray(part) if isinstance(part, list) else part
    except ValueError:
        raise InputError("data: rows of several lengths, allowed are rows of one") from None


def _name_of(make: Callable) -> str:
    return getattr(make, "__name__", type(make).__name__)


def _takes_settings(make: Callable) -> bool:
    """Whether it needs a second argument.

    Raises:
        InputError: it takes none, or needs more than two.
    """
    for num in (1, 2):
        with suppress(TypeError, ValueError):  # the latter: types that Python is built of
            inspect.signature(make).bind(*range(num))
            return num == 2
    raise InputError(f"{_name_of(make)}, allowed is a function (hparams) or (hparams, settings) -> Learner")


def _without_settings(make: Callable, hparams: Any, settings: Any) -> Learner:
    return make(hparams)


def _given(dataset: Dataset, settings: Any) -> Dataset:
    return dataset


def complete(settings: Any, dataset: Dataset) -> Any:
    """Settings with what the data set knows in the place of None.

    Raises:
        InputError: the number of classes is asked of a data set without labels.
    """
    known = {
        name: getattr(dataset, name, None) for name, value in settings._asdict().items() if value is None
    }
    if "num_classes" in known and known["num_classes"] is None:
        raise InputError(f"data set {dataset.name!r}: labels of classes are needed")
    if "num_steps" in known and hasattr(settings, "num_epochs"):
        known["num_steps"] = settings.num_epochs * steps_per_epoch(dataset, settings.batch_size)
    return settings._replace(**known)


def steps_per_epoch(dataset: Dataset, batch_size: int | None) -> int:
    """Batches in one pass over the training rows; what does not fill a batch is left out."""
    rows = num_rows(dataset)
    return rows // min(batch_size or rows, rows)


def num_rows(dataset: Dataset) -> int:
    """Rows to train on."""
    return len(jax.tree.leaves(dataset.train.inputs)[0])


def run_settings(settings: Any) -> dict[str, Any]:
    """The arguments of :func:`jaxnets.train.run` among the settings."""
    return {name: value for name, value in settings._asdict().items() if name in RUN_SETTINGS}


@contextmanager
def explained(trial: Trial) -> Iterator[None]:
    """What a trial's own functions raise while they are traced becomes a line; the cause stays attached.

    Raises:
        InputError: they raised something.
    """
    try:
        yield
    except (InputError, jax.errors.JaxRuntimeError):
        raise
    except Exception as error:
        raise InputError(f"{trial.name}: {_line(trial, error)}") from error


def _line(trial: Trial, error: Exception) -> str:
    """What was wrong, and what is allowed where that can be known."""
    for name in ("hparams", "settings"):
        values = getattr(trial, name)
        if isinstance(error, AttributeError) and type(error.obj) is type(values):
            near = check.suggestion(error.name, values._fields)
            return f"it asks for {name}.{error.name}; {near}allowed: {', '.join(values._fields)}"
    text, _, _ = str(error).partition("\n")
    if isinstance(error, WITHOUT_VALUE) or "concrete" in text:
        text += "; hyperparameters are traced and have no value yet: make it a setting, or use jax.numpy"
    return f"{type(error).__name__}: {text}"
