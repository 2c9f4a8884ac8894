"""How long programs take beside each other, on a machine that others use too."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxnets.types import Float


def least_seconds(*works: Callable[[], Any], rounds: int, repeats: int = 1) -> Float[np.ndarray, " w"]:
    """The least times of all works, taken in turn: other work on the machine only adds.

    A first round, which compiles, does not count.

    Args:
        rounds: how often each is timed.
        repeats: calls in a row that are timed together; a call alone finds the caches cold.
    """
    times = [[_seconds(work, repeats) for work in works] for _ in range(1 + rounds)]
    return np.min(times[1:], axis=0)


def _seconds(work: Callable[[], Any], repeats: int) -> float:
    begun = time.perf_counter()
    for _ in range(repeats):
        jax.block_until_ready(work())
    return time.perf_counter() - begun
