"""How runs end: diverged, converged, or refused before they begin."""

import subprocess
import sys
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from straight_line import FEATURES, KEY, ROWS, assert_same, line, make_dataset, squared, train_line

from jaxnets import learner, status, train
from jaxnets.check import InputError
from jaxnets.data import Dataset
from jaxnets.types import Batch


@pytest.fixture(scope="module")
def dataset():
    return make_dataset()


@pytest.mark.parametrize("rate", [1e4, 1e30, 3e38, jnp.inf, jnp.nan])
def test_diverged_lane_is_frozen_and_spoils_nobody(dataset, rate):
    lanes = jax.jit(jax.vmap(train_line, (None, 0, None)))
    healthy = lanes(KEY, jnp.array([0.05, 0.02]), dataset)
    run = lanes(KEY, jnp.array([0.05, rate]), dataset)
    assert run.status.code.tolist() == [status.OK, status.DIVERGED]
    assert run.status.step[1] < 3
    first = partial(jax.tree.map, lambda leaf: leaf[0])
    assert_same(first(run), first(healthy))


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


def test_step_without_a_loss_is_refused(dataset):
    silent = learner.Learner(
        lambda key, data: jnp.zeros(()), lambda key, state, batch: (state, {"error": 0.0}), None
    )
    with pytest.raises(InputError, match="'loss' is needed"):
        train.run(KEY, silent, dataset, num_steps=1)
