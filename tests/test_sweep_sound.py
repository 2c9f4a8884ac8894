"""Files that are whole but hold other arrays than their cells have: named, and made anew."""

import jax.numpy as jnp
import line_sweep
import numpy as np
import pytest
import test_sweep as base
from small_sweep import Stop, planned, stop, whole

from jaxnets import sweep
from jaxnets.learner import Learner
from jaxnets.sweep import engine, sound
from jaxnets.sweep import way as ways
from jaxnets.sweep.identity import manifest_of
from jaxnets.sweep.store import Store


def test_chunks_of_the_right_cells_with_wrong_arrays_are_named_and_made_anew(tmp_path):
    folder, ready = tmp_path / "out", planned()
    sweep.run(ready, folder)
    with Store(folder, manifest_of(ready, {}), resume=True) as store:
        for number, damage in enumerate([{"kept_steps": None}, {"status": np.ones}, {"final/cell": np.ones}]):
            store.finish(number, changed(store.finished(number), damage))
    result = sweep.run(ready, folder, resume=True)
    assert base.same(result, whole())
    assert result.damaged == [f"chunk {number}: not the arrays of its cells" for number in range(3)]


def changed(arrays, changes):
    """With other arrays, made of the number of cells, or without (None)."""
    kept = {name: array for name, array in arrays.items() if changes.get(name, 1) is not None}
    return kept | {name: make(len(arrays["cell"])) for name, make in changes.items() if make}


@pytest.mark.parametrize(
    "damage",
    [
        {"cell": None}, {"cell": np.arange}, {"status": None}, {"status": np.zeros}, {"kept_steps": None},
        {"status": lambda num: np.full(num, 3, np.int8)}, {"status": lambda num: np.full(num, -1, np.int8)},
        {"kept_steps": lambda num: np.full(num, 51, np.int32)}, {"history/loss": None},
        {"history/loss": np.ones}, {"history/loss": lambda num: np.ones((num, 4))},
        {"history/loss": lambda num: np.ones((num, 3, 1))}, {"history/other": lambda num: np.ones((num, 3))},
        {"history/loss": lambda num: np.ones((num, 3), int)}, {"final/test_accuracy": None},
        {"history/loss": lambda num: np.ones((num, 3), ">f4")}, {"final/cell": np.ones}, {"final/x": np.ones},
        {"final/test_accuracy": lambda num: np.ones((num, 2))}, {"other": np.ones},
    ],
)  # fmt: skip
def test_every_array_of_a_chunk_is_what_it_should_be(damage):
    part, names = planned().parts[0], ("learning_rate",)
    positions = part.chunks[0]
    arrays = {
        "cell": part.group.numbers[positions], "status": np.zeros(4, np.int8),
        "kept_steps": np.full(4, 50, np.int32),
    }  # fmt: skip
    arrays |= {f"history/{name}": np.ones((4, 3), np.float32) for name in part.program.metrics}
    arrays |= {"final/test_accuracy": np.ones(4, np.float32)}
    assert sound.is_record(arrays, part, positions, None)
    assert sound.is_record(arrays | {"final/x": np.ones(4)}, part, positions, names)
    assert not sound.is_record(arrays | {"final/learning_rate": np.ones(4)}, part, positions, names)
    assert not sound.is_record(changed(arrays, damage), part, positions, None)


def narrow(hparams, settings):
    """Loss of 16 bits, state of 16 and of four, with a sign and without."""

    def step(key, state, batch):
        wide, signed, positive = state
        loss = 1 - wide[0] + signed.astype(wide.dtype) + positive.astype(wide.dtype)
        return (wide + hparams.rate.astype(wide.dtype), signed - 3, positive + 5), {"loss": loss}

    start = jnp.zeros(3, jnp.bfloat16), jnp.zeros((), jnp.int4), jnp.zeros((), jnp.uint4)
    return Learner(lambda key, batch: start, step, lambda state, inputs: inputs)


