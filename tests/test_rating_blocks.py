"""Ragged ratings in blocks: nothing lost, sums equal NumPy's loop over owners."""

import jax
import numpy as np
import pytest

from jaxnets.models.rating_blocks import WIDTH, blocks, gram
from jaxnets.types import Batch

COUNTS = [0, 1, WIDTH - 1, WIDTH, WIDTH + 1, 3 * WIDTH, 0]


@pytest.fixture(scope="module")
def ratings():
    generator = np.random.default_rng(0)
    pairs = np.concatenate(
        [np.stack([np.full(n, u), generator.permutation(100)[:n]], 1) for u, n in enumerate(COUNTS)]
    )
    pairs = generator.permutation(pairs).astype(np.int32)
    return Batch(pairs, generator.normal(size=len(pairs)))


@pytest.mark.parametrize("by", [0, 1])
def test_sums_are_those_of_a_loop_over_owners(ratings, by):
    num_owners = (len(COUNTS), 100)[by]
    factors = np.random.default_rng(1).normal(size=((100, len(COUNTS))[by], 3))
    with jax.enable_x64(True):
        found = gram(factors, blocks(ratings, by=by, num_owners=num_owners), num_owners=num_owners)
        for owner in range(num_owners):
            mine = ratings.inputs[:, by] == owner
            rows = np.column_stack([factors[ratings.inputs[mine, 1 - by]], ratings.targets[mine]])
            np.testing.assert_allclose(found[owner], rows.T @ rows, rtol=1e-10, atol=1e-12)


def test_every_rating_is_in_one_block_of_its_owner(ratings):
    cut = blocks(ratings, by=0, num_owners=len(COUNTS))
    there = np.asarray(cut.there) > 0
    owner = np.broadcast_to(np.asarray(cut.owner)[:, None], there.shape)[there]
    cells = np.stack([owner, np.asarray(cut.other)[there]], 1)
    assert sorted(map(tuple, cells)) == sorted(map(tuple, ratings.inputs))
    assert (np.diff(cut.owner) >= 0).all()
