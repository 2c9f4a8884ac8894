"""Ragged ratings in blocks of one width, so that sums over each user's ratings are matrix products.

One user rated twenty items, another seven hundred. Each user's ratings are cut into blocks of ``WIDTH``,
the last filled up with zeros; a block belongs to one user.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxnets.types import Array, Batch, Float, Int

WIDTH = 16
"""Ratings a block: narrow enough to waste little, wide enough for the products to be fast."""


class Blocks(NamedTuple):
    """Ratings by owner (a user, or an item); see :func:`blocks`.

    Attributes:
        owner: of each block, in ascending order.
        other: who stands at the other end of each rating; 0 where a block is filled up.
        value: the ratings; 0 where filled up.
        there: 1 where there is a rating, 0 where filled up.
    """

    owner: Int[Array, " b"]
    other: Int[Array, "b w"]
    value: Float[Array, "b w"]
    there: Float[Array, "b w"]


@partial(jax.jit, static_argnames=("by", "num_owners"))
def blocks(ratings: Batch, *, by: int, num_owners: int) -> Blocks:
    """Ratings of (user, item) pairs, cut into blocks; the number of blocks hangs on sizes alone.

    Args:
        by: the column of ``ratings.inputs`` that owns: 0 for users, 1 for items.
        num_owners: owners there are, with or without ratings.

    >>> ratings = Batch(jnp.array([[1, 0], [0, 2], [1, 2]]), jnp.array([5.0, 3.0, 4.0]))
    >>> cut = blocks(ratings, by=0, num_owners=2)
    >>> cut.owner.tolist(), cut.other[1, :3].tolist(), cut.value[1, :3].tolist()
    ([0, 1], [0, 2, 0], [5.0, 4.0, 0.0])
    """
    order = jnp.argsort(ratings.inputs[:, by])
    pairs, values = ratings.inputs[order], ratings.targets[order]
    owner, other = pairs[:, by], pairs[:, 1 - by]
    counts = jnp.bincount(owner, length=num_owners)
    blocks_each = -(-counts // WIDTH)
    rank = jnp.arange(len(owner)) - (jnp.cumsum(counts) - counts)[owner]
    place = (jnp.cumsum(blocks_each) - blocks_each)[owner] + rank // WIDTH, rank % WIDTH
    num_blocks = len(owner) // WIDTH + num_owners  # at least the sum of the counts' quotients, rounded up
    zeros = jnp.zeros((num_blocks, WIDTH))
    return Blocks(
        jnp.full(num_blocks, num_owners - 1, owner.dtype).at[place[0]].set(owner),
        zeros.astype(other.dtype).at[place].set(other),
        zeros.at[place].set(values),
        zeros.at[place].set(1.0),
    )


@partial(jax.jit, static_argnames="num_owners")
def gram(factors: Float[Array, "m k"], cut: Blocks, *, num_owners: int) -> Float[Array, "n k+1 k+1"]:
    """``sum_j (v_j, r_j) (v_j, r_j)'`` over each owner's ratings: all that its conditional depends on.

    >>> cut = blocks(Batch(jnp.array([[0, 0], [0, 1]]), jnp.array([5.0, 3.0])), by=0, num_owners=1)
    >>> gram(jnp.array([[1.0], [2.0]]), cut, num_owners=1)[0].tolist()
    [[5.0, 11.0], [11.0, 34.0]]
    """
    rated = jnp.concatenate([factors[cut.other] * cut.there[..., None], cut.value[..., None]], axis=-1)
    # Ratings last: the batched product of rows is twice as fast on a CPU, if XLA is kept from turning them.
    rows = jax.lax.optimization_barrier(rated.swapaxes(1, 2))
    return jax.ops.segment_sum(
        jnp.einsum("bkw,blw->bkl", rows, rows), cut.owner, num_owners, indices_are_sorted=True
    )
