"""The training loop: against a NumPy loop, cut into segments, multiplied, differentiated, broken."""

import subprocess
import sys
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import learner, sampling, schedules, status, train
from jaxnets.check import InputError
from jaxnets.data import Dataset
from jaxnets.types import Batch

ROWS, FEATURES, BATCH = 20, 3, 6


def squared(outputs, targets):
    return ((outputs[:, 0] - targets) ** 2).mean()


@pytest.fixture(scope="module")
def dataset():
    draw = np.random.default_rng(0)
    inputs = draw.normal(size=(ROWS, FEATURES)).astype(np.float32)
    targets = (inputs @ np.array([1.0, -2.0, 0.5]) + 1).astype(np.float32)
    return Dataset(Batch(inputs, targets), valid=Batch(inputs[:7], targets[:7]))


def line(rate, momentum=0.9):
    return learner.gradient(nn.Dense(1), squared, optax.sgd(rate, momentum=momentum))


@partial(jax.jit, static_argnames=("num_steps", "sampling", "batch_size", "evaluate_every"))
def train_line(
    key, rate, dataset, num_steps=12, sampling="epoch", batch_size=BATCH, evaluate_every=None, state=None
):
    return train.run(
        key, line(rate), dataset, num_steps=num_steps, sampling=sampling, batch_size=batch_size,
        evaluate_every=evaluate_every, metrics=lambda o, t: {"mse": squared(o, t)}, state=state,
    )  # fmt: skip


KEY = jax.random.key(3)


def assert_same(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(a, b)


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
@pytest.mark.parametrize("cuts", [(4, 8), (8, 4), (4, 4, 4), (1, 11)])
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


@pytest.mark.parametrize("rate", [1e4, 1e30, 3e38, jnp.inf, jnp.nan])
def test_diverged_lane_is_frozen_and_spoils_nobody(dataset, rate):
    lanes = jax.jit(jax.vmap(train_line, (None, 0, None)))
    healthy = lanes(KEY, jnp.array([0.05, 0.02]), dataset)
    run = lanes(KEY, jnp.array([0.05, rate]), dataset)
    assert run.status.code.tolist() == [status.OK, status.DIVERGED]
    assert run.status.step[1] < 3
    first = partial(jax.tree.map, lambda leaf: leaf[0])
    assert_same(first(run), first(healthy))


@pytest.mark.parametrize("cuts", [(20,), (10, 10), (4, 16)])
@pytest.mark.parametrize("evaluate_every", [None, 4, 1])
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
def test_segments_of_batch_norm_dropout_and_a_schedule_are_the_whole(dataset, cuts):
    rate = schedules.warmup_cosine(0.01, num_warmup=3, num_steps=12)
    deep = learner.gradient(Deep(), squared, optax.adam(rate))
    go = jax.jit(
        lambda num_steps, state: train.run(
            KEY, deep, dataset, num_steps=num_steps, batch_size=BATCH, state=state
        )._replace(history={}),
        static_argnums=0,
    )
    part = None
    for length in cuts:
        part = go(length, part)
    assert_same(go(12, None), part)


@pytest.mark.parametrize(
    "targets",
    [np.arange(50) * 2000, np.r_[np.full(49, 1.0), 1e5].astype(np.float32)],
    ids=["integers", "outlier"],
)
def test_large_targets_are_no_divergence(targets):
    rows = (np.ones((50, 1), np.float32), targets)
    still = learner.gradient(nn.Dense(1), squared, optax.sgd(1e-9))
    run = train.run(KEY, still, rows, num_steps=100, batch_size=1, sampling="sequential")
    assert int(run.status.code) == status.OK


def test_diverged_run_keeps_its_last_good_state_when_continued(dataset):
    run = train_line(KEY, 50.0, dataset)
    assert int(run.status.code) == status.DIVERGED
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(run.state))
    more = train_line(KEY, 50.0, dataset, evaluate_every=4, state=run)
    assert_same((run.state, run.status), (more.state, more.status))
    assert int(more.step) == 24
    assert jnp.isnan(more.history["loss"]).all()


def test_last_update_that_leaves_no_finite_state_is_seen(dataset):
    run = train_line(KEY, jnp.inf, dataset, num_steps=1)
    assert int(run.status.code) == status.DIVERGED


