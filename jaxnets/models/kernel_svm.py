"""Support vector machines with any kernel, solved in the dual."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check
from jaxnets.kernels import Kernel, gram
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.models import smo
from jaxnets.models.closed_form import closed_form
from jaxnets.models.multiclass import Strategy, one_vs_one
from jaxnets.types import Array, Batch, Float, Metrics, Scalar, Shaped


class KernelSvmState(NamedTuple):
    """``decisions = kernel(inputs, rows) @ coefficients + biases``.

    Attributes:
        rows: the training inputs.
        coefficients: ``y alpha`` of each row in each machine; 0 unless it is a support vector of it.
        biases: one a machine.
    """

    rows: Float[Array, "n d"]
    coefficients: Float[Array, "n machines"]
    biases: Float[Array, " machines"]


def kernel_svm(
    *,
    num_classes: int,
    kernel: Kernel,
    C: Scalar = 1.0,
    strategy: Strategy = one_vs_one,
    tolerance: Scalar = 1e-3,
    max_updates: int = 100_000,
) -> Learner:
    """Minimises ``|w|^2 / 2 + C sum_i max(0, 1 - y_i (w' phi(x_i) + b))`` for each machine of the strategy.

    What is solved is the dual: maximise ``sum_i alpha_i - 1/2 sum_ij alpha_i alpha_j y_i y_j K_ij`` where
    ``0 <= alpha_i <= C`` and ``sum_i alpha_i y_i = 0``. One step, on the full batch, is the whole fit, to a
    known accuracy: the metrics ``gap`` (primal less dual, relative to the primal) and ``violation`` (of the
    KKT conditions) are the worst over the machines; ``converged`` says that both are at most
    ``tolerance``. ``loss`` is the sum of the primals.

    Inputs should be scaled: with values in the thousands a linear kernel exceeds what float32 resolves. With
    a linear kernel and ``C >= 100`` on overlapping classes ``max_updates`` may need to grow: look at
    ``converged``. The gap proves the optimum for positive semi-definite kernels; for others (the sigmoid,
    often) the answer is one of several stationary points. One against one, predictions are those of
    scikit-learn's ``SVC(break_ties=True)``.

    Args:
        kernel: as in :mod:`jaxnets.kernels`.
        C: weight of the errors against the width of the margin, positive.
        strategy: ``one_vs_one`` or ``one_vs_rest``, from :mod:`jaxnets.models.multiclass`.
        tolerance: positive.
        max_updates: pairs of coefficients that one machine may move.

    Raises:
        InputError: ``C``, ``tolerance`` or ``max_updates`` is not positive.

    >>> from jaxnets import kernels, train
    >>> x, y = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), jnp.array([0, 1, 1, 0])
    >>> model = kernel_svm(num_classes=2, kernel=kernels.rbf(gamma=1.0), C=10.0)
    >>> run = train.run(jax.random.key(0), model, (x, y), num_steps=1)
    >>> model.predict(run.state, x).argmax(1).tolist()
    [0, 1, 1, 0]

    Reference: Boser, Guyon & Vapnik 1992; Bishop, Pattern Recognition and Machine Learning, 7.1. The
    solver: :mod:`jaxnets.models.smo`.
    """
    check.count("num_classes", num_classes, 2)
    for name, value in (("C", C), ("tolerance", tolerance), ("max_updates", max_updates)):
        check.interval(name, value, check.POSITIVE)

    def fit(batch: Batch) -> tuple[KernelSvmState, Metrics]:
        rows = flatten(batch.inputs)
        signs = strategy.signs(jnp.asarray(batch.targets), num_classes).astype(rows.dtype)
        solve = partial(smo.solve, gram(kernel, rows), C=C, tolerance=tolerance, max_updates=max_updates)
        machines = jax.lax.map(solve, signs)
        return KernelSvmState(rows, machines.coefficients.T, machines.bias), _metrics(machines, tolerance)

    def predict(state: KernelSvmState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n k"]:
        decisions = kernel(flatten(inputs), state.rows) @ state.coefficients + state.biases[None]
        return strategy.scores(decisions, num_classes)

    return closed_form(fit, predict, num_classes=num_classes)


def _metrics(machines: smo.Solution, tolerance: Scalar) -> Metrics:
    gap, violation = machines.gap[jnp.argmax(jnp.abs(machines.gap))], jnp.max(machines.violation)
    return {
        "loss": jnp.sum(machines.objective),
        "gap": gap,
        "violation": violation,
        "converged": jnp.maximum(jnp.abs(gap), violation) <= tolerance,
        "support_vectors": jnp.sum(jnp.any(machines.coefficients != 0, axis=0)),
        "updates": jnp.sum(machines.num_updates),
    }
