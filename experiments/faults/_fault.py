"""What a file of this folder defines, ``FAULT``, and how it is found: by its name, never by a register."""

from __future__ import annotations

import importlib
import pathlib
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from experiments._contract import modules_in
from jaxnets import check
from jaxnets.diagnose import Problem
from jaxnets.types import Array, Key, Params


class Figure(NamedTuple):
    """A number of a trained problem, and the bounds that it is to keep.

    Attributes:
        measure: ``(problem, params) -> number``, after the training; see ``_figures.py``.
    """

    measure: Callable[[Problem, Params], Any]
    at_least: float = -jnp.inf
    at_most: float = jnp.inf

    def is_reached(self, value: float) -> bool:
        """Whether the value lies within the bounds; a NaN does not."""
        return self.at_least <= value <= self.at_most


class Fault(NamedTuple):
    """A training that does not learn as it should, and the same without the fault.

    Attributes:
        broken: makes the problem as a person wrote it.
        rule: that must come first.
        equivalents: rules that name the same cause, or another that is there too.
        repaired: makes the problem without the fault.
        symptom: what the broken one shows after its training.
        reaches: what the repaired one reaches after its training.
        task: ``classification``, ``regression`` or ``sequence``.
    """

    broken: Callable[[], Problem]
    rule: str
    repaired: Callable[[], Problem]
    symptom: Figure
    reaches: Figure
    task: str
    equivalents: tuple[str, ...] = ()

    @property
    def accepted(self) -> tuple[str, ...]:
        """All rules that count as right."""
        return (self.rule, *self.equivalents)


def names() -> list[str]:
    """The faults there are."""
    return modules_in(pathlib.Path(__file__).parent)


def load(name: str) -> Fault:
    """A fault by name.

    Raises:
        InputError: there is none of that name; the nearest are named.
    """
    check.choice("fault", name, names())
    return importlib.import_module(f"experiments.faults.{name}").FAULT


def train(problem: Problem, key: Key) -> Params:
    """The params after the planned steps, over consecutive batches."""
    data = jax.tree.map(jnp.asarray, problem.data)

    @jax.jit
    def run(key: Array, data: Any) -> Params:
        params = jax.tree.map(jnp.asarray, problem.init(key))
        return problem.trained(params, data, problem.num_steps)

    return run(key, data)
