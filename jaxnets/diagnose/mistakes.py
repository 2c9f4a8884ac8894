"""Gradients with the mistakes that people make who derive them by hand, to be told from what was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxnets.diagnose.altered import Altered
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.trace import Trace, Traced
from jaxnets.types import PyTree

OUTPUT = "the function at the output"


class Mistakes:
    """Wrong gradients of a loss at some params and rows, each with what was done, made when asked for.

    Args:
        problem: of which ``loss`` and ``predict`` are looked at.
        params: where.
        inputs, targets: rows.
    """

    def __init__(self, problem: Problem, params: PyTree, inputs: Any, targets: Any) -> None:
        self._problem, self._params, self._rows = problem, params, (inputs, targets)
        self._made: list[tuple[str, list[np.ndarray]]] = []
        self._coming = self._make()

    def __iter__(self) -> Iterator[tuple[str, list[np.ndarray]]]:
        """What was done, and the gradient, leaf by leaf."""
        yield from self._made
        for one in self._coming:
            self._made.append(one)
            yield one

    def _make(self) -> Iterator[tuple[str, list[np.ndarray]]]:
        trace = Trace(self._problem.loss, self._params, *self._rows)
        places = self._places(trace)
        for kind in (_missing, _twice, self._at_its_value, _all_pairs):
            changes = {number: kind(trace, trace.by_number[number]) for number in places}
            altered = [Altered(number, change) for number, (_, change) in changes.items() if change]
            said = {number: words for number, (words, _) in changes.items()}
            for one in altered:
                yield f"the derivative of {places[one.number]} {said[one.number]}", self._with(one)
            if len(altered) > 1:
                yield f"the derivative of every activation {said[altered[0].number]}", self._with(*altered)
        yield from self._of_the_head(trace)
        yield from self._on_the_way_back(trace)

    def _places(self, trace: Trace) -> dict[int, str]:
        """Operations behind which a function was applied number by number, in words."""
        places = {
            layer.number: f"the activation before layer {number}"
            for number, layer in enumerate(trace.layers, start=1)
            if layer.slope is not None
        }
        outputs = jax.tree.leaves(self._problem.predict(self._params, self._rows[0]))[0]
        for number, end in trace.by_number.items():
            is_one = end.before is not None and not end.is_bare and np.shape(end.value) == outputs.shape
            if is_one and number not in places and np.allclose(end.value, outputs, rtol=1e-12):
                places[number] = OUTPUT
        return places

    def _with(self, *altered: Altered) -> list[np.ndarray]:
        """The gradient with these mistakes."""
        loss = lambda params: Trace(self._problem.loss, params, *self._rows, altered=altered).outputs[0]  # noqa: E731
        return [np.asarray(leaf) for leaf in jax.tree.leaves(jax.grad(loss)(self._params))]

    def _at_its_value(self, trace: Trace, end: Traced) -> tuple[str, Callable | None]:
        """``f'(f(z))`` for ``f'(z)``: the layer's output is moved to what its function makes of it."""
        here = trace.places[end.layer].value if len(trace.places) == len(trace.layers) else None
        words = "is taken at its value"
        if here is None or np.shape(here) != np.shape(end.value):
            return words, None
        nudges = [jnp.zeros_like(place.value) for place in trace.places]
        nudges[end.layer] = end.value - end.before
        moved = Trace(self._problem.loss, self._params, *self._rows, nudges=nudges)
        slope = moved.by_number[end.number].slope
        return words, lambda change: slope * change

    def _of_the_head(self, trace: Trace) -> Iterator[tuple[str, list[np.ndarray]]]:
        """The head's derivative is multiplied into what has it already, as outputs less targets have."""
        last = len(trace.layers) - 1
        bare = [end for end in trace.by_number.values() if end.is_bare and end.layer == last]
        if not bare or bare[-1].value.ndim < 2:
            return
        for words, head in (("softmax", jax.nn.softmax), ("sigmoid", jax.nn.sigmoid)):
            share = head(bare[-1].value)
            altered = Altered(bare[-1].number, lambda change, slope=share * (1 - share): slope * change)
            yield f"the {words}'s derivative is multiplied into what has it already", self._with(altered)

    def _on_the_way_back(self, trace: Trace) -> Iterator[tuple[str, list[np.ndarray]]]:
        """What goes back through products and loops."""
        for number in trace.loops:
            altered = Altered(number, mixed="carry")
            yield "nothing goes back in time, from a step to the one before", self._with(altered)
        for layer, (number, place) in enumerate(trace.products, start=1):
            one = trace.layers[layer - 1]
            for words, mixed, factor in (("weight", place, one.weight), ("input", 1 - place, one.inputs)):
                if factor.ndim == 2 and min(factor.shape) > 1:
                    altered = Altered(number, mixed=mixed)
                    yield f"the {words} of layer {layer} is not transposed", self._with(altered)


def _missing(trace: Trace, end: Traced) -> tuple[str, Callable]:
    return "is missing", lambda change: change


def _twice(trace: Trace, end: Traced) -> tuple[str, Callable]:
    return "is there twice", lambda change: end.slope**2 * change


def _all_pairs(trace: Trace, end: Traced) -> tuple[str, Callable | None]:
    """``x.T * (1 - x)`` of a sigmoid's row ``x``: a matrix where a number a unit is meant."""
    value, words = end.value, "is a matrix of all pairs of units, not one number each"
    if value.ndim != 2 or not np.allclose(end.slope, value * (1 - value), atol=1e-9):
        return words, None
    return words, lambda change: value * ((1 - value) * change).sum(axis=1, keepdims=True)
