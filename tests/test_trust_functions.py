"""Wrong functions, lanes that do not fit, data that change: named in a line, before anything runs."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest
from line_sweep import ROWS, TRIAL, line, planned
from test_sweep import same

from jaxnets import data, sweep
from jaxnets.check import InputError
from jaxnets.data import Dataset

MANY = pytest.mark.release


def test_lanes_that_do_not_fit_are_refused_with_a_number_that_does():
    class Wide(NamedTuple):
        num_steps: int = 2

    def wide(hparams, settings):
        return line(hparams, settings)._replace(
            init=lambda key, batch: jnp.zeros(50_000),
            step=lambda key, state, batch: (state + hparams.rate, {"loss": state[0]}),
        )

    trial = TRIAL._replace(learner=wide, settings=Wide())
    with pytest.raises(InputError, match=r"lanes = 4096 take .* allowed is \d+ lanes") as refusal:
        planned(trial, lanes=4096, memory=10**7)
    fitting = int(str(refusal.value).split()[-2])
    assert 1 < fitting < 4096
    with pytest.raises(InputError, match="lanes = 5000"):
        planned(trial, lanes=5000, memory=10**7)


KEPT = []


def leaking(hparams, settings):
    """A function that keeps a value of one trace for the next."""
    KEPT.append(hparams.rate)
    return line(hparams._replace(rate=KEPT[0]), settings)


def raising(hparams, settings):
    raise RuntimeError("no such model\nat all")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"learner": raising}, "line: RuntimeError: no such model"),
        ({"learner": leaking}, "line: Tracer"),
        ({"metrics": lambda outputs, targets: {"rows": outputs}}, "metric 'rows': float32 of shape (6, 2)"),
        ({"metrics": lambda outputs, targets: {"name": "good"}}, "metric 'name': str, allowed is one real"),
    ],
)
def test_functions_that_are_wrong_are_named_before_anything_is_written(change, message):
    """Four more are in the tests of refusals: none, impure, of another shape, of another dtype."""
    trial = TRIAL._replace(data=lambda settings: Dataset(ROWS, test=ROWS), **change)
    with pytest.raises(InputError) as refusal:
        planned(trial)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_data_drawn_anew_at_each_start_are_other_data(tmp_path):
    """NumPy's random numbers in the data."""
    generator = np.random.default_rng(0)
    drawn = TRIAL._replace(
        data=lambda settings: Dataset(ROWS._replace(inputs=np.float32(generator.normal(size=(6, 2)))))
    )
    sweep.run(planned(drawn), tmp_path)
    with pytest.raises(InputError, match=r"parts.0.data was"):
        sweep.run(planned(drawn), tmp_path, resume=True)


CHANGES = {
    "a value": lambda lines: [lines[0], lines[1].replace("0.5", "0.6"), *lines[2:]],
    "a label": lambda lines: [*lines[:-1], lines[-1].replace("b", "a")],
    "the order": lambda lines: [lines[0], *reversed(lines[1:])],
    "a row less": lambda lines: lines[:-1],
    "a row more": lambda lines: [*lines, lines[-1]],
    "cut in a row": lambda lines: [*lines[:-1], lines[-1][:4]],
}


@pytest.mark.parametrize("name", [*CHANGES])
@pytest.mark.parametrize("num_rows", [6, pytest.param(60, marks=MANY)])
def test_a_file_of_data_that_changed_is_another_sweep(tmp_path, name, num_rows):
    path = tmp_path / "rows.csv"
    lines = ["x,label", *(f"{number}.5,{'ab'[number % 2]}" for number in range(num_rows))]
    path.write_text("\n".join(lines))
    trial = TRIAL._replace(data=lambda settings: data.load(str(path), test_fraction=0.0))
    sweep.run(planned(trial), tmp_path / "out")
    path.write_text("\n".join(CHANGES[name](lines)))
    with pytest.raises(InputError, match=r"parts.0.data was|rows.csv"):
        sweep.run(planned(trial), tmp_path / "out", resume=True)


def test_control_the_same_file_is_the_same_sweep(tmp_path):
    (tmp_path / "rows.csv").write_text("x,label\n0.5,a\n1.5,b\n")
    trial = TRIAL._replace(data=lambda settings: data.load(str(tmp_path / "rows.csv"), test_fraction=0.0))
    first = sweep.run(planned(trial), tmp_path / "out")
    assert same(sweep.run(planned(trial), tmp_path / "out", resume=True), first)
