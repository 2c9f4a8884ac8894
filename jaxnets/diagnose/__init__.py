"""Why does it not learn? White-box probes of a training's own functions name the cause and prove the remedy.

    problem = Problem(init, predict, loss, (inputs, targets), gradient=gradient, learning_rate=0.1)
    report = diagnose(problem, jax.random.key(0))
    print(report)  # what was measured, what is wrong, what to do, and whether that helps

Start reading in ``problem.py`` (what is looked at), then ``probe.py`` (what is measured), ``rules/`` (what is
concluded, a file a family) and ``diagnosis.py``.
"""

from jaxnets.diagnose.assertions import (
    assert_batch_independent,
    assert_descends,
    assert_gradient,
    assert_not_symmetric,
)
from jaxnets.diagnose.diagnosis import diagnose
from jaxnets.diagnose.finding import Finding, Proof, Report
from jaxnets.diagnose.lanes import Lanes, diagnose_lanes
from jaxnets.diagnose.learners import LearnerProblem, problem_of
from jaxnets.diagnose.problem import Problem

__all__ = [
    "Finding", "Lanes", "LearnerProblem", "Problem", "Proof", "Report", "assert_batch_independent",
    "assert_descends", "assert_gradient", "assert_not_symmetric", "diagnose", "diagnose_lanes", "problem_of",
]  # fmt: skip
