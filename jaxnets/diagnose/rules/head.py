"""Rules on the head: what the outputs can be, against what the loss and the targets ask of them."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.heads import Head
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.repairs import rescaled, with_head, with_logits

NARROW = 3.0
"""Logits that differ by less than this give no class of two more than 0.95."""
OUTSIDE = 0.01
"""Share of the targets that must lie beyond what can be reached."""


def targets_outside_range(probe: Probe) -> Iterator[Finding]:
    """Targets that no output can reach, however params are driven: a sigmoid before targets of 0 to 4.

    The outputs' interval is measured with params drawn at scales of 1 to 1000: a bound is one that they keep
    to at the last as at the second. Fires where more than 1 % of the targets are beyond it by a hundredth of
    its width, and the loss itself would be smaller at the targets than at the nearest outputs, so a
    prediction that the loss never compares with the targets is left alone. (Bishop, Pattern Recognition and
    Machine Learning, 5.2: the output's activation follows from the targets' distribution.)
    """
    head, values = probe.head, None if probe.head is None else probe.head.values
    if values is None or not np.isfinite(values).all():
        return
    low, high = probe.reach
    width = high - low if np.isfinite(high - low) else max(1.0, np.abs(values).max())
    share = float(((values < low - OUTSIDE * width) | (values > high + OUTSIDE * width)).mean())
    if share <= OUTSIDE or not _wants_beyond(head, values, low, high):
        return
    evidence = {
        "reachable": [low, high],
        "targets": [float(values.min()), float(values.max())],
        "share": share,
    }
    yield Finding(
        "targets-outside-range", "error", evidence,
        f"{share:.0%} of the targets lie outside [{low:.4g}, {high:.4g}], all that the outputs can be",
        "leave the function at the output out for values, or scale the targets into its range",
        _reaching(probe, low, high),
    )  # fmt: skip


def _reaching(probe: Probe, low: float, high: float) -> Problem | None:
    """The problem without the function at the output, or with its interval stretched to the targets'."""
    if not np.isfinite(high - low) or high <= low:
        return with_head(probe.problem, probe.head, lambda z: z)
    start, end = float(probe.targets.min()), float(probe.targets.max())
    return rescaled(probe.problem, probe.head, lambda o: start + (o - low) * (end - start) / (high - low))


def _wants_beyond(head: Head, values: np.ndarray, low: float, high: float) -> bool:
    """Whether the loss, as a function of what is predicted, is smaller out there."""
    link = head.link
    if link is not None and link.name == "sigmoid" and np.unique(values).size == 2:
        return False  # two classes by other numbers: see labels-out-of-range
    if link is not None and link.name in ("values", "sigmoid") and link.wanted.shape == values.shape:
        wanted = link.wanted[np.isfinite(link.wanted)]
        return bool(np.isclose(wanted, values[np.isfinite(link.wanted)], rtol=1e-2, atol=1e-2).mean() > 0.9)
    if head.cut is None or head.cut[0] not in head.predict.ends:
        return False
    place = head.cut[1]
    loss = head.loss.tail(head.lost, place, head.loss.ends[0])
    there, near = (float(loss(jnp.asarray(one, jnp.float32))) for one in (values, np.clip(values, low, high)))
    return there < near - 1e-6 * abs(near)


