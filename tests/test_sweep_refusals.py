"""What cannot be swept is refused in a line, before anything is compiled or written."""

import pytest
import test_sweep as base

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import Grid


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lanes": 0}, "lanes = 0"),
        ({"lanes": 2, "memory": 1000}, "allowed is a smaller batch_size or model"),
        ({"seeds": 0}, "seeds = 0"),
        ({"num_steps": 3}, "num_steps: not allowed beside an experiment"),
    ],
)
def test_what_cannot_be_planned_is_refused(options, message):
    with pytest.raises(InputError) as refusal:
        sweep.plan(base.TRIAL, base.GRID, **options)
    assert message in str(refusal.value)


def test_a_sweep_without_steps_or_with_nonsense_is_refused():
    with pytest.raises(InputError, match="num_steps = 0"):
        sweep.plan(base.TRIAL, Grid(num_steps=[0]))
    with pytest.raises(InputError, match="num_steps is missing"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), base.DATA)
    with pytest.raises(InputError, match="allowed are a Trial"):
        sweep.plan("iris", base.GRID)
    with pytest.raises(InputError, match="allowed is a Grid"):
        sweep.plan(base.TRIAL, {"learning_rate": [0.1]})
    with pytest.raises(InputError, match="data: NoneType"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), num_steps=3)
    with pytest.raises(InputError, match="unknown option 'num_step'"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), base.DATA, num_steps=3, num_step=3)
    with pytest.raises(InputError, match="settings: dict"):
        sweep.plan(lambda hparams: None, Grid(rate=[1.0]), base.DATA, settings={"num_steps": 3})
