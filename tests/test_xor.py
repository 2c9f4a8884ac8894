"""Exclusive or: labels are the exclusive or of the signs, the third input says nothing, tanh solves it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import xor
from experiments._run import Result
from jaxnets import train
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.metrics import accuracy
from jaxnets.models import MLP
from jaxnets.types import Batch


def test_labels_are_the_exclusive_or_of_the_first_two_inputs():
    inputs, labels = xor.data(xor.Settings(num_inputs=3)).train
    assert inputs.shape == (4123, 3)
    np.testing.assert_array_equal(labels, (inputs[:, 0] > 0) != (inputs[:, 1] > 0))
    assert np.abs(np.corrcoef(inputs[:, 2], labels)[0, 1]) < 0.05
    assert 0.95 < np.abs(inputs[:, 2]).max() <= 1


def test_both_hidden_units_part_from_one_diagonal():
    """After the plateau both lines are parallel, one on each side, and every row is right."""
    settings = xor.Settings(num_examples=200, num_steps=4000)
    rows, model = xor.data(settings).train, xor.learner(xor.Hparams(), settings)
    state = jax.jit(lambda key: train.run(key, model, rows, num_steps=settings.num_steps).state)(
        jax.random.key(0)
    )
    assert accuracy(model.predict(state, rows.inputs), jnp.asarray(rows.targets)) == 1
    (one, other), (near, far) = state.params["Dense_0"]["kernel"].T, state.params["Dense_0"]["bias"]
    cosine = one @ other / jnp.linalg.norm(one) / jnp.linalg.norm(other)
    assert abs(cosine) > 0.9
    assert near * jnp.sign(cosine) * far < 0


def test_rows_keep_what_their_names_promise_whatever_is_given():
    given = xor.Hparams(learning_rate=0.1, momentum=0.5, spread=0.02)
    made = {name: xor.CHANGES[settings.change](given) for name, (_, settings) in xor.variants().items()}
    assert made["no_momentum"] == given._replace(momentum=0)
    assert made["large_rate"] == given._replace(learning_rate=1.5)
    assert made["large_start"] == given._replace(spread=2)
    assert made["tanh_2_2_1"] == made["small_batches"] == given


def test_the_large_start_is_a_hundred_times_the_spread():
    settings = xor.Settings(num_examples=20)
    rows = xor.data(settings).train
    small, large = (
        xor.learner(xor.Hparams(spread=0.02), row).init(jax.random.key(0), rows).params["Dense_0"]["kernel"]
        for row in (settings, settings._replace(change="large_start"))
    )
    np.testing.assert_allclose(large, 100 * small, rtol=1e-6)


def test_scores_are_the_one_output_with_both_signs():
    settings = xor.Settings(num_examples=20)
    rows, model = xor.data(settings).train, xor.learner(xor.Hparams(spread=1.0), settings)
    state = model.init(jax.random.key(0), rows)
    output = MLP((2,), 1, activation=jnp.tanh).apply({"params": state.params}, rows.inputs)
    np.testing.assert_allclose(model.predict(state, rows.inputs), np.c_[-output, output], rtol=1e-6)


def test_the_slowest_seed_is_the_last_to_leave_the_plateau():
    losses = ([0.7, 0.01, 0.01], [0.7, 0.7, 0.01], [0.7, 0.05, 0.01])
    runs = [train.Run(None, {"loss": np.array(loss)}, None, 3) for loss in losses]
    assert xor._slowest(Result("row", None, None, 1, None, runs, {}, np.zeros(3), 0.0)) == 1


@pytest.mark.parametrize(
    ("wrong", "test_accuracy", "solved"), [((), 1, 1), ((1,), 1, 0), ((6,), 0.75, 0), (range(8), 0, 0)]
)
def test_solved_is_every_row_of_both_draws(wrong, test_accuracy, solved):
    """Rows 0 to 3 train and 4 to 7 test a learner that knows the labels of all but some."""
    labels = np.array([0, 1, 1, 0, 1, 1, 0, 0])
    guesses = np.where(np.isin(np.arange(8), list(wrong)), 1 - labels, labels)
    model = Learner(None, None, lambda state, inputs: state[inputs])
    rows, test = (Batch(part, labels[part]) for part in (np.arange(4), np.arange(4, 8)))
    found = xor.evaluate(model, jnp.eye(2)[guesses], Dataset(rows, test=test))
    assert {name: float(value) for name, value in found.items()} == {
        "test_accuracy": test_accuracy, "solved": solved,
    }  # fmt: skip
