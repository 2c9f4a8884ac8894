"""Chunks that are stopped on their way: they go on from what was kept of it, bit for bit."""

import jax.numpy as jnp
import line_sweep
import numpy as np
import pytest
import test_sweep as base
from small_sweep import Stop, files, planned, whole

from jaxnets import sweep
from jaxnets.learner import Learner
from jaxnets.sweep import engine
from jaxnets.sweep.store import Store


@pytest.fixture
def stopped(tmp_path, monkeypatch):
    """Stops a sweep right after the way of a chunk was kept for the first, second, ... time."""

    def stopped(plan, keeps):
        kept, keep = [], Store.keep

        def keep_and_stop(self, chunk, arrays):
            keep(self, chunk, arrays)
            kept.append(chunk)
            if len(kept) == keeps:
                raise Stop

        monkeypatch.setattr(engine, "KEEP_SECONDS", -1.0)
        monkeypatch.setattr(Store, "keep", keep_and_stop)
        with pytest.raises(Stop):
            sweep.run(plan, tmp_path / "out")
        assert any(name.endswith(".part") for name in files(tmp_path / "out"))

    return stopped


@pytest.mark.parametrize("keeps", [1, 2, 3, 4])
def test_a_chunk_is_resumed_from_its_way(tmp_path, stopped, keeps):
    """In a batch, and between two."""
    stopped(planned(), keeps)
    assert base.same(sweep.run(planned(), tmp_path / "out", resume=True), whole())
    assert not any(name.endswith(".part") for name in files(tmp_path / "out"))


def narrow(hparams, settings):
    """Two numbers of four bits, the last one without a sign; of the metrics, one is of sixteen bits."""

    def step(key, state, batch):
        state = (state[0] - 1, state[1] + 3)  # over their ends, too
        return state, {"loss": hparams.rate * state[0].astype(int), "positive": state[1].astype(jnp.bfloat16)}

    start = (jnp.zeros((), jnp.int4), jnp.zeros((), jnp.uint4))
    return Learner(lambda key, batch: start, step, lambda state, inputs: inputs)


def test_narrow_numbers_are_resumed_bit_for_bit(tmp_path, stopped):
    settings = line_sweep.Settings(num_steps=20)
    plan = line_sweep.planned(line_sweep.TRIAL._replace(learner=narrow, settings=settings))
    expected = sweep.run(plan)
    numbers = np.arange(1, 21)
    np.testing.assert_array_equal(expected.history["loss"][-1], 0.5 * ((8 - numbers) % 16 - 8))
    np.testing.assert_array_equal(expected.history["positive"][-1], 3 * numbers % 16)
    stopped(plan, 9)
    resumed = sweep.run(plan, tmp_path / "out", resume=True)
    assert base.same(resumed, expected)
    assert not resumed.damaged
