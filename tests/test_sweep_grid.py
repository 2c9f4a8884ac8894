"""Grids from Python and from text, and the cells that a trial makes of them."""

import itertools
from typing import Annotated, Literal, NamedTuple

import numpy as np
import pytest

from jaxnets import sweep
from jaxnets.check import NON_NEGATIVE, InputError
from jaxnets.sweep.cells import batches_of, groups, inputs_of, seeds_of
from jaxnets.sweep.fields import converted, resolved
from jaxnets.sweep.grid import Grid


class Hparams(NamedTuple):
    learning_rate: Annotated[float, NON_NEGATIVE] = 0.1
    momentum: float = 0.9
    depth: int = 2


class Settings(NamedTuple):
    num_steps: int = 10
    optimizer: Literal["sgd", "adam"] = "sgd"
    widths: tuple[int, ...] = (8,)
    batch_size: int | None = None
    use_bias: bool = True


TRIAL = sweep.Trial("trial", None, Hparams(), Settings(), None)


def test_ends_of_few_bits_are_ends():
    """A comparison in their own bits would warn of an overflow."""
    assert sweep.log(np.float32(1), np.float16(4), 3).values == [1.0, 2.0, 4.0]


def test_a_product_has_every_combination_in_order():
    grid = Grid(a=[1, 2], b=["x", "y"])
    assert [*grid] == [{"a": a, "b": b} for a in (1, 2) for b in ("x", "y")]
    assert [*(Grid(a=[1, 2]) * Grid(b=["x", "y"]))] == [*grid]
    assert [*(Grid(a=[1], b=["x"]) + Grid(b=["y"], a=[2]))] == [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
    assert len(Grid()) == 1


def test_ranges_have_their_ends_and_even_spaces():
    np.testing.assert_allclose(Grid(a=sweep.log(1e-3, 10, 5)).column("a"), np.geomspace(1e-3, 10, 5))
    np.testing.assert_allclose(Grid(a=sweep.lin(-1, 3, 5)).column("a"), np.linspace(-1, 3, 5))
    assert Grid(a=np.array([1, 2])).column("a") == [1, 2]


@pytest.mark.parametrize("make", [sweep.lin, sweep.log])
def test_a_range_has_the_ends_that_were_given(make):
    low, high = 1 / 3, 2 / 3
    column = Grid(a=make(low, high, 3)).column("a")
    assert (column[0], column[-1]) == (low, high)


def test_points_may_be_lists_and_are_there_once():
    assert Grid.of_points(["a"], [[[8, 4]], [[8, 4]], ([2],)]).points == (((8, 4),), ((2,),))


def test_random_points_are_even_in_the_logarithm_and_repeat_with_their_seed():
    axes = {"rate": sweep.log(1e-4, 1), "kind": ["a", "b"]}
    grid = Grid.random(400, seed=3, **axes)
    share = (np.log10(grid.column("rate")) + 4) / 4
    assert share.min() >= 0
    assert share.max() <= 1
    assert abs(share.mean() - 0.5) < 0.05  # 3.5 standard deviations of the mean
    assert 150 < grid.column("kind").count("a") < 250
    assert grid.points == Grid.random(400, seed=3, **axes).points != Grid.random(400, seed=4, **axes).points


@pytest.mark.parametrize("num", [1, 5, 8])
def test_sobol_points_fill_both_axes(num):
    grid = Grid.sobol(num, a=sweep.lin(0, 1), b=sweep.lin(0, 1))
    assert len(grid) == num
    if num == 8:
        for name in "ab":
            assert sorted(int(8 * value) for value in grid.column(name)) == [*range(8)]


@pytest.mark.parametrize(
    ("words", "space", "points"),
    [
        (["a=log:0.1:10:3"], "product", [(0.1,), (1.0,), (10.0,)]),
        (["a=1,2", "b=lin:0:1:2"], "product", [("1", 0.0), ("1", 1.0), ("2", 0.0), ("2", 1.0)]),
        (["a=1,2", "b=x,y"], "zip", [("1", "x"), ("2", "y")]),
    ],
)
def test_text_gives_the_points(words, space, points):
    assert [*Grid.parse(words, space).points] == points


def test_text_draws_as_many_points_as_it_says():
    assert Grid.parse(["a=log:0.1:10"], "random:5").points == Grid.random(5, a=sweep.log(0.1, 10)).points
    assert len(Grid.parse(["a=lin:0:1"], "sobol:6")) == 6


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Grid(a=[]), "a: no values"),
        (lambda: Grid(a=3.0), "a = 3.0, allowed are sequences"),
        (lambda: Grid(a="abc"), "a = 'abc', allowed are sequences"),
        (lambda: Grid(a=np.float32(3)), "allowed are sequences"),
        (lambda: Grid(a=[float("nan")]), "a: nan, allowed are finite numbers"),
        (lambda: Grid(a=[1j]), "a: complex"),
        (lambda: Grid(a=[object()]), "a: object"),
        (lambda: Grid(a=[1, "x"]), "a: numbers and words mixed"),
        (lambda: Grid(a=[1, True]), "a: numbers and truths mixed"),
        (lambda: Grid(a=[1, 2, 1]), "a: 1 is given twice"),
        (lambda: Grid(seed=[1]), "'seed' is a column of every table"),
        (lambda: Grid(**{"a/b": [1]}), "'a/b', allowed are names"),
        (lambda: Grid(a=sweep.log(0.1, 1)), "a range without a number of values"),
        (lambda: sweep.log(0, 1, 3), "log: from 0 to 1"),
        (lambda: sweep.lin(0, float("inf"), 3), "lin: an end of inf"),
        (lambda: sweep.lin(1, 1, 3), "would all be the same"),
        (lambda: sweep.log(1, 2, 0), "num = 0"),
        (lambda: Grid(**{name: range(2000) for name in "abcd"}), "allowed are at most 1000000"),
        (lambda: Grid.zip(a=[1, 2], b=[1]), "axes of {'a': 2, 'b': 1} values"),
        (lambda: Grid(a=[1]) * Grid(a=[2]), "a in both factors"),
        (lambda: Grid(a=[1]) + Grid(b=[2]), "cannot be joined"),
        (lambda: Grid.parse(["a"]), "'a', allowed is name=a,b,c"),
        (lambda: Grid.parse(["a=log:1"]), "allowed is log:low:high:num"),
        (lambda: Grid.parse(["a=log:x:1:2"]), "'x' is no number"),
        (lambda: Grid.parse(["a=log:1:2:2.5"]), "'2.5' is no whole number"),
        (lambda: Grid.parse(["a=1", "a=2"]), "'a' is given twice"),
        (lambda: Grid.parse(["a=1"], "cube"), "unknown space 'cube'"),
        (lambda: Grid.parse(["a=1"], "random:-1"), "num = -1"),
        (lambda: Grid.random(3), "no names"),
        (lambda: Grid(a=np.array(3)), "a: allowed are sequences"),
        (lambda: Grid(a=itertools.count()), "a: allowed are sequences of at most 1000000 values"),
        (lambda: Grid(a=range(2000)) * Grid(b=range(2000)), "4000000 points, allowed are at most 1000000"),
        (lambda: Grid.zip(a=range(10**7)), "sequences of at most 1000000 values"),
        (
            lambda: Grid(a=range(1000), b=range(1000)) + Grid(a=[1], b=[-1]),
            "1000001 points, allowed are at most 1000000",
        ),
        (lambda: Grid.of_points(["a"], [(0,)] * (10**6 + 1)), "1000001 points"),
        (lambda: Grid.of_points(["a", "b"], [(1, 2), (1,)]), "point (1,), allowed are 2 values, of a, b"),
        (lambda: Grid.of_points(["a", "b"], [1, 2]), "point 1, allowed are 2 values"),
        (lambda: Grid.of_points(["a"], ["x"]), "point 'x', allowed are 1 values"),
        (lambda: Grid.of_points(["a", "a"], [(1, 2)]), "names a, a, each is allowed once"),
        (lambda: Grid.of_points("ab", [(1, 2)]), "names in a str"),
        (lambda: Grid.of_points([1], [(1,)]), "grid: 1, allowed are names"),
        (lambda: Grid.of_points(["a"], {(1,)}), "points in a set"),
        (lambda: Grid.of_points(["a"], [({},)]), "a: dict {}"),
    ],
)
def test_what_is_no_grid_is_refused(make, message):
    with pytest.raises(InputError) as refusal:
        make()
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_names_are_traced_or_static_by_where_they_are_declared():
    grid = Grid(learning_rate=[0.1, 0.2], optimizer=["sgd", "adam"])
    found = groups(TRIAL, grid, [0, 7])
    assert [group.settings.optimizer for group in found] == ["sgd", "adam"]
    sgd = found[0]
    assert sgd.numbers.tolist() == [0, 1, 4, 5]
    np.testing.assert_array_equal(sgd.hparams.learning_rate, np.float32([0.1, 0.1, 0.2, 0.2]))
    np.testing.assert_array_equal(sgd.hparams.momentum, np.full(4, 0.9, np.float32))
    assert sgd.hparams.depth.dtype == np.int32
    assert sgd.seeds.tolist() == [0, 7, 0, 7]


