"""The command line answers with tables, files or one line."""

import csv
import json
import os
import pathlib
import subprocess
import sys
from typing import NamedTuple

import jax
import pytest

from experiments import __main__ as command
from experiments import _contract, classifiers
from experiments._data import load
from jaxnets import check


def test_a_field_with_the_name_of_a_common_option_is_refused(monkeypatch):
    monkeypatch.setattr(classifiers, "Settings", type("Settings", (), {"_fields": ("rows",)}))
    with pytest.raises(check.InputError, match="'rows', which is an option of all experiments"):
        _contract.load("classifiers")


def test_the_rows_of_a_table_share_one_copy_of_the_data():
    assert load("iris", valid_fraction=0.2) is load("iris", valid_fraction=0.2)
    assert load("iris", valid_fraction=0.2).valid is not None
    assert load("iris").valid is None


class Flags(NamedTuple):
    use_bias: bool = True


def test_flags_that_say_no_are_obeyed():
    hparams = classifiers.Hparams()
    experiment = _contract.load("classifiers")._replace(
        Settings=Flags, variants=lambda: {"row": (hparams, Flags())}
    )
    _, rows = command._parse(experiment, ["--no-use-bias"])
    assert not rows["row"][1].use_bias


@pytest.mark.parametrize(
    "words",
    ["deep_vs_wide --depth 3", "relu_digits --axis 0", "loss_functions --loss brier", "digits_mlp --cosine"],
)
def test_what_a_row_is_named_for_is_no_option(words, capsys):
    assert command.main(words.split()) == 2
    assert capsys.readouterr().err.startswith("error: Unrecognized options")


