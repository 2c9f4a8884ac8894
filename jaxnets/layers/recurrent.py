"""Recurrent layers over sequences of different lengths, and what is kept of their states.

The cells are flax's, whose scan is the fastest of those measured; the mask for lengths is added here.
"""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from jaxnets.types import Array, Bool, Float, Int

vanilla, lstm, gru = nn.SimpleCell, nn.OptimizedLSTMCell, nn.GRUCell
States = Float[Array, "n t h"]
Lengths = Int[Array, " n"]


class Recurrent(nn.Module):
    """The states of a recurrent layer after every word; 0 beyond each row's length.

    Attributes:
        num_units: size of the state, of each direction.
        cell: ``vanilla``: ``h' = tanh(W x + U h + b)``; ``lstm``, ``gru``: with gates; any of flax's cells.
        bidirectional: whether rows are read backwards too, from their own end, and the states joined.

    >>> import jax
    >>> x = jnp.ones((2, 5, 3))
    >>> states, _ = Recurrent(4, cell=lstm).init_with_output(jax.random.key(0), x, jnp.array([5, 2]))
    >>> states.shape, (states[1] != 0).any(axis=1).tolist()
    ((2, 5, 4), [True, True, False, False, False])

    Reference: Elman 1990; Hochreiter & Schmidhuber 1997; Cho et al. 2014; Schuster & Paliwal 1997.
    """

    num_units: int
    cell: Callable[..., nn.RNNCellBase] = gru
    bidirectional: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "n t d"], lengths: Lengths) -> States:
        """States of rows whose words at ``lengths`` and beyond are padding."""
        x, lengths = jnp.asarray(x), jnp.asarray(lengths)
        directions = []
        for reverse in (False, True)[: 1 + self.bidirectional]:
            cell = self.cell(self.num_units, param_dtype=x.dtype)
            directions.append(nn.RNN(cell, reverse=reverse, keep_order=True)(x, seq_lengths=lengths))
        return jnp.where(_inside(x, lengths), jnp.concatenate(directions, axis=2), 0)


def last(states: States, lengths: Lengths) -> Float[Array, "n h"]:
    """The state after the last word: of both directions' states, use :func:`mean` or :func:`largest`.

    >>> last(jnp.array([[[1.0], [3.0], [0.0]]]), jnp.array([2])).tolist()
    [[3.0]]
    """
    return jnp.take_along_axis(states, jnp.maximum(lengths - 1, 0)[:, None, None], axis=1)[:, 0]


def mean(states: States, lengths: Lengths) -> Float[Array, "n h"]:
    """The mean over the words of a row; 0 for a row without words.

    >>> mean(jnp.array([[[1.0], [3.0], [7.0]]]), jnp.array([2])).tolist()
    [[2.0]]
    """
    total = jnp.where(_inside(states, lengths), states, 0).sum(axis=1)
    return total / jnp.maximum(lengths, 1)[:, None]


def scaled_sum(states: States, lengths: Lengths) -> Float[Array, "n h"]:
    """The sum over the words of a row, by the root of their number: of one size for short and long rows.

    >>> scaled_sum(jnp.array([[[1.0], [3.0], [5.0], [7.0]]]), jnp.array([4])).tolist()
    [[8.0]]
    """
    return mean(states, lengths) * jnp.sqrt(1.0 * lengths)[:, None]


def largest(states: States, lengths: Lengths) -> Float[Array, "n h"]:
    """The largest value of each unit over the words of a row; 0 for a row without words.

    >>> largest(jnp.array([[[1.0], [3.0], [7.0]]]), jnp.array([2])).tolist()
    [[3.0]]
    """
    inside = _inside(states, lengths)
    return jnp.where(inside.any(axis=1), jnp.where(inside, states, -jnp.inf).max(axis=1), 0)


def _inside(x: Float[Array, "n t d"], lengths: Lengths) -> Bool[Array, "n t 1"]:
    """Which time steps hold words."""
    return (jnp.arange(x.shape[1])[None, :] < jnp.asarray(lengths)[:, None])[:, :, None]
