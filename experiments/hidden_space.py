"""What hidden units do: lines in the plane of the inputs, and a space in which one line is enough.

Source: the courses' pictures of a parabola and a hyperbola between two classes, with 2 and 4 hidden units,
and of the classes as the hidden layer sees them.
Command: python -m experiments hidden_space
Expected: test accuracy, mean ± std over 5 seeds on 2 CPU cores, 2026-11-22: parabola_2 0.985 ± 0.000,
parabola_4 0.986 ± 0.002, hyperbola_2 0.970 ± 0.000, hyperbola_2_squares 1.000 ± 0.000, hyperbola_4 0.988 ±
0.002; a fit takes less than a second.

Two units of tanh cannot follow both branches of the hyperbola, and so ``hyperbola_2`` misses its goal: where
their lines cross, the set on which the output is 0 is in one piece; where they do not, it is parallel lines,
which miss the waist. Four units bend the lines. Two units that square make every conic: the line in their
space is a hyperbola in the plane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import losses, models, plot, schedules
from jaxnets.check import POSITIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import classification
from jaxnets.types import Batch, Params

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, POSITIVE] = 0.03
    """Adam's at the start; it falls to 0 along a cosine."""


class Settings(NamedTuple):
    """Static choices."""

    dataset: tyro.conf.Fixed[Literal["parabola", "hyperbola"]] = "parabola"
    """Or ``hyperbola``."""
    num_hidden: tyro.conf.Fixed[int] = 2
    """Hidden units."""
    activation: tyro.conf.Fixed[Literal["tanh", "square"]] = "tanh"
    """Of the hidden units; or ``square``."""
    num_steps: Annotated[int, Interval(1, 2**31 - 1)] = 4000
    """Updates."""
    batch_size: Annotated[int, Interval(1)] = 50
    """Rows an update."""


UNITS = {
    "tanh": (jnp.tanh, nn.initializers.lecun_normal()),
    "square": (jnp.square, nn.initializers.normal(2.0)),
}
"""Activation, and weights to begin with: from small ones squares often end in parallel lines."""
ROWS = ("parabola_2", "parabola_4", "hyperbola_4", "hyperbola_2_squares")
CONNECTED = "two tanh units: the zero set is connected or parallel lines"
GOALS = (
    *(Goal("test_accuracy", at_least=0.98, row=row) for row in ROWS),
    Goal("test_accuracy", at_least=0.98, row="hyperbola_2", note=CONNECTED),
)

metrics = classification


def data(settings: Settings) -> Dataset:
    """A thousand points, 0.1 or more away from the curve; a fifth for testing."""
    return load(settings.dataset)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """2-h-2: tanh or squares, softmax."""
    rate = schedules.cosine_decay(hparams.learning_rate, num_steps=settings.num_steps)
    activation, kernel_init = UNITS[settings.activation]
    network = models.MLP((settings.num_hidden,), 2, activation=activation, kernel_init=kernel_init)
    return gradient(network, losses.softmax_cross_entropy, optax.adam(rate))


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Both curves with both widths, and the hyperbola with two units that square."""
    pairs = [(curve, width) for curve in ("parabola", "hyperbola") for width in (2, 4)]
    rows = {f"{curve}_{width}": Settings(curve, width) for curve, width in pairs}
    rows["hyperbola_2_squares"] = Settings("hyperbola", 2, "square")
    return {name: (Hparams(), settings) for name, settings in rows.items()}


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Of each row's first seed: regions, the hidden units' lines, and the classes in hidden space."""
    pictures = {}
    for result in results:
        state, rows = result.runs[0].state, data(result.settings).train
        hidden, output = (jax.tree.map(np.asarray, state.params[f"Dense_{layer}"]) for layer in (0, 1))
        title = f"{result.name}: {result.metrics['test_accuracy'][0]:.1%} right"
        pictures |= {
            f"{result.name}_regions": plot.decision_regions(
                lambda x, result=result, state=state: result.learner.predict(state, x), *rows, title=title
            ),
            f"{result.name}_lines": plot.lines_in_plane(
                *rows, hidden["kernel"], hidden["bias"], title=f"{result.name}: where hidden units are 0"
            ),
            f"{result.name}_hidden": _hidden_space(result, rows, hidden, output),
        }
    return pictures


def _hidden_space(result: Result, rows: Batch, hidden: Params, output: Params) -> Figure:
    """Two units as they are; of more, the plane that the output looks along, and the widest across it."""
    activation, _ = UNITS[result.settings.activation]
    activations = np.asarray(activation(rows.inputs @ hidden["kernel"] + hidden["bias"]))
    weights, bias = output["kernel"] @ [-1, 1], output["bias"] @ [-1, 1]
    names = ("hidden unit 1", "hidden unit 2")
    if len(weights) > 2:
        length = np.linalg.norm(weights)
        along = weights / length
        rest = activations - np.outer(activations @ along, along)
        across = np.linalg.svd(rest - rest.mean(0), full_matrices=False)[2][0]
        activations = np.stack([activations @ along, rest @ across], axis=1)
        weights, names = (
            np.array([length, 0.0]),
            ("along the output's weights", "across, where it varies most"),
        )
    title = f"{result.name}: the classes in hidden space"
    return plot.hidden_space(
        activations, rows.targets, line=(weights, bias), feature_names=names, title=title
    )
