"""Schedules against optax's and against their formulas, with every argument traced."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxnets import schedules
from jaxnets.check import InputError

STEPS = np.arange(0, 60)
CASES = [
    (schedules.constant, {"rate": 0.3}, lambda step: 0.3 + 0 * step),
    (
        schedules.exponential_decay,
        {"rate": 0.3, "factor": 0.7, "every": 10},
        optax.exponential_decay(0.3, 10, 0.7),
    ),
    (
        schedules.step_decay,
        {"rate": 0.3, "factor": 0.7, "every": 10},
        optax.exponential_decay(0.3, 10, 0.7, staircase=True),
    ),
    (
        schedules.inverse_time,
        {"rate": 0.3, "every": 10, "power": 0.6},
        lambda step: 0.3 / (1 + step / 10) ** 0.6,
    ),
    (
        schedules.polynomial_decay,
        {"rate": 0.3, "num_steps": 50, "end": 0.01, "power": 2.0},
        optax.polynomial_schedule(0.3, 0.01, 2.0, 50),
    ),
    (
        schedules.cosine_decay,
        {"rate": 0.3, "num_steps": 50, "end": 0.03},
        optax.cosine_decay_schedule(0.3, 50, alpha=0.1),
    ),
    (
        schedules.warmup_cosine,
        {"rate": 0.3, "num_warmup": 10, "num_steps": 50, "start": 0.01, "end": 0.03},
        optax.warmup_cosine_decay_schedule(0.01, 0.3, 10, 50, 0.03),
    ),
    (
        schedules.warmup_cosine,
        {"rate": 0.3, "num_warmup": 0, "num_steps": 50},
        optax.warmup_cosine_decay_schedule(0.3, 0.3, 0, 50),
    ),
]
IDS = [f"{case[0].__name__}-{i}" for i, case in enumerate(CASES)]


@pytest.mark.parametrize(("factory", "arguments", "expected"), CASES, ids=IDS)
def test_equals_the_reference_with_concrete_and_traced_arguments(factory, arguments, expected):
    reference = jax.vmap(expected)(STEPS)
    concrete = factory(**arguments)
    rates = [concrete(step) for step in STEPS[::7].tolist()]
    np.testing.assert_allclose(rates, reference[::7], rtol=1e-5, atol=1e-8)
    swept = jax.tree.map(
        lambda value: jnp.array([value, 1.5 * value]).astype(jnp.asarray(value).dtype), arguments
    )
    rates = jax.jit(jax.vmap(lambda a: jax.vmap(factory(**a))(STEPS)))(swept)
    np.testing.assert_allclose(rates[0], reference, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize(("factory", "arguments"), [case[:2] for case in CASES], ids=IDS)
def test_gradients_are_finite(factory, arguments):
    rates = {name: float(value) for name, value in arguments.items()}
    for step in (0, 10, 50, 59):
        gradients = jax.grad(lambda a, step=step: factory(**a)(step).astype(float))(rates)
        assert all(map(np.isfinite, gradients.values())), (step, gradients)


@pytest.mark.parametrize("step", [5, 10, 12])
def test_polynomial_of_a_root_has_gradients_to_the_end_and_after(step):
    def rate(num_steps, power):
        return schedules.polynomial_decay(0.1, num_steps=num_steps, power=power)(step)

    gradients = jax.grad(rate, argnums=(0, 1))(10.0, 0.5)
    left = max(1 - step / 10, 0)
    expected = (0.05 * left**-0.5 * step / 100, 0.1 * left**0.5 * np.log(left)) if left else (0, 0)
    np.testing.assert_allclose(gradients, expected, rtol=1e-5)


def test_warmup_of_all_steps_is_finite():
    @jax.jit
    def rates(num_warmup):
        return jax.vmap(schedules.warmup_cosine(0.1, num_warmup=num_warmup, num_steps=10))(jnp.arange(12))

    np.testing.assert_allclose(rates(10), [*(0.01 * np.arange(11)), 0], rtol=1e-5, atol=1e-8)


def test_traced_arguments_drive_an_optimizer():
    @jax.jit
    def minimise(rate, every):
        optimizer = optax.sgd(schedules.inverse_time(rate, every=every))
        x, memory = jnp.array(1.0), optimizer.init(jnp.array(1.0))
        for _ in range(3):
            updates, memory = optimizer.update(2 * x, memory)
            x = x + updates
        return x

    expected = (1 - 0.2) * (1 - 0.2 / 1.5) * (1 - 0.2 / 2)
    np.testing.assert_allclose(minimise(0.1, 2), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "call",
    [
        lambda: schedules.exponential_decay(0.1, factor=0.0, every=1),
        lambda: schedules.step_decay(0.1, factor=0.5, every=0),
        lambda: schedules.cosine_decay(0.1, num_steps=-1),
        lambda: schedules.warmup_cosine(0.1, num_warmup=5, num_steps=5),
    ],
)
def test_refused(call):
    with pytest.raises(InputError):
        call()
