"""What an experiment file defines, and how it is found: by its name in this folder, never by a register.

=====================================  ============================================================
name                                   what it is
=====================================  ============================================================
docstring                              one line; ``Source:``; ``Command:``; ``Expected:``
``Hparams``                            NamedTuple of scalars, with defaults: traced, sweepable
``Settings``                           NamedTuple of static choices, with defaults
``data(settings)``                     -> Dataset
``learner(hparams, settings)``         -> Learner
``metrics(outputs, targets)``          -> dict of scalars, for the validation and the test split; what
                                       classifiers share is :func:`jaxnets.metrics.classification`
``evaluate(learner, state, dataset)``  -> dict: the final numbers, where they are others
``variants()``                         optional -> {row: (Hparams, Settings)}: rows to compare
``figures(results, dataset)``          optional -> {file name: Figure}; of the rows that were trained
``checks(results, dataset)``           optional -> {name: number}: what no single row holds (agreement
                                       with a reference, ratios of speed); where all rows were trained
``GOALS``                              optional tuple of :class:`Goal`: what ``--verify`` measures
``SMALL``                              optional dict of settings with which the tests run it in seconds
``FINDINGS``                           optional {row: rules}: what ``--diagnose`` finds of a row and is meant
                                       so, since the row is there to show it; the docstring says why
=====================================  ============================================================

A field of ``Settings`` that is None and that the data set knows (``num_classes``) is taken from it; with a
field ``num_epochs``, ``num_steps`` may be None: as many steps as these passes have batches. ``num_steps``,
``batch_size``, ``sampling`` and ``evaluate_every``, where ``Settings`` has them, go to
:func:`jaxnets.train.run`. ``results`` are those of :class:`experiments._run.Result`.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import pathlib
import re
from collections.abc import Callable
from types import ModuleType
from typing import Any, Literal, NamedTuple

import jax
import numpy as np

from jaxnets import check, train
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep.trial import Trial
from jaxnets.types import Batch, Metrics, State

RESULTS = pathlib.Path(__file__).parent / "RESULTS.md"
Precision = Literal["float32", "tensorfloat32", "bfloat16"]
OF_SWEEPS = (
    "plan", "resume", "fresh", "share", "halving", "hyperband", "space", "metric", "direction", "lanes",
)  # fmt: skip
"""Options of :class:`Common` that need a grid."""


@dataclasses.dataclass
class Common:
    """Options of the command line that every experiment has; none of its fields may have such a name."""

    seeds: int | None = None
    """How many seeds; by default 3, or 1 where a fit takes more than 30 seconds, and 1 in a sweep."""
    rows: tuple[str, ...] = ()
    """Rows of the table to run; all by default."""
    out: pathlib.Path | None = None
    """Folder for tables and pictures; by default runs/NAME."""
    precision: Precision = "float32"
    """Of matrix products, where the device has a choice."""
    diagnose: bool = False
    """Why it does not learn, if it does not, instead of training it: findings, with proofs."""
    mute: tuple[str, ...] = ()
    """Rules that the diagnosis does not ask."""
    grid: tuple[str, ...] = ()
    """A sweep instead of single runs: name=log:low:high:num, name=lin:low:high:num or name=a,b,c each."""
    space: str = "product"
    """How the names of the grid go together: product, zip, random:NUM or sobol:NUM."""
    lanes: int | None = None
    """Cells of the grid side by side on each device; measured by default."""
    plan: bool = False
    """Only says what the sweep would take."""
    resume: bool = False
    """Goes on with the sweep in the output folder."""
    fresh: bool = False
    """Removes the sweep in the output folder first."""
    share: bool = False
    """Lets other processes with the same words take their part of the sweep."""
    halving: bool = False
    """Only the better third of the points goes on, again and again."""
    hyperband: bool = False
    """Halving in several brackets, which differ in how long they wait."""
    metric: str | None = None
    """By what points of a sweep are compared; by default the first of the validation rows, or the loss."""
    direction: Literal["auto", "minimize", "maximize"] = "auto"
    """Whether small or large numbers of the metric are good; by default what its name says."""


class Goal(NamedTuple):
    """What a number is to reach: the mean over seeds of a row's, or one of ``checks``.

    Attributes:
        number: its name among the row's metrics (or ``fit_seconds``), or among the checks where there is no
            ``row``.
        at_least: lower bound.
        at_most: upper bound.
        row: of the experiment's table.
        settings: put into the row's settings for this goal, as ``{"dataset": "mnist"}``.
        seeds: how many; 1 for what is deterministic, or looks at the first seed alone.
        note: said beside the figure: why it is missed, or what it rests on.
    """

    number: str
    at_least: float | None = None
    at_most: float | None = None
    row: str | None = None
    settings: dict[str, Any] | None = None
    seeds: int = 5
    note: str = ""

    def is_reached(self, value: float) -> bool:
        """Whether the value lies within the bounds; a NaN does not."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most) and not np.isnan(value)


