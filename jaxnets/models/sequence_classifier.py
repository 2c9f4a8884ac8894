"""Classifiers of sentences: embedded words, a recurrent layer or none, one vector a sentence, logits."""

from __future__ import annotations

from collections.abc import Callable

import flax.linen as nn
import jax.numpy as jnp

from jaxnets.layers import Dropout, recurrent
from jaxnets.types import Array, Float, Inputs, Scalar


class SequenceClassifier(nn.Module):
    """``logits = W pool(states(embedding(words))) + b``; what pads a row never changes its logits.

    Inputs are ``{"tokens": [n, t], "lengths": [n]}``, as :func:`jaxnets.data.text.tokens` makes them.

    Attributes:
        num_tokens: numbers that a word may have.
        num_classes: number of logits.
        embedding_size: numbers for each word.
        cell: of the recurrent layer; None makes a bag of embeddings, which knows no order.
        num_units: size of the recurrent state.
        bidirectional: whether sentences are read backwards, too.
        pool: from states ``[n, t, h]`` and lengths to one vector a row.
        word_dropout: share of words left out while training, in ``[0, 1]``; may be traced.
        embedding_dropout: share of the embeddings' numbers left out while training; may be traced.
        dropout: share of the pooled units left out while training; may be traced.

    >>> import jax
    >>> rows = {"tokens": jnp.array([[2, 3, 0], [4, 0, 0]]), "lengths": jnp.array([2, 1])}
    >>> model = SequenceClassifier(num_tokens=5, cell=recurrent.gru)
    >>> model.init_with_output(jax.random.key(0), rows)[0].shape
    (2, 2)

    Reference: Iyyer et al. 2015, Deep unordered composition rivals syntactic methods (word dropout, the bag).
    """

    num_tokens: int
    num_classes: int = 2
    embedding_size: int = 50
    cell: Callable[..., nn.RNNCellBase] | None = None
    num_units: int = 32
    bidirectional: bool = False
    pool: Callable = recurrent.mean
    word_dropout: Scalar = 0.0
    embedding_dropout: Scalar = 0.0
    dropout: Scalar = 0.0

    @nn.compact
    def __call__(self, rows: Inputs, train: bool = False) -> Float[Array, "n k"]:
        """Logits of sentences."""
        tokens, lengths = rows["tokens"], rows["lengths"]
        x = nn.Embed(self.num_tokens, self.embedding_size, embedding_init=nn.initializers.normal(0.1))(tokens)
        x = x * Dropout(self.word_dropout)(jnp.ones(tokens.shape, x.dtype), train)[:, :, None]
        x = Dropout(self.embedding_dropout)(x, train)
        if self.cell is not None:
            x = recurrent.Recurrent(self.num_units, self.cell, self.bidirectional)(x, lengths)
        return nn.Dense(self.num_classes)(Dropout(self.dropout)(self.pool(x, lengths), train))