def test_batches_share_a_seed_and_are_filled_up_with_their_last_cell():
    (group,) = groups(TRIAL, Grid(learning_rate=[0.1, 0.2, 0.3]), [0, 1])
    batches = batches_of(group, 2, True)
    assert [group.seeds[batch].tolist() for batch in batches] == [[0, 0], [0], [1, 1], [1]]
    seed, hparams = inputs_of(group, batches[1], 2, True)
    assert int(seed) == 0
    np.testing.assert_array_equal(hparams.learning_rate, np.float32([0.3, 0.3]))
    assert [len(batch) for batch in batches_of(group, 4, False)] == [4, 2]


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        ("3", int, 3), (3.0, int, 3), ("0.5", float, 0.5), (1, float, 1.0), ("true", bool, True),
        ("64x32", tuple[int, ...], (64, 32)), ([64], tuple[int, ...], (64,)), ("none", int | None, None),
        ("adam", Literal["sgd", "adam"], "adam"), ("7", int | None, 7), ("x", str, "x"),
    ],
)  # fmt: skip
def test_values_become_what_their_field_holds(value, hint, expected):
    found = converted("name", value, hint, is_number=False)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        (Grid(learnig_rate=[1]), "trial has no 'learnig_rate'; did you mean 'learning_rate'?"),
        (Grid(learning_rate=[-1.0]), "learning_rate = -1.0, allowed is [0, inf)"),
        (Grid(learning_rate=["x"]), "learning_rate = 'x', allowed is float"),
        (Grid(learning_rate=[True]), "learning_rate = True, allowed are numbers"),
        (Grid(learning_rate=[1e39]), "learning_rate = inf"),
        (Grid(momentum=[1e39]), "momentum = 1e+39, which is inf in 32 bits"),
        (Grid(momentum=[1e-50]), "momentum = 1e-50, which is 0.0 in 32 bits"),
        (Grid(depth=[2**40]), "depth = 1099511627776, allowed are numbers of 32 bits"),
        (Grid(depth=[2.5]), "depth = 2.5, allowed is int"),
        (Grid(optimizer=["rmsprop"]), "unknown optimizer 'rmsprop': allowed: sgd, adam"),
        (Grid(widths=[3]), "widths = 3, allowed is tuple"),
        (Grid(momentum=[0.1, 0.1 + 1e-12]), "two points are the same in 32 bits"),
        (Grid.parse(["momentum=0.1,0.10"]), "two points are the same, each"),
    ],
)
def test_what_a_field_does_not_take_is_refused(grid, message):
    with pytest.raises(InputError) as refusal:
        groups(TRIAL, resolved(TRIAL, grid), [0])
    assert message in str(refusal.value)


@pytest.mark.parametrize(
    "seeds", [0, -1, 1.5, True, [], [-1], [2**32], [1, 1], "3", [0.5], [True, 0], {1: 2}, range(10**12)]
)
def test_seeds_are_whole_numbers_each_once(seeds):
    with pytest.raises(InputError, match="seed"):
        seeds_of(seeds)


def test_text_becomes_what_the_fields_hold():
    grid = resolved(TRIAL, Grid.parse(["widths=8,8x4", "momentum=0.5,1", "batch_size=none,16"]))
    assert grid.points[0] == ((8,), 0.5, None)
    assert grid.points[-1] == ((8, 4), 1.0, 16)


def test_seeds_are_counted_or_named():
    assert seeds_of(3) == [0, 1, 2]
    assert seeds_of(np.array([5, 2])) == [5, 2]
