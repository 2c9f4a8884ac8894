"""Rules for the learning rate: optax's own, running means, rows that stay, and hyperparameters under vmap."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import check, optimizers

PARAMS = {"rows": np.ones((3, 2), np.float32), "bias": np.zeros(2, np.float32)}
RULES = {
    "adagrad": (optimizers.adagrad(0.3), optax.adagrad(0.3)),
    "adagrad from 0": (
        optimizers.adagrad(0.3, initial_accumulator=0.0, epsilon=0.0),
        optax.adagrad(0.3, initial_accumulator_value=0.0, eps=0.0),
    ),
    "rmsprop": (optimizers.rmsprop(0.1, decay=0.8), optax.rmsprop(0.1, decay=0.8)),
    "adadelta": (optimizers.adadelta(0.5), optax.adadelta(0.5, rho=0.95)),
    "adam": (optimizers.adam(0.1, b1=0.8, b2=0.9), optax.adam(0.1, b1=0.8, b2=0.9)),
}


def gradients(num_steps=8):
    """Gradients of very different sizes, some rows and coordinates not seen."""
    draws = np.random.default_rng(0).normal(size=(num_steps, 4, 2)).astype(np.float32)
    draws[:, 1] *= 1e-4
    draws[::2, 0], draws[:, 2, 1] = 0, 0
    return {"rows": draws[:, :3], "bias": 1e3 * draws[:, 3]}


def path(rule, params, grads):
    """Parameters after each step."""

    def step(carry, gradient):
        params, state = carry
        updates, state = rule.update(gradient, state, params)
        params = optax.apply_updates(params, updates)
        return (params, state), params

    params = jax.tree.map(jnp.asarray, params)
    return jax.lax.scan(step, (params, rule.init(params)), grads)[1]


@pytest.mark.parametrize(("ours", "theirs"), RULES.values(), ids=RULES)
def test_rules_are_those_of_optax(ours, theirs):
    found, expected = (path(rule, PARAMS, gradients()) for rule in (ours, theirs))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7), found, expected)
    assert not np.allclose(found["rows"][-1, 1], PARAMS["rows"][1])  # small gradients do move


@pytest.mark.parametrize("seen", [optimizers.coordinates, optimizers.rows])
def test_inverse_count_is_the_running_mean_of_each_row(seen):
    """Rows are seen at different times, the last never."""
    random = np.random.default_rng(1)
    samples, row = random.normal(size=(40, 2)), random.integers(0, 3, 40)
    rule, start = optimizers.inverse_count(seen=seen), np.full((4, 2), 7.0)

    def step(carry, example):
        (w, state), (i, x) = carry, example
        updates, state = rule.update(jnp.zeros_like(w).at[i].set(w[i] - x), state, w)
        return (w + updates, state), None

    with jax.enable_x64(True):
        w = jnp.asarray(start)
        (w, state), _ = jax.lax.scan(step, (w, rule.init(w)), (row, samples))
    for i in range(3):
        np.testing.assert_allclose(w[i], samples[row == i].mean(axis=0), rtol=1e-13)
    np.testing.assert_array_equal(w[3], start[3])
    np.testing.assert_array_equal(state[0].counts[:, 0], [*np.bincount(row), 0])
    assert state[0].counts.shape == ((4, 2) if seen is optimizers.coordinates else (4, 1))


def test_a_mask_counts_rows_that_stand_at_their_minimum():
    """The second 3 has no gradient; uncounted, the mean of 3, 3, 6 would come out as 4.5."""
    rule, w = optimizers.inverse_count(), jnp.zeros((2, 1))
    state = rule.init(w)
    for x in (3.0, 3.0, 6.0):
        grads = jnp.array([[w[0, 0] - x], [0.0]])
        updates, state = rule.update(grads, state, w, present=jnp.array([[True], [False]]))
        w = w + updates
    np.testing.assert_allclose(w, [[4.0], [0.0]], rtol=1e-6)


def test_rows_that_come_more_than_once_count_as_often():
    """Batches of four rows of three, with summed gradients: the mean of all, not that of the batches."""
    random = np.random.default_rng(2)
    samples, row = random.normal(size=(30, 4, 2)), random.integers(0, 3, (30, 4))
    rule = optimizers.inverse_count()

    def step(carry, examples):
        (w, state), (i, x) = carry, examples
        grads = jnp.zeros_like(w).at[i].add(w[i] - x)
        updates, state = rule.update(grads, state, w, present=jnp.bincount(i, length=3)[:, None])
        return (w + updates, state), None

    with jax.enable_x64(True):
        w = jnp.full((3, 2), 7.0)
        w = jax.lax.scan(step, (w, rule.init(w)), (row, samples))[0][0]
    for i in range(3):
        np.testing.assert_allclose(w[i], samples[row == i].mean(axis=0), rtol=1e-13)


def test_nothing_seen_is_nothing_moved():
    """No count, no square, no NaN."""
    grads = jax.tree.map(jnp.zeros_like, gradients(3))
    rules = [ours for ours, _ in RULES.values()] + [optimizers.inverse_count(seen=optimizers.rows)]
    for rule in rules:
        end = jax.tree.map(lambda values: values[-1], path(rule, PARAMS, grads))
        jax.tree.map(np.testing.assert_array_equal, end, PARAMS)


def test_only_seen_rows_move_and_remember():
    """Each row's path is the one it would take alone, with the steps of all."""
    grads = {"rows": np.zeros((6, 3, 2), np.float32)}
    row = [0, 1, 0, 0, 1, 1]
    grads["rows"][np.arange(6), row] = gradients(6)["bias"]
    params = {"rows": PARAMS["rows"]}
    lazy = optimizers.only_seen(optimizers.rmsprop(0.1))
    found = path(lazy, params, grads)["rows"]
    for i in (0, 1):
        alone = path(optimizers.rmsprop(0.1), params["rows"][i], grads["rows"][np.equal(row, i), i])
        np.testing.assert_allclose(found[np.equal(row, i), i], alone, rtol=1e-6)
        assert len(np.unique(found[:, i], axis=0)) == 3 + (i == 1)  # the start, and three steps
    moved = path(optimizers.adam(0.1), params, grads)["rows"]
    still = path(optimizers.only_seen(optimizers.adam(0.1)), params, grads)["rows"]
    assert not np.allclose(moved[1, 0], moved[0, 0])
    np.testing.assert_array_equal(still[1, 0], still[0, 0])