def probabilities_as_logits(probe: Probe) -> Iterator[Finding]:
    """Outputs that are squashed already go into a softmax or sigmoid: the loss cannot come near zero.

    The loss's gradient shows which value it takes for logits; this is driven by the last layer's outputs at
    scales of 1 to 1000. Fires where it keeps to an interval less than 3 wide: then a class of two gets at
    most a probability of 0.95, one of ten 0.69, however long one trains. (Goodfellow, Bengio & Courville,
    Deep Learning, 6.2.2: the log of the loss must undo the exp of the output.)
    """
    head = probe.head
    if head is None or head.link is None or head.link.name not in ("softmax", "sigmoid"):
        return
    place, num_classes = head.link.place, np.shape(head.lost[head.link.place])[-1]
    is_output = place == head.free[1] and head.cut is not None and head.cut[0] in head.predict.ends
    if place == head.free[1] and not (is_output and head.cut[1] == place):
        return
    low, high = probe.reach if is_output else head.driven(place)
    if not high - low < NARROW:
        return
    others = num_classes - 1 if head.link.name == "softmax" else 1
    worst = low if head.link.name == "sigmoid" else low - high
    best = float(np.log1p(others * np.exp(worst if head.link.name == "softmax" else -max(high, -low))))
    yield Finding(
        "probabilities-as-logits", "error", {"logits lie in": [low, high], "smallest possible loss": best},
        f"what the loss takes for logits lies in [{low:.3g}, {high:.3g}]: it is squashed twice",
        "give the loss the last layer's outputs, without softmax or sigmoid",
        with_logits(probe.problem, head),
    )  # fmt: skip


def single_output_softmax(probe: Probe) -> Iterator[Finding]:
    """A softmax over one output: always 1, and nothing is learned.

    Fires where there is one output a row, and either it is 1 with params drawn at scales of 1 to 1000, or
    the loss's gradient by the last layer's only output is zero at all draws. (Bishop 4.3.2: two classes
    with one output take a sigmoid.)
    """
    head = probe.head
    if head is None or head.outputs is None or head.outputs.size != len(head.outputs):
        return
    low, high = probe.reach
    is_one = abs(low - 1) < 1e-5 and abs(high - 1) < 1e-5
    is_flat = head.free is not None and not np.abs(np.nan_to_num(head.slopes, nan=1)).max() > 1e-9
    if is_one or is_flat:
        yield Finding(
            "single-output-softmax", "error", {"outputs a row": 1, "reachable": [low, high]},
            "a softmax over one output is 1 for every row",
            "a sigmoid for two classes, or an output a class",
            with_head(probe.problem, head, jax.nn.sigmoid) if is_one else None,
        )  # fmt: skip


def independent_sigmoids(probe: Probe) -> Iterator[Finding]:
    """One class of several is meant, but each output is a sigmoid, and only that of the class is trained.

    Fires where the outputs stay in [0, 1], do not sum to 1, and the loss's gradient by the outputs of all
    other classes is zero: then "1 for all classes" is the best prediction. A binary cross-entropy or squared
    error of every output is one against the rest, which works; with one-hot targets that is a note. (Bishop
    4.3.4.)
    """
    head = probe.head
    if head is None or head.free is None or head.labels is None:
        return
    labels, shape = head.labels, np.shape(head.lost[head.free[1]])
    low, high = probe.reach
    if shape != head.outputs.shape or low < -1e-6 or high > 1 + 1e-6:
        return
    sums = np.abs(head.outputs.sum(axis=-1) - 1)
    slopes = head.slopes
    if (
        sums.mean() < 0.02
        or not np.isfinite(slopes).all()
        or (labels < 0).any()
        or (labels >= shape[-1]).any()
    ):
        return
    meant = np.arange(shape[-1]) == labels[..., None]
    ignored = float(np.abs(slopes[:, ~meant]).max() / max(np.abs(slopes[:, meant]).max(), 1e-30))
    is_note = ignored >= 1e-6 and head.link is not None and head.link.name == "sigmoid"
    if ignored < 1e-6 or is_note:
        yield Finding(
            "independent-sigmoids", "note" if is_note else "error",
            {"outputs sum to": float(head.outputs.sum(axis=-1).mean()), "pull on the other classes": ignored},
            f"{shape[-1]} sigmoids are trained as one choice: they do not sum to 1"
            + ", and the loss ignores the other classes" * (not is_note),
            "a softmax over the outputs, with its cross-entropy",
            with_head(probe.problem, head, jax.nn.softmax),
        )  # fmt: skip
