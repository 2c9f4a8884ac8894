"""What a diagnosis looked at: activations by layer, gradients by depth, the loss along the first step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.probe import Probe, is_finite
from jaxnets.diagnose.problem import spaced
from jaxnets.diagnose.quick import quick
from jaxnets.plot import _axes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_LAYERS = 12
"""That are drawn; of more, evenly spaced ones."""
BINS = 40
AHEAD = (-0.5, 3.0)
"""How far the loss is drawn, in first steps."""
POINTS = 36


def figures(probe: Probe) -> dict[str, Figure]:
    """Pictures by name; those alone for which there is something to draw."""
    found = {"activations": activations(probe), "gradients": gradients(probe), "step": along_the_step(probe)}
    return {name: figure for name, figure in found.items() if figure is not None}


def activations(probe: Probe) -> Figure | None:
    """How the inputs of each layer but the first are spread over rows and units, side by side."""
    layers = _some([*probe.flow.hidden.items()])
    if not layers:
        return None
    figure = _axes.new_figure(max(4.0, 1.3 * len(layers)), 3.2)
    panels = figure.subplots(1, len(layers), sharey=True, squeeze=False)[0]
    values = {name: np.asarray(layer.inputs, np.float64).ravel() for name, layer in layers}
    values = {name: one[np.isfinite(one)] for name, one in values.items()}
    edges = np.histogram_bin_edges(np.concatenate([*values.values(), np.zeros(1)]), BINS)
    for axes, (name, one) in zip(panels, values.items(), strict=True):
        axes.hist(one, edges, orientation="horizontal", color=_axes.colour(0))
        axes.set_title(f"before {name}", fontsize=8)
        axes.set_xticks([])
    panels[0].set_ylabel("activation")
    return figure


def gradients(probe: Probe) -> Figure | None:
    """The mean size of the loss's gradient by what comes out of each layer, on a logarithmic scale."""
    sizes = [float(jnp.sqrt(jnp.square(delta).mean())) for delta in probe.flow.deltas]
    if len(sizes) < 2:
        return None
    figure, axes = _axes.new_axes(
        x_label="layer", y_label="rms of the gradient", title="by what comes out of each layer"
    )
    depth = np.arange(1, len(sizes) + 1)
    axes.plot(depth, np.where(np.array(sizes) > 0, sizes, np.nan), marker="o", color=_axes.colour(0))
    axes.set_yscale("log")
    axes.set_xticks(depth if len(depth) <= MOST_LAYERS else depth[:: -(-len(depth) // MOST_LAYERS)])
    return figure


def along_the_step(probe: Probe) -> Figure | None:
    """The loss of the first batch from before the first step to beyond it: too long, too short, uphill."""
    problem = probe.problem
    if not problem.has_step or not is_finite(probe.stepped):
        return None
    way = jax.tree.map(lambda new, old: new - old, probe.stepped, probe.params)
    shares = np.linspace(*AHEAD, POINTS, dtype=np.float32)

    def loss(share: jax.Array) -> jax.Array:
        there = jax.tree.map(lambda w, d: (w + share * d).astype(jnp.result_type(w)), probe.params, way)
        return problem.loss(there, *probe.batch)

    losses = np.asarray(quick(lambda shares: jax.lax.map(loss, shares))(shares))
    figure, axes = _axes.new_axes(x_label="part of the first step", y_label="loss of its batch", title="")
    axes.plot(shares, np.where(np.isfinite(losses), losses, np.nan), color=_axes.colour(0))
    for share, text in ((0.0, "before"), (1.0, "after")):
        axes.axvline(share, color="grey", linewidth=0.8, linestyle=":")
        axes.annotate(text, (share, 1.0), xycoords=("data", "axes fraction"), fontsize=8, va="top")
    return figure


def _some(layers: list) -> list:
    return [layers[number] for number in spaced(len(layers), MOST_LAYERS)] if layers else []