def test_hyperparameters_can_be_mapped_over():
    grads = gradients()["bias"]

    def end(rate, decay):
        rules = (
            optimizers.adagrad(rate, initial_accumulator=decay),
            optimizers.rmsprop(rate, decay=decay),
            optimizers.adadelta(rate, decay=decay),
            optimizers.adam(rate, b1=decay),
            optimizers.inverse_count(rate),
        )
        return [path(rule, PARAMS["bias"], grads)[-1] for rule in rules]

    rates, decays = np.float32([0.1, 0.5]), np.float32([0.5, 0.9])
    lanes = jax.jit(jax.vmap(end))(rates, decays)
    for lane in (0, 1):
        alone = end(float(rates[lane]), float(decays[lane]))
        for found, expected in zip(lanes, alone, strict=True):
            np.testing.assert_allclose(found[lane], expected, rtol=1e-5)


def test_values_out_of_range_are_refused():
    for rule, wrong in (
        (optimizers.adagrad, {"learning_rate": -0.1}),
        (optimizers.adam, {"learning_rate": 0.1, "b2": 1.0}),
        (optimizers.inverse_count, {"learning_rate": float("nan")}),
        (optimizers.adagrad, {"learning_rate": 0.1, "epsilon": -1e-8}),
        (optimizers.rmsprop, {"learning_rate": 0.1, "epsilon": 0.0}),
        (optimizers.adadelta, {"learning_rate": 0.1, "epsilon": 0.0}),
        (optimizers.adam, {"learning_rate": 0.1, "epsilon": float("nan")}),
    ):
        with pytest.raises(check.InputError, match=f"{[*wrong][-1]} = .*, allowed is"):
            rule(**wrong)
