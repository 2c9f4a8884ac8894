"""The learner made of a flax module, a loss and an optimizer; and closed forms."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import closed_form, learner, losses, train
from jaxnets.types import Batch

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def batch():
    draw = np.random.default_rng(1)
    inputs = draw.normal(size=(32, 4)).astype(np.float32)
    return Batch(inputs, (inputs[:, 0] > 0).astype(np.int32))


class Noisy(nn.Module):
    """Batch statistics and dropout, both different in training."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train, momentum=0.5)(nn.Dense(8, use_bias=False)(x))
        return nn.Dense(2)(nn.Dropout(0.5, deterministic=not train)(nn.relu(x)))


def test_step_is_the_gradient_step_written_out(batch):
    model, rate = nn.Dense(2), 0.3
    simple = learner.gradient(model, losses.softmax_cross_entropy, optax.sgd(rate), penalty=losses.l2_penalty)

    def objective(params):
        logits = model.apply({"params": params}, batch.inputs)
        return losses.softmax_cross_entropy(logits, batch.targets) + losses.l2_penalty(params)

    state = simple.init(KEY, batch)
    after, metrics = simple.step(KEY, state, batch)
    value, grads = jax.value_and_grad(objective)(state.params)
    wanted = jax.tree.map(lambda leaf, slope: leaf - rate * slope, state.params, grads)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), after.params, wanted)
    np.testing.assert_allclose(metrics["loss"], value, rtol=1e-6)


def test_batch_statistics_and_dropout_are_carried(batch):
    noisy = learner.gradient(Noisy(), losses.softmax_cross_entropy, optax.sgd(0.1))
    state = noisy.init(KEY, batch)
    one, _ = noisy.step(jax.random.key(1), state, batch)
    other, _ = noisy.step(jax.random.key(2), state, batch)
    hidden = batch.inputs @ state.params["Dense_0"]["kernel"]
    moved = one.variables["batch_stats"]["BatchNorm_0"]["mean"]
    np.testing.assert_allclose(moved, 0.5 * hidden.mean(0), rtol=1e-5, atol=1e-6)
    assert not jnp.allclose(one.params["Dense_1"]["kernel"], other.params["Dense_1"]["kernel"])
    outputs = noisy.predict(one, batch.inputs)
    np.testing.assert_allclose(outputs[:1], noisy.predict(one, batch.inputs[:1]), rtol=1e-5)


def test_optimizers_that_search_along_a_line_get_what_they_need(batch):
    newton = learner.gradient(
        nn.Dense(2), losses.softmax_cross_entropy, optax.lbfgs(), penalty=losses.l2_penalty
    )
    run = jax.jit(lambda: train.run(KEY, newton, batch, num_steps=25))()

    def objective(params):
        return losses.softmax_cross_entropy(
            newton.predict(run.state._replace(params=params), batch.inputs), batch.targets
        )

    slope = jax.grad(lambda params: objective(params) + losses.l2_penalty(params))(run.state.params)
    assert optax.tree.norm(slope) < 1e-4


def test_closed_form_begins_with_zeros_and_ends_in_one_step(batch):
    mean = closed_form(
        lambda rows: ({"mean": rows.inputs.mean(0)}, {"loss": rows.inputs.var()}),
        lambda state, inputs: inputs - state["mean"],
    )
    assert not jnp.any(mean.init(KEY, batch)["mean"])
    run = train.run(KEY, mean, batch, num_steps=1)
    np.testing.assert_allclose(run.state["mean"], batch.inputs.mean(0), rtol=1e-6)