def test_converged_run_ends_there(dataset):
    def halve(key, state, batch):
        return state / 2, {"loss": state, "converged": state < 0.1}

    halving = learner.Learner(lambda key, data: jnp.float32(1), halve, lambda state, inputs: inputs * state)
    run = train.run(KEY, halving, dataset, num_steps=40, evaluate_every=4)
    assert status.NAMES[int(run.status.code)] == "converged"
    assert (int(run.status.step), float(run.state)) == (5, 2.0**-5)
    assert set(run.history) == {"step", "loss"}
    assert np.isnan(run.history["loss"]).tolist() == [False, False] + [True] * 8


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


GOOD = {"num_steps": 2}
BAD = [
    ({"inputs": [[np.nan]] * ROWS}, "train inputs: 20 of 20 values are NaN or infinite, the first in row 0"),
    ({"targets": [0.0] * 3}, "train: 20 inputs and 3 targets"),
    ({"inputs": [], "targets": []}, "train: no rows"),
    ({"targets": [7] * ROWS, "num_classes": 3}, "train targets: label 7, allowed are 0 to 2"),
    ({"targets": [-1] * ROWS, "num_classes": 3}, "train targets: label -1, allowed are 0 to 2"),
    ({"targets": [0.5] * ROWS, "num_classes": 3}, "allowed are integers"),
    ({"inputs": ["no numbers"] * ROWS}, "arrays, allowed are real numbers: encode them first"),
    ({"num_steps": -1}, "num_steps = -1, allowed are 0, 1, 2"),
    ({"batch_size": 0}, "batch_size = 0, allowed are 1, 2, 3, ..."),
    ({"evaluate_every": 0}, "evaluate_every = 0"),
    ({"sampling": "epochs"}, "unknown sampling 'epochs': did you mean 'epoch'"),
]


@pytest.mark.parametrize(("change", "message"), BAD, ids=[message[:30] for _, message in BAD])
def test_bad_input_is_refused_in_one_line(dataset, change, message):
    fields = {"inputs": dataset.train.inputs, "targets": dataset.train.targets, "num_classes": None} | change
    rows = Batch(np.asarray(fields.pop("inputs")), np.asarray(fields.pop("targets")))
    bad = Dataset(rows, num_classes=fields.pop("num_classes"))
    with pytest.raises(InputError) as refusal:
        train.run(KEY, line(0.1), bad, **(GOOD | fields))
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_wrong_types_are_refused_where_no_type_checker_runs():
    program = """
import jax, numpy as np, optax, flax.linen as nn
from jaxnets import learner, losses, train
line = learner.gradient(nn.Dense(1), losses.squared_error, optax.sgd(0.1))
for wrong in ({"num_steps": 2.5}, {"num_steps": True}, {"batch_size": 1.0}, {"state": {"params": 1}}):
    try:
        train.run(jax.random.key(0), line, (np.ones((4, 1)), np.ones((4, 1))), **{"num_steps": 1} | wrong)
    except ValueError as error:
        print(error)
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert found.splitlines() == [
        "num_steps = 2.5, allowed are 0, 1, 2, ...",
        "num_steps = True, allowed are 0, 1, 2, ...",
        "batch_size = 1.0, allowed are 1, 2, 3, ...",
        "state: dict, allowed is the Run to continue, which knows its step",
    ]


def test_validation_rows_of_another_shape_are_refused(dataset):
    other = dataset.replace(valid=Batch(np.zeros((4, FEATURES + 1), np.float32), np.zeros(4, np.float32)))
    with pytest.raises(InputError, match=r"valid: inputs of shape \[\(4,\)\] a row, allowed is \[\(3,\)\]"):
        train.run(KEY, line(0.1), other, num_steps=1)


def test_own_sampling_is_called_for_batches_of_all_rows(dataset):
    def backwards(key, start, num_steps, *, num_rows, batch_size):
        return jnp.tile(jnp.arange(num_rows)[::-1][None], (num_steps, 1))

    kept = learner.Learner(
        lambda key, data: data.targets[0], lambda key, state, batch: (batch.targets[0], {"loss": 0.0}), None
    )
    run = train.run(KEY, kept, dataset.replace(valid=None), num_steps=1, batch_size=ROWS, sampling=backwards)
    assert run.state == dataset.train.targets[-1]


def test_step_without_a_loss_is_refused(dataset):
    silent = learner.Learner(
        lambda key, data: jnp.zeros(()), lambda key, state, batch: (state, {"error": 0.0}), None
    )
    with pytest.raises(InputError, match="'loss' is needed"):
        train.run(KEY, silent, dataset, num_steps=1)
