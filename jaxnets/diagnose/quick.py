"""Compiling what runs once: the compiler's own time is nearly all that a diagnosis takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

OPTIONS = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""For a CPU: half the time to compile; loops over elements run half as fast, products as fast as ever."""


def quick(function: Callable) -> Any:
    """``jax.jit`` for what is called a few times: compiled soon rather than well.

    >>> quick(lambda x: 2 * x)(1.5).item()
    3.0
    """
    return jax.jit(function, compiler_options=OPTIONS if jax.default_backend() == "cpu" else None)
