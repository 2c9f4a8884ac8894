"""How many lanes are tried: wider programs as long as they save more than trying them takes."""

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.data import Dataset
from jaxnets.sweep.lanes import Candidate, candidates, measured
from jaxnets.sweep.program import Program
from jaxnets.train import Run
from jaxnets.types import Batch

NOTHING = Dataset(train=Batch(np.zeros((1, 1), np.float32), np.zeros(1, np.int32)))


def program_of(lanes, num_bytes=1, *, advance=None, num_steps=100):
    return Program(
        advance, Run(0, {}, 0, np.int32(0)), (), (), lanes, (0,), num_steps, 10, num_bytes, 0.0, ""
    )


def tried(seconds_a_cell, *, first=0.12, trial=1.0, num_cells=1000, limit=100, **options):
    """The numbers of lanes that are compiled, in their order, and the one that is chosen."""
    asked = []

    def compiled(lanes, other):
        asked.append((lanes, other and other.program.lanes))
        return Candidate(program_of(lanes, lanes), seconds_a_cell(lanes) * lanes, trial, first)

    lanes, least_bytes = options.pop("lanes", None), options.pop("least_bytes", lambda lanes: lanes)
    found = candidates(compiled, lanes, most=64, num_cells=num_cells, least_bytes=least_bytes, limit=limit)
    return asked, found[0].program.lanes


@pytest.mark.parametrize(
    ("seconds_a_cell", "options", "asked", "chosen"),
    [
        (lambda lanes: 0.01 + 1 / lanes, {}, [(1, None), (8, 1), (64, 8)], 64),
        (lambda lanes: 1.0, {}, [(1, None), (8, 1)], 1),
        (lambda lanes: 1 + lanes / 10, {}, [(1, None), (8, 1)], 1),
        (lambda lanes: 1 / lanes, {"trial": 200.0}, [(1, None), (8, 1)], 8),
        (lambda lanes: 1 / lanes, {"trial": 68.0}, [(1, None), (8, 1), (64, 8)], 64),
        (lambda lanes: 1 / lanes, {"num_cells": 3}, [(1, None)], 1),
        (lambda lanes: 1 / lanes, {"num_cells": 4}, [(1, None), (8, 1)], 8),
        (lambda lanes: 1 / lanes, {"limit": 63}, [(1, None), (8, 1)], 8),
        (lambda lanes: 1 / lanes, {"limit": 63, "least_bytes": lambda lanes: lanes**2}, [(1, None)], 1),
        (lambda lanes: 1.0, {"first": 0.13}, [(1, None), (2, 1)], 1),
        (lambda lanes: 1.0, {"lanes": 5}, [(5, None)], 5),
    ],
    ids=[
        "wider", "the same", "slower", "dear", "less dear", "few", "more", "memory", "least memory",
        "slow work", "wanted",
    ],
)  # fmt: skip
def test_wider_programs_are_tried_as_long_as_that_pays(seconds_a_cell, options, asked, chosen):
    """Of cells that take 1 / lanes: 8 are expected to save 7/16 of a second each, then 64 to save 7/64.

    That has to be 1.5 times what the last trial took: 1 second, but for those that are dear.
    """
    assert tried(seconds_a_cell, **options) == (asked, chosen)


def test_lanes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match=r"lanes = 64 take 6\.4e-05 MB, .* allowed is 50 lanes"):
        tried(lambda lanes: 1.0, lanes=64, limit=50)


def test_what_begins_more_slowly_is_timed_no_further():
    calls = []

    def advance(seeds, hparams, until, run, dataset):
        calls.append(int(until))
        return run, {}, {}

    other = Candidate(program_of(1), seconds=10.0, trial_seconds=0.0, first=1e-12)
    found = measured(program_of(8, advance=advance), np.uint32(0), (), NOTHING, other)
    assert set(calls) == {1}
    assert found.seconds_a_cell > other.seconds_a_cell
