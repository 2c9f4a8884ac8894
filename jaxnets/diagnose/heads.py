"""The head of a network: what stands between its last layer and the loss, found by following the numbers.

The loss and the prediction are written out as programs; where both hold the same numbers, they are cut open.
What comes before is the network; what comes after are two functions of its outputs: what is predicted, and
what is minimised. They can be driven wherever a rule wants, and nothing is inferred from names.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize

from jaxnets.diagnose.cuts import (
    SAME,
    contractions,
    draws_numbers,
    is_same,
    last_layer,
    layers_after,
    mixed,
    weight_of,
)
from jaxnets.diagnose.links import Link, link_of
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.program import Operation, Program
from jaxnets.diagnose.quick import quick
from jaxnets.diagnose.reach import NUM_DRAWS, SCALES, interval
from jaxnets.types import Array, Batch, PyTree

MOST_ITERATIONS = 60
"""Of L-BFGS; for each row alone a few would do."""


class Head:
    """The head of a problem at some params and rows.

    Args:
        params: not those at which the outputs are all zero, lest different numbers look the same.

    Attributes:
        predict: the program of the prediction.
        loss: that of the loss.
        predicted: the values of ``predict``.
        lost: the values of ``loss``.
    """

    def __init__(self, problem: Problem, params: PyTree, batch: Batch) -> None:
        self.params, self.batch = params, batch
        self.predict = Program(problem.predict, params, batch.inputs)
        self.loss = Program(problem.loss, params, *batch)
        self.predicted, self.lost = quick(self._run)(params, *batch)

    def _run(self, params: PyTree, *batch: Any) -> tuple[dict[int, Any], dict[int, Any]]:
        return self.predict.run(params, batch[0]), self.loss.run(params, *batch)

    @cached_property
    def outputs(self) -> np.ndarray | None:
        """What is predicted; None where that is no single array with a row for each input."""
        ends = [np.asarray(self.predicted[place]) for place in self.predict.ends]
        num_rows = len(jax.tree.leaves(self.batch.inputs)[0])
        return ends[0] if len(ends) == 1 and ends[0].ndim and len(ends[0]) == num_rows else None

    @cached_property
    def targets(self) -> np.ndarray | None:
        """One array of targets; None where there are several."""
        leaves = jax.tree.leaves(self.batch.targets)
        return np.asarray(leaves[0]) if len(leaves) == 1 else None

    @cached_property
    def labels(self) -> np.ndarray | None:
        """The class that is meant for each row (or place in it), where there is an output a class."""
        outputs, targets = self.outputs, self.targets
        if outputs is None or targets is None or outputs.ndim < 2 or outputs.shape[-1] < 2:
            return None
        if targets.shape == outputs.shape:
            is_one_hot = np.isin(targets, (0, 1)).all() and (targets.sum(axis=-1) == 1).all()
            return targets.argmax(axis=-1) if is_one_hot else None
        whole = targets.dtype.kind in "iub"
        flat = targets[..., 0] if targets.shape == (*outputs.shape[:-1], 1) else targets
        return flat if whole and flat.shape == outputs.shape[:-1] else None

    @cached_property
    def values(self) -> np.ndarray | None:
        """The targets in the outputs' shape, where a number is meant for each output."""
        if self.outputs is None or self.targets is None or self.labels is not None:
            return None
        same = np.squeeze(self.targets).shape == np.squeeze(self.outputs).shape
        return self.targets.reshape(self.outputs.shape).astype(float) if same else None

    @cached_property
    def cut(self) -> tuple[int, int] | None:
        """The last value that both programs hold and that all of the network passes, if there is one."""
        if self.outputs is None:
            return None
        theirs: dict[tuple, list[int]] = {}
        for place in mixed(self.loss):
            theirs.setdefault(np.shape(self.lost[place]), []).append(place)
        for place in reversed(mixed(self.predict)):
            value = np.asarray(self.predicted[place])
            same = [one for one in theirs.get(value.shape, ()) if is_same(value, self.lost[one])]
            for other in reversed(same):
                if self.predict.separates(place) and self.loss.separates(other):
                    is_head = not (layers_after(self.predict, place) or layers_after(self.loss, other))
                    return (place, other) if is_head else None
        return None

    @cached_property
    def free(self) -> tuple[int, int] | None:
        """The outputs of the last layer in both programs, bias and all; else the cut.

        Their numbers may differ where training does (batch statistics, dropout), if the layer is one.
        """
        ends = [last_layer(program) for program in (self.predict, self.loss)]
        if None in ends or not (self.predict.separates(ends[0]) and self.loss.separates(ends[1])):
            return self.cut
        values = np.asarray(self.predicted[ends[0]]), np.asarray(self.lost[ends[1]])
        is_one = values[0].shape == values[1].shape and (self.is_one_layer or is_same(*values))
        return (ends[0], ends[1]) if is_one else self.cut

    @cached_property
    def layers(self) -> tuple[Operation, Operation] | None:
        """The last contraction with params, of the prediction and of the loss."""
        found = [contractions(program) for program in (self.predict, self.loss)]
        return (found[0][-1], found[1][-1]) if all(found) else None

    @cached_property
    def is_one_layer(self) -> bool:
        """Whether both have the same weights."""
        if self.layers is None:
            return False
        ours, theirs = weight_of(self.predict, self.layers[0]), weight_of(self.loss, self.layers[1])
        return is_same(np.asarray(self.predicted[ours]), self.lost[theirs])

    def predict_of(self, value: Array) -> Array:
        """What is predicted where the last layer puts ``value`` out."""
        return self.predict.tail(self.predicted, self.free[0], self.predict.ends[0])(value)

    @cached_property
    def loss_of(self) -> Any:
        """The loss where the last layer puts some value out, and its gradient: ``value -> (loss, slope)``."""
        return self.loss_from(self.free[1])

    def loss_from(self, place: int) -> Any:
        """Likewise, where some value of the loss's program is replaced."""
        return quick(jax.value_and_grad(self.loss.tail(self.lost, place, self.loss.ends[0])))

    @cached_property
    def draws(self) -> np.ndarray:
        """Outputs of the last layer, drawn."""
        shape = np.shape(self.lost[self.free[1]])
        return np.random.default_rng(0).normal(0, 2, (NUM_DRAWS, *shape)).astype(np.float32)

    @cached_property
    def slopes(self) -> np.ndarray:
        """The loss's gradient at the draws."""
        return np.stack([np.asarray(self.loss_of(one)[1]) for one in self.draws])

    @cached_property
    def link(self) -> Link | None:
        """How the loss compares, at the first value after the last layer where that is one of ``LINKS``."""
        if self.free is None:
            return None
        for place in self._chain:
            function = self.loss_of if place == self.free[1] else self.loss_from(place)
            found = link_of(self.draws, function)
            if found is not None:
                return Link(*found, place)
        return None

    @cached_property
    def _chain(self) -> list[int]:
        start = self.free[1]
        following = self.loss.reached([start]) & self.loss.needed(self.loss.ends)
        shape = np.shape(self.lost[start])
        found = [one for one in sorted(following) if np.shape(self.lost[one]) == shape]
        likely = [one for one in (start, self.cut[1] if self.cut else start) if one in (start, *found)]
        return list(dict.fromkeys(likely + [one for one in found if self.loss.separates(one)]))[:5]

    def driven(self, place: int) -> tuple[float, float]:
        """The reachable interval of a value of the loss's program, by driving the last layer's outputs."""
        function = self.loss.tail(self.lost, self.free[1], place)
        return interval([[np.asarray(function(scale * one)) for one in self.draws] for scale in SCALES])

    @cached_property
    def wished(self) -> tuple[np.ndarray, float]:
        """What is predicted where the last layer's outputs make the loss smallest, and that loss."""
        return self._smallest(1.0)

    @cached_property
    def shunned(self) -> tuple[np.ndarray, float]:
        """Likewise for the loss with the other sign."""
        return self._smallest(-1.0)

    def _smallest(self, sign: float) -> tuple[np.ndarray, float]:
        start = self.draws[0]

        def function(flat: np.ndarray) -> tuple[float, np.ndarray]:
            value, slope = self.loss_of(_narrow(flat, start.shape))
            slope = sign * np.asarray(slope, np.float64).ravel()
            usable = np.isfinite(value) and np.isfinite(slope).all()
            return (sign * float(value), slope) if usable else (1e30, np.zeros_like(slope))

        found = optimize.minimize(
            function, start.ravel().astype(float), jac=True, method="L-BFGS-B",
            options={"maxiter": MOST_ITERATIONS},
        )  # fmt: skip
        best = jnp.asarray(_narrow(found.x, start.shape))
        return np.asarray(self.predict_of(best)), float(found.fun)

    @cached_property
    def difference(self) -> float | None:
        """How far the last layer's outputs differ between prediction and loss, relative to their size.

        0 where the loss computes them before its own last layer, which may be of slopes by the inputs (an
        equation's residual). None where the last layers are not the same one, and where they may differ: the
        loss draws random numbers, or looks at several rows at once.
        """
        if not self.is_one_layer or draws_numbers(self.loss):
            return None
        places = [layer.ends[0] for layer in self.layers]
        ours, theirs = np.asarray(self.predicted[places[0]]), np.asarray(self.lost[places[1]])
        if ours.shape != theirs.shape:
            return None
        if any(is_same(ours, value) for value in self.lost.values() if np.shape(value) == ours.shape):
            return 0.0
        found = float(np.abs(ours - theirs).max() / max(np.abs(ours).max(), np.abs(theirs).max(), 1e-30))
        return None if found > SAME and self._mixes_rows(places[1]) else found

    def _mixes_rows(self, place: int) -> bool:
        """Whether the first row's value changes with the other rows."""
        others = jax.tree.map(
            lambda leaf: np.concatenate([leaf[:1], np.broadcast_to(leaf[-1:], leaf[1:].shape)]),
            self.batch.inputs,
        )
        again = np.asarray(self.loss.run(self.params, others, self.batch.targets)[place])
        before = np.asarray(self.lost[place])
        return bool(np.abs(again[0] - before[0]).max() > 1e-3 * np.abs(before).max())


def _narrow(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """In the 32 bits that the loss takes; a search for what has no end leaves them."""
    return np.clip(np.nan_to_num(flat), -1e30, 1e30).reshape(shape).astype(np.float32)
