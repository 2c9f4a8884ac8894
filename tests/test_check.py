"""One line for every value that cannot be used."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets import check


@pytest.mark.parametrize(
    ("value", "allowed", "fits"),
    [
        (0.0, check.NON_NEGATIVE, True),
        (-1e-9, check.NON_NEGATIVE, False),
        (np.inf, check.NON_NEGATIVE, False),
        (np.nan, check.NON_NEGATIVE, False),
        (0.0, check.POSITIVE, False),
        (1.0, check.FRACTION, False),
        (0.999, check.FRACTION, True),
        (jnp.array([0.1, -0.1]), check.NON_NEGATIVE, False),
    ],
)
def test_interval(value, allowed, fits):
    if fits:
        check.interval("rate", value, allowed)
    else:
        with pytest.raises(check.InputError, match=r"^rate = .*, allowed is [\[(]0, (inf|1)\)$"):
            check.interval("rate", value, allowed)


def test_traced_values_pass():
    assert jax.jit(lambda rate: (check.interval("rate", rate, check.POSITIVE), rate)[1])(-1.0) == -1.0


def test_choice_names_the_nearest():
    with pytest.raises(check.InputError, match="did you mean 'mnist' or 'mnist5k'"):
        check.choice("data set", "mnst", ["iris", "mnist", "mnist5k"])
    check.choice("data set", "iris", ["iris"])