class Experiment(NamedTuple):
    """An experiment file with its optional parts filled in."""

    name: str
    docstring: str
    Hparams: type
    Settings: type
    data: Callable[[Any], Dataset]
    learner: Callable[[Any, Any], Learner]
    metrics: Callable | None
    evaluate: Callable[[Learner, State, Dataset], Metrics]
    variants: Callable[[], dict[str, tuple[Any, Any]]]
    figures: Callable[..., dict]
    checks: Callable[..., dict[str, float]]
    goals: tuple[Goal, ...]
    small: dict[str, Any]
    findings: dict[str, tuple[str, ...]]
    has_own_evaluate: bool

    def trial(self, hparams: Any, settings: Any) -> Trial:
        """What a sweep trains: this experiment from these values on."""
        evaluate = self.evaluate if self.has_own_evaluate else None
        return Trial(self.name, self.learner, hparams, settings, self.data, self.metrics, evaluate)

    @property
    def summary(self) -> str:
        """The docstring's first line."""
        return self.docstring.partition("\n")[0]

    def section(self, title: str) -> str:
        """A paragraph of the docstring by its title (``Source``, ``Command``, ``Expected``), as one line."""
        found = re.search(rf"^{title}: (.*?)(?=^\w+: |\n\n|\Z)", self.docstring, re.MULTILINE | re.DOTALL)
        return " ".join(found[1].split()) if found else ""


def names() -> list[str]:
    """The experiments there are."""
    return modules_in(pathlib.Path(__file__).parent)


def modules_in(folder: pathlib.Path) -> list[str]:
    """Names of the modules in a folder, but for those that begin with an underscore."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def load(name: str) -> Experiment:
    """An experiment by name.

    Raises:
        InputError: there is none of that name; the nearest are named.
    """
    check.choice("experiment", name, names())
    return read(importlib.import_module(f"experiments.{name}"))


def read(module: ModuleType) -> Experiment:
    """The experiment that a module defines."""
    name = module.__name__.rpartition(".")[2]
    missing = [part for part in ("Hparams", "Settings", "data", "learner") if not hasattr(module, part)]
    metrics = getattr(module, "metrics", None)
    if not callable(getattr(module, "evaluate", metrics)):  # an imported jaxnets.metrics is none
        missing.append("metrics or evaluate")
    if missing:
        raise check.InputError(
            f"experiment {name}: {', '.join(missing)} missing, see experiments/_contract.py"
        )
    taken = {option.name for option in dataclasses.fields(Common)}
    for field in taken & {*module.Hparams._fields, *module.Settings._fields}:
        raise check.InputError(f"experiment {name}: a field {field!r}, which is an option of all experiments")
    metrics = metrics if callable(metrics) else None
    return Experiment(
        name=name,
        docstring=module.__doc__.strip(),
        Hparams=module.Hparams,
        Settings=module.Settings,
        data=module.data,
        learner=module.learner,
        metrics=metrics,
        evaluate=getattr(module, "evaluate", _evaluate_by(metrics)),
        variants=getattr(module, "variants", lambda: {name: (module.Hparams(), module.Settings())}),
        figures=getattr(module, "figures", lambda results, dataset: {}),
        checks=getattr(module, "checks", lambda results, dataset: {}),
        goals=getattr(module, "GOALS", ()),
        small=getattr(module, "SMALL", {}),
        findings=getattr(module, "FINDINGS", {}),
        has_own_evaluate=hasattr(module, "evaluate"),
    )


def with_results(readme: str, results: str) -> str:
    """The README with its table of results made anew, from the experiments' first lines and RESULTS.md."""
    lines = ["| experiment | what it shows | goals and what was reached |", "|---|---|---|"]
    for one in map(load, names()):
        pattern = rf"^\| `{one.name}` \| (.*?) \| (.*?) \| (reached|missed|not run)(?:: (.*?))? \| "
        reached = "; ".join(
            " ".join(part for part in (f"{goal}:", value, _remark(verdict, note)) if part)
            for goal, value, verdict, note in re.findall(pattern, results, re.MULTILINE)
        )
        summary = one.summary.replace("|", "\\|")  # a bar would end the cell
        lines.append(f"| `{one.name}` | {summary} | {reached} |")
    opening, closing = "<!-- results -->", "<!-- /results -->"
    before, _, rest = readme.partition(opening)
    return before + "\n".join([opening, *lines, closing]) + rest.partition(closing)[2]


def _remark(verdict: str, note: str) -> str:
    """What stands beside a figure: that it was missed, and why; of one that was reached, what it rests on."""
    if verdict == "reached":
        return f"({note})" * bool(note)
    return f"**{verdict}**" + f" ({note})" * bool(note)


def _evaluate_by(metrics: Callable | None) -> Callable[[Learner, State, Dataset], Metrics]:
    """The metrics of the test split."""

    @functools.lru_cache(maxsize=1)  # one compilation for all seeds of a row
    def measure(learner: Learner) -> Callable[[State, Batch], Metrics]:
        return jax.jit(lambda state, rows: metrics(train.predict(learner, state, rows.inputs), rows.targets))

    def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
        values = measure(learner)(state, dataset.test)
        return {f"test_{name}": value for name, value in values.items()}

    return evaluate
