"""Rules on the size of a step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from jaxnets.diagnose.finding import Finding
from jaxnets.diagnose.probe import Probe

STABLE = 2.0
"""Gradient descent on a quadratic of curvature c is stable below this over c."""
SURE = 2.0
"""So many times the stable rate is called too large: curvature falls as training begins."""


def step_too_large(probe: Probe) -> Iterator[Finding]:
    """Rate times curvature is above 2: the largest eigenvalue of the Hessian by power iteration.

    Only for plain gradient descent, whose stability this is (LeCun, Bottou, Orr & Müller 1998, Efficient
    BackProp, section 5); twice the bound is asked for, since networks move to flatter places in their first
    steps (Cohen et al. 2021, Gradient descent on neural networks typically occurs at the edge of stability).
    """
    problem = probe.problem
    if problem.learning_rate is None or problem.update is not None or callable(problem.learning_rate):
        return
    rate, curvature = float(problem.learning_rate), probe.curvature
    if not np.isfinite(curvature) or rate * curvature <= SURE * STABLE:
        return
    largest = STABLE / curvature
    yield Finding(
        "step-too-large", "error",
        {"rate": rate, "curvature": curvature, "rate x curvature": rate * curvature},
        f"the rate {rate:.4g} is {rate / largest:.3g} times the largest stable one, {largest:.3g}",
        f"a rate of {0.5 * largest:.2g}",
        problem.replace(learning_rate=0.5 * largest),
    )  # fmt: skip
