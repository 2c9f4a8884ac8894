"""Points of a sweep compared over their seeds, and the pictures of it."""

import numpy as np
import pytest

from jaxnets.sweep import SweepResult
from jaxnets.sweep.results import _column


def made(num_seeds=1, status=None, metric=(), **columns):
    """A result of so many seeds a point, whose metric is the loss."""
    num = len(metric) * num_seeds
    wide = {name: _column([value for value in values for _ in range(num_seeds)])
            for name, values in columns.items()}  # fmt: skip
    return SweepResult(
        columns={"cell": np.arange(num)} | wide | {
            "seed": np.arange(num) % num_seeds,
            "status": np.array(status or ["ok"] * num),
            "step": np.full(num, 3),
            "loss": np.repeat(np.array(metric, np.float32), num_seeds) + np.arange(num) % num_seeds,
        },
        names=tuple(columns), history={}, steps=[3], damaged=[],
    )  # fmt: skip


@pytest.mark.parametrize("values", [[None, 8], [(8, 8), (4,)], [True, False], ["a", "b"], [8, 4]])
def test_values_of_any_kind_are_points(values):
    result = made(num_seeds=2, metric=[0.5, 0.25], name=values, rate=[0.5, 1.0])
    table = result.over_seeds("loss")
    assert table["name"].tolist() == values
    assert table["mean"].tolist() == [1.0, 0.75]
    assert result.best("loss").point == {"name": values[1], "rate": 1.0}
    assert type(result.best("loss").point["name"]) is type(values[1])


def test_without_names_all_seeds_are_of_one_point():
    table = made(num_seeds=4, metric=[2.0]).over_seeds("loss")
    assert table["mean"].tolist() == [3.5]
    assert table["seeds"].tolist() == [4]
