"""Rules on what was not learned in a short training, where the rules on single parts name no cause."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.fit import Fit, correlation, labels_of
from jaxnets.diagnose.probe import Probe, norm
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.training import Run
from jaxnets.diagnose.wish import FAILS, wish
from jaxnets.types import PyTree

SAME = 1e-5
"""Outputs that vary by less over rows, relative to their size, are one."""
FEW_RIGHT, LITTLE_EXPLAINED, NOTHING_EXPLAINED = 0.7, 0.2, 0.01
"""Of rows that are memorised: share of labels, and squared correlation, by large models and by any."""
FEWEST_TO_MEMORISE = 100
"""Steps by Adam."""
MEMORISED = 0.1
"""Of the first loss."""
SHRUNK = 0.2
"""Length of all params after a training over that before it; below it, something holds them at zero."""
HELD = "; the params shrink to nearly nothing"
LESS_DECAY = "less weight decay, or a smaller penalty on the params"
ANOTHER_START = "another initial scale or another optimizer: look at what else is found"


def constant_prediction(probe: Probe) -> Iterator[Finding]:
    """After a short training the outputs are the same for every row, though rows and targets differ.

    Measured over the sample: the spread over rows is below 1e-5 of the outputs' size; by the steps as they
    are made, or by Adam on a few rows where no steps are known. A network that learned nothing yet still
    tells rows apart; zeros in the last layer are gone after one step. (The input-independent baseline.)
    """
    problem = probe.problem
    params = probe.run.params if problem.has_step else probe.fit.run.params
    is_blown = problem.has_step and not np.isfinite(probe.run.end)
    if is_blown or not _varies(probe.inputs) or not _varies(probe.targets):
        return
    predict = quick(problem.predict)
    outputs = np.asarray(jax.tree.leaves(predict(params, probe.sample.inputs))[0])
    if outputs.dtype.kind != "f" or len(outputs) != len(jax.tree.leaves(probe.sample.inputs)[0]):
        return
    size = np.sqrt(np.square(outputs, dtype=float).mean())
    spread = float(np.asarray(outputs, float).std(axis=0).max())
    moves = norm(jax.tree.map(lambda new, old: new - old, params, probe.params))
    is_one_class = np.isin(outputs, (-1, 0, 1)).all() and _largest_share(probe.targets) > 0.7
    if spread > SAME * size or not size or not np.isfinite(size) or not moves or is_one_class:
        return
    shrunk = _shrunk(probe, params)
    yield Finding(
        "constant-prediction", "error", {"spread over rows": spread, "size": float(size)} | shrunk,
        "after a short training the outputs are the same for every row" + HELD * bool(shrunk),
        LESS_DECAY if shrunk
        else "look where the inputs get lost: dead or saturated units, a normalisation over the wrong axis",
    )  # fmt: skip


def cannot_overfit_a_batch(probe: Probe) -> Iterator[Finding]:
    """32 rows cannot be memorised by Adam in some hundred steps, at the best of three rates.

    Asked of networks with a hidden layer or a loop: less than 0.7 of the labels have the largest output, or
    less than a fifth of the targets' variance is explained; not where the loss fell to a tenth (then another
    function is minimised than predicts, as with statistics of the batch). A model with fewer params than
    numbers to memorise must explain a hundredth; where outputs are no values to compare with the targets
    (there are more of them, or the loss wants others: the numbers of a density) the loss must fall by a
    tenth; of one so large that a hundred steps take too long, nothing is
    asked. (Goodfellow, Bengio & Courville, Deep Learning, section 11.5: fit a tiny data set; a failure shows
    a defect of the software.)
    """
    if not np.isfinite(probe.loss):
        return
    fit, flow = probe.fit, probe.flow
    if fit.run.num_steps < FEWEST_TO_MEMORISE:
        return
    if not (any(layer.sources for layer in flow.layers) or flow.inside) or not _varies(_targets(fit)):
        return
    labels, num_params = fit.labels, sum(np.size(leaf) for leaf in jax.tree.leaves(probe.params))
    if labels is not None:
        fails, measured = fit.share_right < FEW_RIGHT, {"share of labels right": fit.share_right}
    else:
        explained = fit.correlation**2
        least = LITTLE_EXPLAINED if num_params >= _targets(fit).size else NOTHING_EXPLAINED
        fails, measured = explained < least, {"variance explained": explained}
    first = float(fit.run.losses[0])
    if fails and labels is None and not _are_values(probe):
        fails = not fit.run.drop > MEMORISED * abs(first)
    if fails and not 0 <= fit.run.end < MEMORISED * first:
        yield Finding(
            "cannot-overfit-a-batch", "warning",
            measured | {"loss before": first, "loss": fit.run.end, "params": num_params},
            f"{len(_targets(fit))} rows cannot be memorised by Adam in {fit.run.num_steps} steps",
            "more units, another loss, or a mistake in predict or loss: look at what else is found",
        )  # fmt: skip


def _are_values(probe: Probe) -> bool:
    """Whether outputs are to be the targets, as far as can be told."""
    fit, found = probe.fit, wish(probe)
    return fit.outputs.size <= _targets(fit).size and (found is None or abs(found) >= FAILS)


def plateau(probe: Probe) -> Iterator[Finding]:
    """The loss stands still in a short training by steps of any length, though Adam can memorise rows.

    Either it falls by less than a twentieth of what Adam takes off the loss of a few rows, at the planned
    steps and at longer ones; or it falls to what knowing nothing of the inputs costs and stays there: the
    outputs explain less than 2 % of the targets' variance, or as many labels as the most frequent class does.
    """
    problem, fit = probe.problem, probe.fit
    if not problem.has_step or not np.isfinite(probe.run.end) or probe.smaller_scale is not None:
        return
    if not _varies(probe.targets) or not norm(jax.tree.map(jnp.subtract, probe.run.params, probe.params)):
        return
    is_learnable = fit.share_right > 0.9 if fit.labels is not None else fit.correlation > 0.95
    runs = [probe.run, probe.run_at(probe.larger_scale)]
    if not is_learnable or probe.run.num_steps < 50 or not np.isfinite(runs[1].end):
        return
    late = [float(np.ptp(run.losses[len(run.losses) // 2 :])) for run in runs]
    is_flat = max(max(run.drop, moves) for run, moves in zip(runs, late, strict=True)) < 0.05 * fit.run.drop
    is_mean = max(late) < 0.05 * fit.run.drop and not any(_is_informed(probe, run) for run in runs)
    if is_flat or is_mean:
        shrunk = _shrunk(probe, probe.run.params)
        yield Finding(
            "plateau", "warning",
            {"fall of the loss": runs[0].drop, f"with {probe.larger_scale:g} times the step": runs[1].drop,
             "of 32 rows by Adam": fit.run.drop} | shrunk,
            f"the loss stays at {runs[0].end:.3g}" + ", what outputs cost that know no inputs" * is_mean
            + HELD * bool(shrunk),
            LESS_DECAY if shrunk else ANOTHER_START,
        )  # fmt: skip


def _shrunk(probe: Probe, params: PyTree) -> dict[str, float]:
    """How short the params have become, where that is short."""
    share = norm(params) / max(norm(probe.params), 1e-30)
    return {"length of the params over that at first": share} if share < SHRUNK else {}


def _is_informed(probe: Probe, run: Run) -> bool:
    """Whether what is predicted after a training says anything about the targets."""
    outputs = np.asarray(jax.tree.leaves(quick(probe.problem.predict)(run.params, probe.sample.inputs))[0])
    targets = np.asarray(jax.tree.leaves(probe.sample.targets)[0])
    labels = labels_of(outputs, targets)
    if labels is not None:
        return bool((outputs.argmax(axis=-1) == labels).mean() > _largest_share(labels) + 0.05)
    if outputs.size != targets.size:
        return True
    return correlation(outputs.reshape(targets.shape), targets) ** 2 > 0.02


def _targets(fit: Fit) -> np.ndarray:
    return np.asarray(jax.tree.leaves(fit.rows.targets)[0])


def _varies(rows: np.ndarray) -> bool:
    return bool((rows != rows[:1]).any())


def _largest_share(targets: np.ndarray) -> float:
    """Of the value that is the most frequent."""
    return float(np.unique(targets, axis=0, return_counts=True)[1].max() / len(targets))
