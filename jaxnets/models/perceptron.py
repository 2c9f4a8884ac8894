"""Rosenblatt's perceptron, for two classes and for many, plain or averaged."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets import check, check_rows
from jaxnets.layers import flatten
from jaxnets.learner import Learner
from jaxnets.types import Array, Batch, Bool, Float, Int, Key, Metrics, Scalar, Shaped


class Weights(NamedTuple):
    """Scores are ``inputs @ coefficients + intercept``."""

    coefficients: Float[Array, "d k"]
    intercept: Float[Array, " k"]


class PerceptronState(NamedTuple):
    """The weights and their record.

    Attributes:
        weights: after the last row.
        readout: what predicts: the weights, or their mean over all rows seen.
        rows_seen: rows so far.
        mistakes: rows so far that changed the weights.
        streak: rows since the last mistake.
        num_rows: rows of the training set.
    """

    weights: Weights
    readout: Weights
    rows_seen: Int[Array, ""]
    mistakes: Int[Array, ""]
    streak: Int[Array, ""]
    num_rows: Int[Array, ""]


def rival_rule(scores: Float[Array, " k"], label: Int[Array, ""]) -> Float[Array, " k"]:
    """Towards the label and away from its highest rival, unless the label's score is the highest alone.

    >>> rival_rule(jnp.array([2.0, 3.0, 1.0]), jnp.array(0)).tolist()
    [1.0, -1.0, 0.0]

    Reference: Duda, Hart & Stork, Pattern Classification, 5.12; Collins 2002.
    """
    truth = jax.nn.one_hot(label, len(scores), dtype=scores.dtype)
    others = jnp.where(truth == 1, -jnp.inf, scores)
    away = jax.nn.one_hot(jnp.argmax(others), len(scores), dtype=scores.dtype)
    return jnp.where(scores[label] <= jnp.max(others), truth - away, 0)


def one_vs_rest_rule(scores: Float[Array, " k"], label: Int[Array, ""]) -> Float[Array, " k"]:
    """Each class alone, against all others: ``+1`` or ``-1`` where its score does not have that sign.

    >>> one_vs_rest_rule(jnp.array([2.0, 3.0, -1.0]), jnp.array(0)).tolist()
    [0.0, -1.0, 0.0]
    """
    signs = 2 * jax.nn.one_hot(label, len(scores), dtype=scores.dtype) - 1
    return jnp.where(signs * scores <= 0, signs, 0)


def perceptron(
    *,
    num_classes: int,
    averaged: bool = False,
    learning_rate: Scalar = 1.0,
    rule: Callable[[Float[Array, " k"], Int[Array, ""]], Float[Array, " k"]] = rival_rule,
) -> Learner:
    """``W += learning_rate x rule(W' x + b, y)'``, and the same for ``b``, row after row of the batch.

    From zero weights the learning rate changes only the scores' scale, and with two classes both rules
    are Rosenblatt's: ``w += y x`` where ``y (w' x + b) <= 0``. On separable rows the mistakes are at most
    ``(R / margin)^2``. The metric ``loss`` is the share of the batch's rows that were mistaken when their
    turn came (the perceptron criterion has no scale). A run ends once ``2 n - 1`` rows in succession, which
    hold a whole shuffled pass, went by without a mistake.

    Args:
        averaged: predict with the mean of the weights over all rows seen, which overfits less.
        learning_rate: positive.
        rule: ``(scores [k], label) -> [k]``, the classes' shares of the update.

    Raises:
        InputError: the learning rate is not positive, or labels are outside ``0..num_classes-1``.

    >>> from jaxnets import train
    >>> x, y = jnp.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), jnp.array([0, 0, 0, 1])
    >>> model = perceptron(num_classes=2)
    >>> run = train.run(jax.random.key(0), model, (x, y), num_steps=100, batch_size=1)
    >>> model.predict(run.state, x).argmax(1).tolist()
    [0, 0, 0, 1]

    Reference: Rosenblatt 1958; Novikoff 1962 (the bound); Freund & Schapire 1999 (averaging).
    """
    check.count("num_classes", num_classes, 2)
    check.interval("learning_rate", learning_rate, check.POSITIVE)

    def init(key: Key, data: Batch) -> PerceptronState:
        check_rows.labels(data.targets, num_classes)
        inputs = flatten(data.inputs)
        zeros = Weights(
            jnp.zeros((inputs.shape[1], num_classes), inputs.dtype), jnp.zeros(num_classes, inputs.dtype)
        )
        return PerceptronState(zeros, zeros, *jnp.zeros(3, int), jnp.asarray(len(inputs)))

    def learn_row(state: PerceptronState, row: tuple[Array, Array]) -> tuple[PerceptronState, None]:
        (x, label), (coefficients, intercept) = row, state.weights
        shares = rule(x @ coefficients + intercept, label)
        change = learning_rate * shares
        weights = Weights(coefficients + x[:, None] * change[None], intercept + change)
        return _record(state, weights, jnp.any(shares != 0), averaged=averaged), None

    def step(key: Key, state: PerceptronState, batch: Batch) -> tuple[PerceptronState, Metrics]:
        rows = flatten(batch.inputs), jnp.asarray(batch.targets)
        new, _ = jax.lax.scan(learn_row, state, rows)
        mistakes = new.mistakes - state.mistakes
        converged = new.streak >= 2 * new.num_rows - 1
        return new, {"loss": mistakes / len(rows[1]), "mistakes": mistakes, "converged": converged}

    def predict(state: PerceptronState, inputs: Shaped[Array, "n ..."]) -> Float[Array, "n k"]:
        return flatten(inputs) @ state.readout.coefficients + state.readout.intercept[None]

    return Learner(init, step, predict)


def _record(
    state: PerceptronState, weights: Weights, mistake: Bool[Array, ""], *, averaged: bool
) -> PerceptronState:
    seen = state.rows_seen + 1
    mean = jax.tree.map(lambda old, new: old + (new - old) / seen, state.readout, weights)
    return state._replace(
        weights=weights,
        readout=mean if averaged else weights,
        rows_seen=seen,
        mistakes=state.mistakes + mistake,
        streak=jnp.where(mistake, 0, state.streak + 1),
    )
