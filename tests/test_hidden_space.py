"""Hidden space: the picture's line parts the rows as the network does, with two units and with more."""

import jax
import numpy as np
import pytest

from experiments import hidden_space
from jaxnets.types import Batch


@pytest.mark.parametrize("width", [2, 4])
def test_the_line_of_the_picture_is_the_decision_of_the_network(width):
    settings = hidden_space.Settings(num_hidden=width)
    rows = jax.tree.map(lambda leaf: leaf[:60], hidden_space.data(settings).train)
    model = hidden_space.learner(hidden_space.Hparams(), settings)
    state = model.init(jax.random.key(1), rows)
    guesses = np.asarray(model.predict(state, rows.inputs).argmax(1))
    assert 0 < guesses.mean() < 1
    hidden, output = (jax.tree.map(np.asarray, state.params[f"Dense_{layer}"]) for layer in (0, 1))
    axes = hidden_space._hidden_space("row", Batch(rows.inputs, guesses), hidden, output).axes[0]
    (line,) = axes.lines
    start, end = line.get_xydata()
    across = np.array([[0, -1], [1, 0]]) @ (end - start)
    sides = [np.sign((part.get_offsets() - start) @ across) for part in axes.collections]
    assert [len(np.unique(side)) for side in sides] == [1, 1]
    assert sides[0][0] == -sides[1][0]
    assert sum(map(len, sides)) == 60
