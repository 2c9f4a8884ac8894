"""One line from a sigmoid or from a softmax over two outputs, with and without a bias.

Source: the courses' linear classifier of two classes in the plane, with one output and with two; Soudry et
al. 2018 for where it goes without a penalty.
Command: python -m experiments linear_classifier
Expected: angle between the lines of both, on 2 CPU cores, 2026-11-22, 1 seed (the problem is convex): less
than 1e-5 degrees with a bias and without; their distances from 0 differ by 6e-8. With an l2 of 1e-6 they are
0.003 degrees from the minimum-norm line, and 1.5 degrees with 1e-2. Test accuracy 1.000 ± 0.000 everywhere;
a fit takes 0.1 seconds.

A softmax over two outputs depends on ``w = w1 - w0`` alone. Of all pairs with the same difference, ``-w / 2``
and ``w / 2`` have the least norm, ``|w|^2 / 2``: so ``l2`` for the softmax is ``l2 / 2`` for the sigmoid. The
minimum-norm line has the least ``|w|`` of all with ``y (w . x + b) >= 1`` on every row: the hard margin of a
support vector machine, and where both classifiers turn as their penalty goes to 0: soon where, as here, one
row of each class supports it, but as the inverse of the penalty's logarithm where more rows do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from jaxnets import kernels, losses, models, plot
from jaxnets.check import NON_NEGATIVE, Interval
from jaxnets.data import Dataset
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import classification
from jaxnets.plane import Line, degrees_between, line
from jaxnets.types import Array, Batch, Float, Int

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars."""

    l2: Annotated[float, NON_NEGATIVE] = 1e-2
    """0.5 l2 |w|^2 is added to the sigmoid's mean loss, and twice that to the softmax's; not on the bias.

    The rows ``weak`` have 1e-6, whatever is given."""


class Settings(NamedTuple):
    """Static choices."""

    model: tyro.conf.Fixed[Literal["sigmoid", "softmax", "minimum_norm"]] = "sigmoid"
    """Or ``softmax``, or ``minimum_norm``."""
    use_bias: tyro.conf.Fixed[bool] = True
    """Without one, the line goes through the origin."""
    is_weak: tyro.conf.Fixed[bool] = False
    """Whether the penalty is ``WEAK``; ``--rows`` chooses."""
    num_examples: Annotated[int, Interval(4)] = 200
    """Rows at random to train on, and as many to test on."""
    num_steps: Annotated[int, Interval(1, 2**31 - 1)] = 200
    """Updates of L-BFGS, each on all rows."""


MODELS = ("sigmoid", "softmax")
WEAK = 1e-6
"""An l2 so small that the line is nearly the minimum-norm one."""
GOALS = (
    Goal("degrees_with_bias", at_most=0.01, seeds=1),
    Goal("degrees_without_bias", at_most=0.01, seeds=1),
    Goal("distance_with_bias", at_most=1e-3, seeds=1),
    Goal("degrees_to_minimum_norm_sigmoid", at_most=0.1, seeds=1),
    Goal("degrees_to_minimum_norm_softmax", at_most=0.1, seeds=1),
)

metrics = classification


def data(settings: Settings) -> Dataset:
    """Two round classes that a line separates, also through the origin, but a better one elsewhere.

    ``TIPS`` are the training rows nearest to the other class: half way between them is the minimum-norm line.
    """
    generator, rows = np.random.default_rng(0), []
    for _ in range(2):
        labels = generator.integers(0, 2, settings.num_examples)
        angle = generator.uniform(0, 2 * np.pi, settings.num_examples)
        radius = np.sqrt(generator.uniform(0, 1, settings.num_examples))
        disc = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        rows.append(Batch((disc + CENTRES[labels]).astype(np.float32), labels.astype(np.int32)))
    tips = Batch(TIPS.astype(np.float32), np.array([0, 1], np.int32))
    train = Batch(*map(np.concatenate, zip(rows[0], tips, strict=True)))
    return Dataset(train, test=rows[1], name="discs", num_classes=2)


