"""Ask and tell: an Optuna study and the table agree, nothing is compiled twice, what diverged has failed."""

import re
import sys

import jax
import numpy as np
import optuna
import pytest
import test_sweep as base
from optuna.samplers import GridSampler, QMCSampler, RandomSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import ask_tell, lin, log

SPACE = {"learning_rate": log(0.01, 1), "momentum": lin(0, 0.9)}
STEPS = base.NamedTuple("Steps", [("learning_rate", float), ("momentum", float), ("num_steps", int)])(
    0.1, 0.0, 9
)
SHORT = base.TRIAL._replace(settings=base.Settings(num_steps=20))


def optimized(sampler=None, source=SHORT, space=SPACE, study=None, **options):
    study = study or optuna.create_study(sampler=sampler or RandomSampler(seed=0))
    given = {"metric": "loss", "num_rounds": 3, "num_asks": 4, "lanes": 4} | options
    return study, ask_tell.optimize(study, source, space, **given)


@pytest.fixture(scope="module")
def compiled():
    """The number of programs that were compiled since it was asked last."""
    names = []

    def listen(event, *rest, fun_name="", **more):
        if event.endswith("backend_compile_duration") and "lane" in fun_name:
            names.append(fun_name)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield lambda: len([names.pop() for _ in [*names]])
    jax.monitoring.clear_event_listeners()


@pytest.fixture(scope="module")
def tpe(tmp_path_factory):
    """A study that goes on from its storage, by what it was told there."""
    file = JournalFileBackend(str(tmp_path_factory.mktemp("study") / "journal"))
    sampler = TPESampler(seed=0, n_startup_trials=4, constant_liar=True)
    study = optuna.create_study(storage=JournalStorage(file), sampler=sampler)
    return optimized(study=study, seeds=2)


def test_the_study_and_the_table_agree(tpe):
    study, result = tpe
    assert len(study.trials) == 12
    assert len(result) == 24
    assert result.best("loss").mean == study.best_value
    assert result.best("loss").point == study.best_params
    for number, trial in enumerate(study.trials):
        assert trial.state == TrialState.COMPLETE
        cells = slice(2 * number, 2 * number + 2)
        assert trial.user_attrs == {"over_seeds": result.columns["loss"][cells].tolist()}
        for name in SPACE:
            assert result.columns[name][cells].tolist() == [trial.params[name]] * 2


def test_the_cells_are_those_of_the_same_grid(tpe):
    study, result = tpe
    points = [tuple(trial.params[name] for name in SPACE) for trial in study.trials[8:]]
    alone = sweep.run(sweep.plan(SHORT, sweep.Grid.of_points([*SPACE], points), seeds=2, lanes=4))
    for name, values in alone.columns.items():
        assert values.tolist() == result.columns[name][16:].tolist() or name == "cell"
    for name, values in alone.history.items():
        np.testing.assert_array_equal(values, result.history[name][16:])


def test_one_program_answers_all_rounds(compiled, tpe):
    compiled()
    study, result = optimized(num_rounds=4)
    assert compiled() == 1
    assert len(result) == 16
    space = SPACE | {"num_hidden": [4, 8]}
    study, result = optimized(space=space, num_asks=2, lanes=2)
    assert compiled() == 2
    assert {trial.params["num_hidden"] for trial in study.trials} == {4, 8}
    assert result.columns["num_hidden"].tolist() == [trial.params["num_hidden"] for trial in study.trials]


def test_a_point_with_a_diverged_seed_has_failed():
    study, result = optimized(space={"learning_rate": [0.1, 1e30]}, num_rounds=1, seeds=2, lanes=2)
    failed = [trial for trial in study.trials if trial.params["learning_rate"] == 1e30]
    fine = [trial for trial in study.trials if trial.params["learning_rate"] == 0.1]
    assert failed
    assert fine
    step = int(result.columns["step"][result.columns["status"] == "diverged"].min())
    for trial in failed:
        assert trial.state == TrialState.FAIL
        assert trial.value is None
        assert trial.user_attrs == {"diverged_step": step}
    assert {trial.value for trial in fine} == {study.best_value}


def test_points_asked_for_twice_are_trained_once():
    """A sampler that has no more points ends the rounds; two points that are one in 32 bits are one."""
    rates = [0.1, 0.1 * (1 + 1e-12), 0.3]
    study, result = optimized(
        GridSampler({"learning_rate": rates}), space={"learning_rate": rates}, lanes=2, num_rounds=9
    )
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 4
    assert sorted(result.columns["learning_rate"].round(9)) == [0.1, 0.3]
    values = {}
    for trial in study.trials:
        values.setdefault(np.float32(trial.params["learning_rate"]), set()).add(trial.value)
    assert sorted(map(len, values.values())) == [1, 1]


