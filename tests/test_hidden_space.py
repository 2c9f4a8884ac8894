"""Hidden space: the picture's line parts the rows as the network does, with two units and with more."""

from types import SimpleNamespace

import jax
import numpy as np
import pytest

from experiments import hidden_space
from jaxnets import train
from jaxnets.metrics import accuracy
from jaxnets.types import Batch


def fitted(settings, rows):
    model = hidden_space.learner(hidden_space.Hparams(), settings)
    state = jax.jit(
        lambda rows: train.run(jax.random.key(1), model, rows, num_steps=settings.num_steps, batch_size=50)
    )(rows).state
    return model.predict(state, rows.inputs)


@pytest.mark.parametrize(
    ("curve", "activation"), [("parabola", "tanh"), ("hyperbola", "square"), ("hyperbola", "tanh")]
)
def test_two_units_learn_what_they_can(curve, activation):
    """Two lines cannot follow both branches of the hyperbola."""
    settings = hidden_space.Settings(curve, 2, activation)
    rows = hidden_space.data(settings).train
    right = float(accuracy(fitted(settings, rows), rows.targets))
    assert 0.9 < right < 0.985 if (curve, activation) == ("hyperbola", "tanh") else right > 0.97


@pytest.mark.parametrize("width", [2, 4])
def test_the_line_of_the_picture_is_the_decision_of_the_network(width):
    settings = hidden_space.Settings(num_hidden=width)
    rows = jax.tree.map(lambda leaf: leaf[:60], hidden_space.data(settings).train)
    model = hidden_space.learner(hidden_space.Hparams(), settings)
    state = model.init(jax.random.key(1), rows)
    guesses = np.asarray(model.predict(state, rows.inputs).argmax(1))
    assert 0 < guesses.mean() < 1
    hidden, output = (jax.tree.map(np.asarray, state.params[f"Dense_{layer}"]) for layer in (0, 1))
    result = SimpleNamespace(name="row", settings=settings)
    axes = hidden_space._hidden_space(result, Batch(rows.inputs, guesses), hidden, output).axes[0]
    (line,) = axes.lines
    start, end = line.get_xydata()
    across = np.array([[0, -1], [1, 0]]) @ (end - start)
    sides = [np.sign((part.get_offsets() - start) @ across) for part in axes.collections]
    assert [len(np.unique(side)) for side in sides] == [1, 1]
    assert sides[0][0] == -sides[1][0]
    assert sum(map(len, sides)) == 60
