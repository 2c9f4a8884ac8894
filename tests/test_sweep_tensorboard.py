"""TensorBoard's files read back: the histories, the hyperparameters and how each cell ended."""

import dataclasses
import re
import struct
import sys
import threading

import numpy as np
import pytest
import test_sweep as base
from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.plugin_hparams_pb2 import HParamsPluginData

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep.results import SweepResult
from jaxnets.sweep.tensorboard import FILE, run_name, write_tensorboard


@pytest.fixture(scope="module")
def result():
    grid = sweep.Grid(learning_rate=[0.1, 1e30], evaluate_every=[10])
    return sweep.run(sweep.plan(base.TRIAL, grid, seeds=2, lanes=2))


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("exports") / "of" / "iris"
    threads = threading.active_count()
    write_tensorboard(path, result)
    assert threading.active_count() == threads
    return path


def by_hand(**columns):
    """A result of three cells that each made 20 steps."""
    named = {name: np.array(values, object) for name, values in columns.items()}
    cells = {"seed": np.arange(3), "status": np.array(["ok"] * 3), "step": np.full(3, 20)}
    loss = np.array([[2, 1], [3, 2], [4, 3]], np.float32)
    table = {"cell": np.arange(3), **named, **cells, "loss": loss[:, 1]}
    return SweepResult(table, tuple(named), {"loss": loss}, np.tile([10.0, 20.0], (3, 1)), [])


def events_in(path):
    """The events of a file whose checksums are right."""
    content, found = path.read_bytes(), []
    while content:
        (length,) = struct.unpack("<Q", content[:8])
        body = content[12 : 12 + length]
        checks = struct.unpack("<I", content[8:12]) + struct.unpack("<I", content[12 + length : 16 + length])
        for part, check in zip((content[:8], body), checks, strict=True):
            total = crc32c(part)
            assert check == ((total >> 15 | total << 17) + 0xA282EAD8) % 2**32
        found.append(Event.FromString(body))
        content = content[16 + length :]
    assert found[0].file_version == "brain.Event:2"
    return found[1:]


def scalars_in(path):
    """Steps and numbers by their names."""
    found = {}
    for event in events_in(path):
        for value in event.summary.value:
            if value.WhichOneof("value") == "simple_value":
                found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found


def hparams_in(path):
    """The messages of the HParams tab, by their kind."""
    found = {}
    for event in events_in(path):
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                data = HParamsPluginData.FromString(value.metadata.plugin_data.content)
                kind = value.tag.removeprefix("_hparams_/")
                found[kind] = getattr(data, kind)
    return found


def test_each_cell_is_a_run_with_its_histories(folder, result):
    runs = sorted(path.name for path in folder.iterdir() if path.is_dir())
    assert runs == [run_name(result, cell) for cell in range(4)]
    for cell, run in enumerate(runs):
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,64}", run)
        found = scalars_in(folder / run / FILE)
        for name, values in result.history.items():
            known = {
                step: float(value)
                for step, value in zip(result.steps[cell], values[cell], strict=True)
                if value == value
            }
            assert found.pop(name, {}) == known
        is_ok = result.columns["status"][cell] == "ok"
        final = {name: {50: float(result.columns[name][cell])} for name in result.metrics} if is_ok else {}
        assert found == {f"final/{name}": values for name, values in final.items()}


def test_hyperparameters_and_endings_are_in_the_tab(folder, result):
    experiment = hparams_in(folder / FILE)["experiment"]
    assert [info.name for info in experiment.hparam_infos] == [
        "learning_rate",
        "evaluate_every",
        "seed",
        "status",
    ]
    assert [info.name.tag for info in experiment.metric_infos] == [f"final/{name}" for name in result.metrics]
    for cell in range(4):
        found = hparams_in(folder / run_name(result, cell) / FILE)
        values = found["session_start_info"].hparams
        assert values["learning_rate"].number_value == result.columns["learning_rate"][cell]
        assert values["seed"].number_value == result.columns["seed"][cell]
        assert values["status"].string_value == result.columns["status"][cell]
        success = 1 if result.columns["status"][cell] == "ok" else 2  # 2: it failed
        assert found["session_end_info"].status == success
    assert result.columns["status"].tolist() == ["ok", "ok", "diverged", "diverged"]