CENTRES = np.array([[-0.5, 1.1], [2.0, 0.6]])
TIPS = CENTRES + 0.47 * (CENTRES[::-1] - CENTRES)
"""Outside the discs, whose radius of 1 is 0.39 of the way."""


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """``w . x + b`` with one output or with two; or the support vector machine of the hard margin."""
    if settings.model == "minimum_norm":
        return models.kernel_svm(num_classes=2, kernel=kernels.linear(), C=1e4, strategy=models.one_vs_rest)
    outputs = 1 + (settings.model == "softmax")
    network = models.MLP((), num_outputs=outputs, use_bias=settings.use_bias)
    loss = losses.softmax_cross_entropy if outputs == 2 else _sigmoid_cross_entropy
    l2 = WEAK if settings.is_weak else hparams.l2
    model = gradient(
        network, loss, optax.lbfgs(), penalty=lambda params: outputs * l2 * losses.l2_penalty(params)
    )
    if outputs == 2:
        return model
    return model._replace(predict=lambda state, x: model.predict(state, x) * jnp.array([[-0.5, 0.5]]))


def _sigmoid_cross_entropy(logits: Float[Array, "n 1"], labels: Int[Array, " n"]) -> Float[Array, ""]:
    return losses.sigmoid_cross_entropy(logits[:, 0], labels)


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """Both models, with and without a bias, with a weak penalty, and the minimum-norm line."""
    rows = {}
    for name, use_bias in (("", True), ("_without_bias", False)):
        rows |= {model + name: (Hparams(), Settings(model, use_bias)) for model in MODELS}
    weak = {f"{model}_weak": (Hparams(), Settings(model, is_weak=True)) for model in MODELS}
    return rows | {"minimum_norm": (Hparams(), Settings("minimum_norm", num_steps=1))} | weak


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Angles between the lines of the first seeds, and distances of the origin from them."""
    lines = {result.name: line_of(result) for result in results}
    found = {}
    for what, name in (("with_bias", ""), ("without_bias", "_without_bias")):
        one, other = (lines[model + name] for model in MODELS)
        found[f"degrees_{what}"] = degrees_between(one, other)
        found[f"distance_{what}"] = jnp.abs(one.offset - other.offset)
    for model in MODELS:
        for name, row in (("", f"{model}_weak"), ("_not_weak", model)):
            angle = degrees_between(lines[row], lines["minimum_norm"])
            found[f"degrees_to_minimum_norm_{model}{name}"] = angle
    return {name: float(value) for name, value in found.items()}


def line_of(result: Result) -> Line:
    """Where the two scores are equal; they are affine, so three points tell all."""
    corners = jnp.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    scores = result.learner.predict(result.runs[0].state, corners)
    lead = scores[:, 1] - scores[:, 0]
    return line(lead[1:] - lead[0], lead[0])


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """The lines over the rows: with and without a bias, and with hardly a penalty."""
    lines = {result.name: line_of(result) for result in results}
    pictures = {}
    for file, styles in STYLES.items():
        names = [name for name in styles if name in lines]
        if names:
            normals, offsets = map(np.stack, zip(*(lines[name] for name in names), strict=True))
            pictures[file] = plot.lines_in_plane(
                *dataset.train, normals.T, offsets, names=names, styles=[styles[name] for name in names],
                title="w . x + b = 0",
            )  # fmt: skip
    return pictures


HALF = (0, (4, 4))
STYLES = {
    "lines": {"sigmoid": "-", "softmax": HALF, "sigmoid_without_bias": "-", "softmax_without_bias": HALF},
    "minimum_norm": {"minimum_norm": "-", "sigmoid_weak": (0, (4, 8)), "softmax_weak": (8, (4, 8))},
}
"""Of each picture's lines: what lies on another is dashed (offset, dash and gap), to show it in the gaps."""
