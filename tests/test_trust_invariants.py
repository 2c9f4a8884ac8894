"""What a cell's numbers do not depend on: neighbours, slots, padding, cuts and who diverges.

Each test makes a few of its comparisons in the suite and the rest before a release. The controls at the end
break the promises on purpose: the comparisons notice.
"""

import dataclasses
import functools
import random
import sys

import jax
import numpy as np
import pytest
import test_sweep as base
from kinds_of_learners import HEALTHY, RATES, of_cells, plan_of, trained

from jaxnets import sweep
from jaxnets.sweep import Grid
from jaxnets.sweep import way as ways

MANY = pytest.mark.release


def lane(arrays, slot):
    """All bits of one cell: its state, its history and its status."""
    return {name: values[slot].tobytes() for name, values in arrays.items() if values.ndim}


def arrangements(lanes, num, seed):
    """Cells side by side, drawn at random, a healthy one in any slot, those that diverge among the others."""
    generator = random.Random(seed)
    for _ in range(num):
        batch = generator.choices(range(len(RATES)), k=lanes)
        slot, cell = generator.randrange(lanes), generator.choice(HEALTHY)
        batch[slot] = cell
        yield batch, slot, cell


def with_neighbours(kind, lanes, num, *, part=None):
    """How many arrangements gave a cell other bits than it has among cells like itself."""
    part = part or plan_of(kind, lanes).parts[0]
    alike = functools.cache(lambda cell: lane(trained(part, [cell] * lanes), 0))
    pairs = [
        (lane(trained(part, batch), slot), alike(cell)) for batch, slot, cell in arrangements(lanes, num, 1)
    ]
    return sum(found != expected for found, expected in pairs)


@pytest.mark.parametrize(
    ("kind", "lanes", "num"),
    [
        ("mlp", 2, 6), ("mlp", 4, 5), ("mlp", 8, 5),
        *((kind, 4, 4) for kind in ("cnn", "batch norm", "rnn", "dropout", "gibbs")),
        *(
            pytest.param(kind, lanes, 34, marks=MANY)
            for kind in ("mlp", "cnn", "batch norm", "rnn", "dropout", "gibbs")
            for lanes in (2, 4, 8)
        ),
    ],
)  # fmt: skip
def test_neighbours_and_slots_change_no_bit(kind, lanes, num):
    """36 arrangements here, 612 before a release."""
    assert with_neighbours(kind, lanes, num) == 0


@pytest.mark.parametrize(
    ("lanes", "rounds"), [(4, 2), *(pytest.param(lanes, 7, marks=MANY) for lanes in (2, 4, 8))]
)
def test_filling_up_changes_no_bit_and_is_in_no_result(lanes, rounds):
    """Cells modulo lanes are 0, 1 and one less than the lanes: 6 sweeps, 63 before a release."""
    plan = plan_of("mlp", lanes)
    alone = functools.cache(lambda rate: sweep.run(of_cells(plan, Grid(rate=[rate]))).columns["loss"][0])
    for whole in range(1, rounds + 1):
        for rest in (0, 1, lanes - 1):
            rates = np.linspace(0.01, 0.1, whole * lanes + rest).round(6).tolist()
            result = sweep.run(of_cells(plan, Grid(rate=rates)))
            assert result.columns["rate"].tolist() == rates
            for cell in (0, len(rates) - 1):
                assert result.columns["loss"][cell] == alone(rates[cell])


CUTS = [
    [6, 24], [1, 2, 3, 24], [24], [1, 24], [23, 24], [8, 16, 24], [5, 7, 13, 24], [*range(1, 25)],
]  # fmt: skip


