"""The training loop: against a NumPy loop, cut into segments, multiplied, differentiated."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from straight_line import BATCH, KEY, ROWS, assert_same, line, make_dataset, squared, train_line

from jaxnets import learner, sampling, schedules, status, train


@pytest.fixture(scope="module")
def dataset():
    return make_dataset()


@pytest.mark.parametrize("order", sorted(sampling.ORDERS))
def test_equals_a_loop_in_numpy(dataset, order):
    run = train_line(KEY, 0.05, dataset, num_steps=8, sampling=order)
    initial = train_line(KEY, 0.05, dataset, num_steps=0, sampling=order).state.params
    order_key = jax.random.split(KEY, 3)[1]
    indices = sampling.ORDERS[order](order_key, 0, 8, num_rows=ROWS, batch_size=BATCH)
    kernel, bias = np.asarray(initial["kernel"], np.float64), np.zeros(1)
    kernel_speed, bias_speed = np.zeros_like(kernel), np.zeros(1)
    for rows in np.asarray(indices):
        inputs, targets = dataset.train.inputs[rows], dataset.train.targets[rows]
        error = (inputs @ kernel + bias)[:, 0] - targets
        kernel_speed = 0.9 * kernel_speed + 2 * inputs.T @ error[:, None] / BATCH
        bias_speed = 0.9 * bias_speed + 2 * error.mean()
        kernel, bias = kernel - 0.05 * kernel_speed, bias - 0.05 * bias_speed
    np.testing.assert_allclose(run.state.params["kernel"], kernel, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(run.state.params["bias"], bias, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("order", sorted(sampling.ORDERS))
@pytest.mark.parametrize(
    "cuts", [(4, 8), (1, 11), *(pytest.param(one, marks=pytest.mark.release) for one in ((8, 4), (4, 4, 4)))]
)
def test_cut_into_segments_is_the_run_in_one_piece(dataset, cuts, order):
    whole = train_line(KEY, 0.05, dataset, sampling=order)
    part = None
    for length in cuts:
        part = train_line(KEY, 0.05, dataset, num_steps=length, sampling=order, state=part)
    assert_same(whole._replace(history={}), part._replace(history={}))


def test_history_of_segments_is_the_history_of_the_whole(dataset):
    whole = train_line(KEY, 0.05, dataset, evaluate_every=4)
    first = train_line(KEY, 0.05, dataset, num_steps=4, evaluate_every=4)
    second = train_line(KEY, 0.05, dataset, num_steps=8, evaluate_every=4, state=first)
    assert_same(
        whole.history, jax.tree.map(lambda a, b: jnp.concatenate([a, b]), first.history, second.history)
    )
    assert set(whole.history) == {"step", "loss", "valid_mse"}
    assert whole.history["step"].tolist() == [4, 8, 12]


def test_history_covers_what_is_left_of_the_last_interval(dataset):
    run = train_line(KEY, 0.05, dataset, evaluate_every=5)
    assert run.history["step"].tolist() == [5, 10, 12]
    outputs = line(0.05).predict(run.state, dataset.valid.inputs)
    np.testing.assert_allclose(
        run.history["valid_mse"][-1], squared(outputs, dataset.valid.targets), rtol=1e-5
    )
    assert_same(run.state, train_line(KEY, 0.05, dataset).state)


def test_no_steps_give_the_initial_state(dataset):
    run = train_line(KEY, 0.05, dataset, num_steps=0)
    assert run.history == {}
    assert (int(run.step), int(run.status.step), int(run.status.code)) == (0, 0, status.OK)
    assert_same(run.state.params["bias"], jnp.zeros(1))


def test_lanes_over_hparams_and_keys_equal_lone_runs(dataset):
    keys, rates = jax.random.split(KEY, 2), jnp.array([0.01, 0.05])
    lanes = jax.jit(jax.vmap(jax.vmap(train_line, (None, 0, None)), (0, None, None)))(keys, rates, dataset)
    for i, key in enumerate(keys):
        for j, rate in enumerate(rates):
            alone = train_line(key, rate, dataset)
            lane = jax.tree.map(lambda leaf, at=(i, j): leaf[at], lanes.state)
            jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), lane, alone.state)
    assert not jnp.allclose(lanes.state.params["kernel"][0], lanes.state.params["kernel"][1])


def test_other_hparams_do_not_recompile(dataset):
    train_line(KEY, 0.05, dataset)
    before = train_line._cache_size()
    train_line(jax.random.key(9), 0.001, dataset)
    assert train_line._cache_size() == before


def test_gradient_with_respect_to_the_rate_equals_finite_differences(dataset):
    with jax.enable_x64(True):
        doubled = jax.tree.map(lambda leaf: leaf.astype(np.float64), dataset)

        def final_error(rate):
            run = train.run(KEY, line(rate), doubled, num_steps=12, batch_size=BATCH)
            return squared(line(rate).predict(run.state, doubled.valid.inputs), doubled.valid.targets)

        error_and_slope = jax.jit(jax.value_and_grad(final_error))
        (above, _), (below, _) = error_and_slope(0.02 + 1e-5), error_and_slope(0.02 - 1e-5)
        np.testing.assert_allclose(error_and_slope(0.02)[1], (above - below) / 2e-5, rtol=1e-3)


def test_batch_of_all_rows_or_more_is_the_full_batch(dataset):
    full = train_line(KEY, 0.05, dataset, batch_size=None)
    for size in (ROWS, ROWS + 5):
        assert_same(full, train_line(KEY, 0.05, dataset, batch_size=size))
    drawn = train_line(KEY, 0.05, dataset, batch_size=ROWS + 5, sampling="replacement")
    assert not np.array_equal(full.state.params["kernel"], drawn.state.params["kernel"])


def test_epoch_shows_every_row_once_and_other_rows_are_left_out_each_time():
    rows = np.asarray(sampling.epoch(KEY, 0, 30, num_rows=ROWS, batch_size=BATCH)).reshape(10, -1)
    assert all(len(set(seen)) == ROWS // BATCH * BATCH for seen in rows.tolist())
    assert set(rows.ravel()) == set(range(ROWS))
    assert len({tuple(seen) for seen in rows.tolist()}) == 10


@pytest.mark.parametrize("order", sorted(sampling.ORDERS))
def test_order_depends_on_the_number_of_the_step_alone(order):
    whole = sampling.ORDERS[order](KEY, 0, 11, num_rows=ROWS, batch_size=BATCH)
    late = sampling.ORDERS[order](KEY, jnp.int32(5), 6, num_rows=ROWS, batch_size=BATCH)
    np.testing.assert_array_equal(whole[5:], late)


def test_sampling_may_be_a_function(dataset):
    def first_row(key, start, num_steps, *, num_rows, batch_size):
        return jnp.zeros((num_steps, batch_size), jnp.int32)

    run = train_line(KEY, 0.05, dataset, num_steps=300, sampling=first_row, batch_size=1)
    outputs = line(0.05).predict(run.state, dataset.train.inputs[:1])
    np.testing.assert_allclose(outputs[0, 0], dataset.train.targets[0], atol=1e-3)


@pytest.mark.parametrize("cuts", [(20,), (10, 10), (4, 16)])
@pytest.mark.parametrize(
    "evaluate_every", [4, *(pytest.param(one, marks=pytest.mark.release) for one in (None, 1))]
)
def test_lanes_cut_into_segments_are_the_lanes_in_one_piece(dataset, cuts, evaluate_every):
    def lanes(rates, num_steps, state):
        axes = train.Run(0, {}, 0, None)

        def one(rate, state):
            run = train_line(
                KEY, rate, dataset, num_steps=num_steps, evaluate_every=evaluate_every, state=state
            )
            return run._replace(history={})

        return jax.jit(jax.vmap(one, in_axes=(0, axes if state else None), out_axes=axes))(rates, state)

    rates = jnp.array([0.01, 0.05, 1e4])
    whole = jax.jit(jax.vmap(lambda rate: train_line(KEY, rate, dataset, num_steps=20)._replace(history={})))
    part = None
    for length in cuts:
        part = lanes(rates, length, part)
    assert_same(whole(rates).state, part.state)
    assert part.status.code.tolist() == [status.OK, status.OK, status.DIVERGED]


class Deep(nn.Module):
    """Batch statistics and dropout."""

    @nn.compact
    def __call__(self, x, train: bool = False):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(8, use_bias=False)(x))
        return nn.Dense(1)(nn.Dropout(0.3, deterministic=not train)(nn.relu(x)))


@pytest.mark.parametrize("cuts", [(5, 7), (1, 1, 10)])
def test_segments_of_batch_norm_dropout_and_a_schedule_are_the_whole(dataset, cuts, own_programs):
    rate = schedules.warmup_cosine(0.01, num_warmup=3, num_steps=12)
    deep = learner.gradient(Deep(), squared, optax.adam(rate))
    go = jax.jit(
        lambda num_steps, state: train.run(
            KEY, deep, dataset, num_steps=num_steps, batch_size=BATCH, state=state
        )._replace(history={}),
        static_argnums=0,
        compiler_options=own_programs,
    )
    part = None
    for length in cuts:
        part = go(length, part)
    assert_same(go(12, None), part)


def test_predict_in_batches_equals_predict(dataset):
    run = train_line(KEY, 0.05, dataset)
    at_once = line(0.05).predict(run.state, dataset.train.inputs)
    np.testing.assert_allclose(
        train.predict(line(0.05), run.state, dataset.train.inputs, batch_size=7), at_once, rtol=1e-6
    )


def test_inputs_may_be_a_pytree():
    bag = {"tokens": np.arange(12).reshape(6, 2) % 5, "length": np.full(6, 2)}
    seen = learner.Learner(
        lambda key, data: jnp.zeros(()),
        lambda key, state, batch: (state + batch.inputs["tokens"].sum(), {"loss": 0.0}),
        lambda state, inputs: inputs["length"],
    )
    run = train.run(KEY, seen, (bag, np.zeros(6, np.int32)), num_steps=3, batch_size=2)
    assert float(run.state) == bag["tokens"].sum()


def test_own_sampling_is_called_for_batches_of_all_rows(dataset):
    def backwards(key, start, num_steps, *, num_rows, batch_size):
        return jnp.tile(jnp.arange(num_rows)[::-1][None], (num_steps, 1))

    kept = learner.Learner(
        lambda key, data: data.targets[0], lambda key, state, batch: (batch.targets[0], {"loss": 0.0}), None
    )
    run = train.run(KEY, kept, dataset.replace(valid=None), num_steps=1, batch_size=ROWS, sampling=backwards)
    assert run.state == dataset.train.targets[-1]