def test_states_of_narrow_numbers_are_gone_on_with(tmp_path, monkeypatch):
    ready = line_sweep.planned(line_sweep.TRIAL._replace(learner=narrow), chunk_size=5)
    monkeypatch.setattr(engine, "KEEP_SECONDS", -1.0)
    monkeypatch.setattr(Store, "finish", stop)
    with pytest.raises(Stop):
        sweep.run(ready, tmp_path / "run")
    monkeypatch.undo()
    result = sweep.run(ready, tmp_path / "run", resume=True)
    assert base.same(result, sweep.run(ready))
    halved = [sweep.halve(ready, "loss", out=tmp_path / "halved", resume=resume) for resume in (False, True)]
    assert base.same(*halved)
    assert [*result.damaged, *halved[1].damaged] == []


def stopped_at(step, part, batch):
    """The arrays of runs that were stopped, without their numbers."""
    begun, num_entries = ways.begun(part.program), -(-step // part.program.interval)
    names = (*part.program.metrics, "step")
    entries = {name: np.ones((part.program.width, num_entries), np.float32) for name in names}
    final = {name: np.ones(part.program.width, np.float32) for name in part.program.finals}
    way = ways.Way(begun.run._replace(step=np.int32(step)), entries, final)
    return way.arrays(len(batch)) | {"cell": part.group.numbers[batch]}


@pytest.mark.parametrize(
    "damage",
    [
        {"cell": None}, {"cell": lambda num: np.arange(7, 7 + num, dtype=np.int32)}, {"other": np.ones},
        {"step": None}, {"step": lambda _: np.array(21, np.int32)}, {"step": lambda _: np.array(20)},
        {"status": lambda num: np.full(num, 3, np.int32)}, {"run/0": None}, {"run/0": np.ones},
        {"run/8": lambda num: np.full(num, 9, np.int32)}, {"entry/loss": np.ones}, {"entry/step": None},
    ],
)  # fmt: skip
def test_every_array_of_a_stop_is_what_it_should_be(damage):
    part = planned().parts[0]
    batch = part.chunks[0][:2]
    arrays = stopped_at(20, part, batch)
    assert sound.is_stop(arrays, part, batch, 20)
    assert not sound.is_stop(arrays, part, batch, 40)
    assert not sound.is_stop(changed(arrays, damage), part, batch, 20)


@pytest.mark.parametrize(
    "damage",
    [
        {"width": None}, {"width": lambda _: np.array(2.0)}, {"width": lambda _: np.array([2])},
        {"batch": None}, {"batch": lambda _: np.array(2)}, {"batch": lambda _: np.array(-1)},
        {"0/cell": None}, {"way/step": None}, {"way/step": lambda _: np.array(21, np.int32)},
        {"way/step": lambda _: np.array(50, np.int32)}, {"way/run/0": None}, {"way/run/0": np.ones},
        {"way/entry/loss": lambda _: np.ones((2, 2))}, {"way/entry/step": None}, {"2/cell": np.ones},
        {"way/run/8": lambda _: np.full(2, 9, np.int32)}, {"other": np.ones},
    ],
)  # fmt: skip
def test_a_way_of_another_shape_is_named_and_made_anew(tmp_path, monkeypatch, damage):
    monkeypatch.setattr(engine, "KEEP_SECONDS", -1.0)
    keep = Store.keep

    def keep_and_stop(self, chunk, arrays):
        keep(self, chunk, arrays)
        if arrays["batch"] == 1:
            keep(self, chunk, changed(arrays | {"cell": np.zeros(2)}, damage | {"cell": None}))
            raise Stop

    monkeypatch.setattr(Store, "keep", keep_and_stop)
    with pytest.raises(Stop):
        sweep.run(planned(), tmp_path / "out")
    monkeypatch.undo()
    result = sweep.run(planned(), tmp_path / "out", resume=True)
    assert base.same(result, whole())
    assert result.damaged == ["000000.part: not the state of its cells"]
