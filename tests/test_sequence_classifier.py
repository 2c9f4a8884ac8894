"""Classifiers of sentences: a bag by hand, the order of words, and rows that stand for themselves."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxnets.layers import recurrent
from jaxnets.models import SequenceClassifier

ROWS = {"tokens": jnp.array([[2, 3, 4, 5], [6, 3, 0, 0], [5, 4, 3, 2]]), "lengths": jnp.array([4, 2, 4])}
KEYS = {"dropout": jax.random.key(1)}


def built(**options):
    model = SequenceClassifier(num_tokens=7, embedding_size=3, num_units=5, **options)
    return model, model.init(jax.random.key(0), ROWS)


def test_bag_is_a_linear_function_of_the_mean_embedding():
    model, variables = built()
    table, layer = (jax.device_get(variables["params"][name]) for name in ("Embed_0", "Dense_0"))
    words = [[2, 3, 4, 5], [6, 3], [5, 4, 3, 2]]
    means = np.array([table["embedding"][row].mean(axis=0) for row in words])
    np.testing.assert_allclose(
        model.apply(variables, ROWS), means @ layer["kernel"] + layer["bias"], rtol=1e-5
    )


def test_bag_knows_no_order_and_a_recurrent_layer_does():
    for cell in (None, recurrent.gru):
        model, variables = built(cell=cell)
        first, _, backwards = model.apply(variables, ROWS)
        assert np.allclose(first, backwards, atol=1e-6) == (cell is None)


@pytest.mark.parametrize("pool", [recurrent.last, recurrent.mean, recurrent.largest])
def test_padding_never_changes_the_answer(pool):
    model, variables = built(cell=recurrent.gru, bidirectional=True, pool=pool)
    padded = {"tokens": jnp.pad(ROWS["tokens"], ((0, 0), (0, 3))), "lengths": ROWS["lengths"]}
    other = padded | {"tokens": padded["tokens"].at[1, 2:].set(6)}
    expected = model.apply(variables, ROWS)
    for rows in (padded, other):
        np.testing.assert_allclose(model.apply(variables, rows), expected, atol=1e-6)


def test_dropped_words_are_dropped_whole():
    """Without any word only the bias is left; a rate of 0 is evaluation."""
    model, variables = built(word_dropout=1.0)
    bias = np.broadcast_to(variables["params"]["Dense_0"]["bias"] + 0, (3, 2))
    np.testing.assert_array_equal(model.apply(variables, ROWS, train=True, rngs=KEYS), bias)
    plain, _ = built()
    np.testing.assert_array_equal(
        plain.apply(variables, ROWS, train=True, rngs=KEYS), model.apply(variables, ROWS)
    )