def test_words_truths_and_tuples_are_told_apart(tmp_path):
    result = by_hand(
        optimizer=["sgd", "a/d am", "../x" * 30], shuffles=[True, False, True], widths=[(8, 4), None, (2,)]
    )
    write_tensorboard(tmp_path, result)
    runs = sorted(path.name for path in tmp_path.iterdir() if path.is_dir())
    assert runs[:2] == [
        "000000-optimizer-sgd-shuffles-True-widths-8x4-seed-0",
        "000001-optimizer-a_d_am-shuffles-False-widths-None-seed-1",
    ]
    assert len(runs[2]) == 64
    values = hparams_in(tmp_path / runs[0] / FILE)["session_start_info"].hparams
    assert values["optimizer"].string_value == "sgd"
    assert values["shuffles"].bool_value
    assert values["widths"].string_value == "8x4"
    assert scalars_in(tmp_path / runs[2] / FILE) == {"loss": {10: 4, 20: 3}, "final/loss": {20: 3}}


def test_an_earlier_export_is_replaced_whole(tmp_path):
    folder = tmp_path / "export"
    write_tensorboard(folder, by_hand(rate=[1.0, 2.0, 3.0]))
    write_tensorboard(folder, by_hand(rate=[4.0, 5.0, 6.0]))
    assert len([*folder.iterdir()]) == 4
    assert (folder / "000000-rate-4-seed-0" / FILE).stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [path.name for path in tmp_path.iterdir()] == ["export"]


def test_folders_of_others_are_refused_and_left_alone(tmp_path):
    result = by_hand(rate=[1.0, 2.0, 3.0])
    (tmp_path / "mine" / "sub").mkdir(parents=True)
    (tmp_path / "mine" / "sub" / "notes.txt").write_text("keep")
    (tmp_path / "file").write_text("keep")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    for name, message in (
        ("mine", "holds other files"),
        ("file", "a link or a file"),
        ("link", "a link or a file"),
    ):
        with pytest.raises(InputError, match=message):
            write_tensorboard(tmp_path / name, result)
    with pytest.raises(InputError, match="embedded null"):
        write_tensorboard("a\0b", result)
    with pytest.raises(InputError, match="File exists"):
        write_tensorboard(tmp_path / "file" / "below", result)
    assert (tmp_path / "mine" / "sub" / "notes.txt").read_text() == "keep"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link", "mine"]


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(InputError, match=re.escape("pip install 'jaxnets[tensorboard]'")):
        write_tensorboard(tmp_path / "export", by_hand(rate=[1.0, 2.0, 3.0]))


def test_a_write_that_fails_leaves_what_was_there(tmp_path, monkeypatch):
    write_tensorboard(tmp_path / "export", by_hand(rate=[1.0, 2.0, 3.0]))
    written = []

    def fill_up(path, content):
        written.append(path)
        if len(written) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("jaxnets.sweep.records.replace", fill_up)
    with pytest.raises(InputError, match="No space left on device"):
        write_tensorboard(tmp_path / "export", by_hand(rate=[4.0, 5.0, 6.0]))
    assert [path.name for path in tmp_path.iterdir()] == ["export"]
    assert (tmp_path / "export" / "000000-rate-1-seed-0" / FILE).exists()


def test_runs_of_two_lengths_have_their_own_steps(tmp_path):
    result = by_hand(num_steps=[20, 20, 40])
    steps = np.array([[10, 20], [10, np.nan], [20, 40]])
    write_tensorboard(tmp_path, dataclasses.replace(result, steps=steps))
    for cell, expected in enumerate(({10: 2, 20: 1}, {10: 3}, {20: 4, 40: 3})):
        assert scalars_in(tmp_path / run_name(result, cell) / FILE)["loss"] == expected
