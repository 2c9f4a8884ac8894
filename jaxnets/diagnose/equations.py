"""What an operation of a jaxpr is: a contraction, a loop or a call, and how it computes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from jax.extend.core import ClosedJaxpr

CONTRACTIONS = ("dot_general", "conv_general_dilated")
LOOPS = ("scan", "while", "cond")
INNER = ("jaxpr", "call_jaxpr", "fun_jaxpr")


def has_inner(equation: Any) -> bool:
    """Whether it holds another function: a loop's body, or what is called."""
    return equation.primitive.name in LOOPS or any(one in equation.params for one in INNER)


def called(equation: Any) -> ClosedJaxpr | None:
    """The function that it calls with its own arguments; None for all else, loops among them."""
    inner = next((equation.params[one] for one in INNER if one in equation.params), None)
    is_call = equation.primitive.name not in LOOPS and isinstance(inner, ClosedJaxpr)
    return inner if is_call and len(inner.jaxpr.invars) == len(equation.invars) else None


def bound(equation: Any) -> Callable[..., Any]:
    """It as a function of its arguments."""
    parameters = equation.primitive.get_bind_params(equation.params)
    return lambda *values: equation.primitive.bind(*values, **parameters)


def scan_sizes(equation: Any) -> tuple[int, int]:
    """How many values a scan holds fixed, and how many it carries from step to step."""
    params = equation.params
    if "num_consts" in params:
        return params["num_consts"], params["num_carry"]
    fixed, carried, _ = params["ft_in"].unpack()  # newer versions of jax keep the trees of all three
    return len([*fixed]), len([*carried])