@pytest.mark.filterwarnings("ignore:QMCSampler is experimental")
def test_other_samplers_and_fields_of_whole_numbers():
    """A Sobol sequence, a traced number of steps, a choice that is a tuple, and None."""

    def learner(hparams, settings):
        return base.learner(hparams, base.Settings(num_hidden=settings.widths[0], num_classes=3))

    types = {"num_steps": int, "widths": tuple[int, ...], "batch_size": int | None}
    settings = base.NamedTuple("Settings", [*types.items()])(20, (4,), 16)
    trial = SHORT._replace(learner=learner, hparams=STEPS, settings=settings)
    space = {"num_steps": log(5, 40), "widths": [(4,)], "batch_size": [None]}
    study, result = optimized(QMCSampler(seed=0), trial, space, num_asks=2, lanes=2)
    steps = [one.params["num_steps"] for one in study.trials]
    assert all(isinstance(step, int) for step in steps)
    assert result.columns["step"].tolist() == list(dict.fromkeys(steps))
    assert {one.params["widths"] for one in study.trials} == {"(4,)"}
    assert set(result.columns["widths"]) == {(4,)}


def test_a_round_that_is_stopped_is_told_as_failed(monkeypatch):
    def stop(*given, **options):
        raise KeyboardInterrupt

    study = optuna.create_study()
    monkeypatch.setattr("jaxnets.sweep.answers.run", stop)
    with pytest.raises(KeyboardInterrupt):
        optimized(study=study)
    assert [trial.state for trial in study.trials] == [TrialState.FAIL] * 4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"space": {"learning_rate": log(1, 0.1)}}, "learning_rate from 1 to 0.1, allowed is low <= high"),
        ({"metric": "los", "lowest": True}, "unknown metric 'los': did you mean 'loss'"),
        ({"metric": "test_accuracy", "lowest": True}, "unknown metric 'test_accuracy'"),
        (
            {"metric": "valid_accuracy"},
            "study: direction minimize, of 'valid_accuracy' large is good; allowed is ",
        ),
        ({"lowest": False}, "allowed is direction='maximize', or lowest=True"),
        ({"num_rounds": 0}, "num_rounds = 0"),
        ({"num_asks": 0}, "num_asks = 0"),
        ({"space": {}}, "space: {}"),
        ({"space": ["learning_rate"]}, "space: ['learning_rate']"),
        ({"space": 3}, "space: 3, allowed are names"),
        ({"space": {1: [2]}}, "space: {1: [2]}"),
        ({"space": {"learning_rat": log(0.1, 1)}}, "did you mean 'learning_rate'"),
        ({"space": {"learning_rate": lin(-1, 1)}}, "learning_rate = -1.0, allowed is [0, inf)"),
        ({"space": {"learning_rate": [0.1, "high"]}}, "numbers and words mixed"),
        ({"space": {"num_hidden": lin(0.5, 8)}}, "num_hidden = 0.5, allowed is int"),
        ({"space": {"learning_rate": 0.1}}, "learning_rate = 0.1, allowed are sequences"),
    ],
)
def test_what_cannot_be_optimized_is_refused_before_the_first_ask(options, message):
    study = optuna.create_study()
    with pytest.raises(InputError) as refusal:
        optimized(study=study, **options)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert not study.trials


def test_other_studies_are_refused(monkeypatch):
    with pytest.raises(InputError, match="study: str, allowed is an"):
        optimized(study="study")
    with pytest.raises(InputError, match="2 directions"):
        optimized(study=optuna.create_study(directions=["minimize", "minimize"]))
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=re.escape("pip install 'jaxnets[optuna]'")):
        optimized(study="study")


def test_steps_beyond_the_range_are_refused():
    study = optuna.create_study()
    study.enqueue_trial({"num_steps": 90})
    with (
        pytest.warns(UserWarning, match="out of range"),
        pytest.raises(InputError, match="num_steps = 90, allowed is at most 40"),
    ):
        optimized(
            source=SHORT._replace(hparams=STEPS), study=study, space={"num_steps": lin(20, 40)}, lanes=2
        )


def test_a_trial_that_is_no_point_has_failed():
    study = optuna.create_study()
    study.enqueue_trial({"learning_rate": "fast"})
    with pytest.raises(InputError, match="study: "):
        sweep.optimize(
            study, base.TRIAL, {"learning_rate": sweep.log(0.01, 1)}, metric="loss", num_rounds=1, num_asks=1
        )
    assert [one.state.name for one in study.trials] == ["FAIL"]