def test_checks_are_printed_and_written_where_all_rows_were_trained(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(classifiers, "checks", lambda results, dataset: {"rows": len(results)}, raising=False)
    variants = {name: classifiers.variants()[name] for name in ("ridge", "lda")}
    monkeypatch.setattr(classifiers, "variants", lambda: variants)
    words = f"classifiers --dataset iris --seeds 1 --out {tmp_path}".split()
    assert command.main(words) == 0
    assert "rows  2" in capsys.readouterr().out
    assert read(tmp_path / "checks.csv") == [{"check": "rows", "value": "2"}]
    assert command.main([*words, "--rows", "lda"]) == 0
    assert not (tmp_path / "checks.csv").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small run of the command line: three rows on a small data set, the networks for a few steps."""
    out = tmp_path_factory.mktemp("runs") / "with space"
    words = "classifiers --dataset iris --rows ridge mlp lenet --num-steps 3 --seeds 2 --out"
    assert command.main([*words.split(), str(out)]) == 0
    return out


def read(path):
    return list(csv.DictReader(path.read_text(encoding="utf8").splitlines()))


def test_table_has_a_row_a_learner_and_a_line_a_seed(finished):
    table, seeds = read(finished / "table.csv"), read(finished / "seeds.csv")
    assert [row["row"] for row in table] == ["ridge", "mlp", "lenet"]
    assert [(row["row"], row["seed"]) for row in seeds] == [
        ("ridge", "0"),
        ("ridge", "1"),
        ("mlp", "0"),
        ("mlp", "1"),
    ]
    mean = sum(float(row["test_accuracy"]) for row in seeds[2:]) / 2
    assert float(table[1]["test_accuracy_mean"]) == pytest.approx(mean)
    assert float(table[0]["test_accuracy_mean"]) > 0.7
    assert table[2]["status"].startswith("not run: ")


def test_options_and_pictures_are_written_whole(finished):
    options = json.loads((finished / "options.json").read_text(encoding="utf8"))
    assert options["rows"]["mlp"]["settings"]["num_steps"] == 3
    assert "float32" in options["environment"]
    assert (finished / "accuracies.png").read_bytes().startswith(b"\x89PNG")
    assert not [path for path in finished.iterdir() if path.name.startswith(".")]


BAD = [
    ("clasifiers", "unknown experiment 'clasifiers': did you mean 'classifiers'"),
    ("classifiers --learning-rat 0.1", "--learning-rat"),
    ("classifiers --num-steps ten", "--num-steps"),
    ("classifiers --num-steps 3000000000", "num_steps = 3"),
    ("classifiers --seeds 1.5", "--seeds"),
    ("classifiers --widths 0", "widths = 0, allowed is [1, "),
    ("classifiers --learning-rate 1e39", "learning_rate = inf"),
    ("classifiers --rows rbf_svm --batch-size 10", "learns from all rows at once"),
    ("classifiers --dataset boston", "labels of classes"),
    ("classifiers --learning-rate -0.1", "learning_rate = -0.1, allowed is [0, inf)"),
    ("classifiers --learning-rate nan", "learning_rate = nan, allowed is [0, inf)"),
    ("classifiers --dropout 1.5", "dropout = 1.5, allowed is [0, 1)"),
    ("relu_digits --dataset boston", "labels of classes are needed"),
    ("classifiers --seeds 0", "--seeds 0, allowed are 1, 2, ..."),
    ("classifiers --rows svm", "unknown row 'svm'"),
    ("classifiers --rows mlp --num-steps -3", "num_steps = -3"),
    ("classifiers --rows ridge --dataset mnst5k", "did you mean 'mnist5k'"),
    ("classifiers --rows ridge --dataset nowhere.csv", "nowhere.csv"),
    ("classifiers --rows ridge --out {file}/below", "a folder that can be written to is needed"),
    # What a row is named for is no option.
    ("line_parameters --rows softmax --head least_squares", "--head"),
    ("small_digits --rows 1_epoch --num-epochs 2", "--num-epochs"),
    ("xor --rows tanh_2_2_1 --num-hidden 3", "--num-hidden"),
    ("periodic_regression --rows tanh_4_pi --num-humps 1", "--num-humps"),
    ("taylor_layers --rows sin_3_learned --num-terms 5", "--num-terms"),
    ("learning_rate_rules --rows sparse_sgd --rule adam", "--rule"),
    ("one_class --rows cnn --network mlp", "--network"),
]


@pytest.mark.parametrize(("words", "message"), BAD, ids=[words for words, _ in BAD])
def test_bad_input_ends_in_one_line(words, message, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    assert command.main(words.format(file=tmp_path / "file").split()) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert errors.count("\n") == 1
    assert "Traceback" not in errors


def test_precision_is_an_option_and_a_record():
    command.configure("float32")
    assert jax.config.jax_default_matmul_precision == "float32"


def test_list_names_every_experiment(capsys):
    assert command.main([]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in _contract.names())


def test_interval_annotations_are_found():
    with pytest.raises(check.InputError, match="C = 0"):
        check.fields(_contract.load("classifiers").Hparams(C=0.0))


def test_complaint_on_a_terminal_is_one_plain_line():
    pty = pytest.importorskip("pty", reason="pseudo-terminals are a part of Unix")
    leader, follower = pty.openpty()
    words = [sys.executable, "-m", "experiments", "classifiers", "--num-steps", "ten"]
    root = pathlib.Path(__file__).parent.parent
    subprocess.run(
        words, stderr=follower, stdout=follower, stdin=follower, cwd=root, check=False, timeout=120
    )
    os.close(follower)
    shown = os.read(leader, 10_000).decode()
    assert shown.startswith("error: ")
    assert shown.count("\n") == 1
    assert "\x1b" not in shown


def test_pictures_of_an_earlier_run_do_not_stay_and_no_others_go(tmp_path):
    (tmp_path / "holiday.png").touch()
    for name, pictures in (("digits", {"accuracies.png", "mistakes.png"}), ("iris", {"accuracies.png"})):
        words = f"classifiers --dataset {name} --rows ridge --seeds 1 --out {tmp_path}"
        assert command.main(words.split()) == 0
        assert {path.name for path in tmp_path.glob("*.png")} == pictures | {"holiday.png"}


def test_a_table_that_cannot_be_written_leaves_nothing_behind(tmp_path, capsys):
    (tmp_path / "table.csv").mkdir()
    assert command.main(f"classifiers --dataset iris --rows ridge --seeds 1 --out {tmp_path}".split()) == 2
    assert f"--out {tmp_path / 'table.csv'}" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