@pytest.mark.parametrize("kind", ["mlp", "momentum", "adam", "schedule", "dropout"])
@pytest.mark.parametrize("num_cuts", [2, pytest.param(8, marks=MANY)])
def test_a_run_that_is_cut_has_the_bits_of_the_whole(kind, num_cuts):
    """10 cut runs here, 40 before a release; laid down as arrays and taken up again at each cut."""
    (part,) = plan_of(kind, 4).parts
    whole = trained(part, [5, 0, 6, 2])
    for stops in CUTS[:num_cuts]:
        cut = trained(part, [5, 0, 6, 2], stops)
        for name in whole:
            if not name.startswith("entry/"):  # a cut makes entries of its own
                np.testing.assert_array_equal(cut[name], whole[name])


@pytest.mark.parametrize(
    ("kind", "widths"),
    [
        ("mlp", (2, 4, 8)),
        *(
            pytest.param(kind, (2, 4, 8), marks=MANY)
            for kind in ("mlp", "cnn", "batch norm", "rnn", "dropout", "adam")
        ),
    ],
)
def test_the_number_of_lanes_changes_the_last_bits_alone(kind, widths):
    """Four stable rates by two other widths: 8 losses here, 48 before a release."""
    histories = []
    for lanes in widths:
        plan = of_cells(plan_of(kind, lanes), Grid(rate=RATES[:4]))
        histories.append(sweep.run(plan).history["loss"])
    for other in histories[1:]:
        np.testing.assert_allclose(other, histories[0], rtol=1e-3 if kind == "cnn" else 1e-4)


def spoiled(plan, cell, rate):
    """The plan with another rate for a cell, even one that no grid takes."""
    (part,) = plan.parts
    rates = part.group.hparams.rate.copy()
    rates[cell] = rate
    group = part.group._replace(hparams=part.group.hparams._replace(rate=rates))
    return dataclasses.replace(plan, parts=(part._replace(group=group),))


@pytest.mark.parametrize(
    ("lanes", "num_seeds"), [(4, 1), *(pytest.param(lanes, 3, marks=MANY) for lanes in (4, 8))]
)
def test_a_rate_that_diverges_is_named_and_spoils_nobody(lanes, num_seeds):
    """Five absurd rates in three slots: 15 sweeps here, 90 before a release."""
    for seed in range(num_seeds):
        plan = of_cells(plan_of("line", lanes), Grid(rate=[0.001, 0.002, 0.005, 0.01]), [seed])
        healthy = sweep.run(plan)
        for rate in (np.nan, np.inf, 3e38, 1e30, 1e4):
            for cell in (0, 1, 3):
                result = sweep.run(spoiled(plan, cell, rate))
                others = np.arange(4) != cell
                assert base.same(result, healthy, others)
                assert (result.columns["status"] == np.where(others, "ok", "diverged")).all()
                assert result.columns["step"][cell] < 4
                assert result.best("loss").point["rate"] != result.columns["rate"][cell]


def coupled(part):
    """A part whose lanes feel a little of each other."""

    def advance(*given):
        run, *found = part.program.advance(*given)
        mixed = jax.tree.map(lambda leaf: leaf + 1e-6 * leaf.mean(axis=0, keepdims=True), run.state)
        return run._replace(state=mixed), *found

    first = part.candidates[0]
    program = part.program._replace(advance=advance)
    return part._replace(candidates=(first._replace(program=program),))


def test_control_lanes_that_feel_each_other_are_noticed():
    (part,) = plan_of("mlp", 4).parts
    assert with_neighbours("mlp", 4, 4, part=coupled(part)) > 0


def test_control_a_cut_that_loses_a_bit_is_noticed(monkeypatch):
    keep = ways.Way.arrays

    def rounded(self, num_cells=None):
        arrays = keep(self, num_cells)
        return arrays | {"run/1": np.nextafter(arrays["run/1"], np.float32(0))}

    monkeypatch.setattr(ways.Way, "arrays", rounded)
    with pytest.raises(AssertionError):
        test_a_run_that_is_cut_has_the_bits_of_the_whole("mlp", 2)


def test_control_a_rate_that_does_not_diverge_is_noticed(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "spoiled", lambda plan, *_: plan)
    with pytest.raises(AssertionError):
        test_a_rate_that_diverges_is_named_and_spoils_nobody(4, 1)
