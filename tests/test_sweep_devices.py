"""Several devices: arrays stay where they are, data are copied to each once, evaluation is on the first."""

import gc
import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from line_sweep import TRIAL, planned, rows
from small_sweep import environment

from jaxnets import sweep
from jaxnets.sweep import devices, way
from jaxnets.sweep.devices import Spread

SCRIPT = "import json, test_sweep_devices as own; print(json.dumps(own.seen_on_two_devices()))"


@pytest.fixture(scope="module")
def seen():
    """By a process that has two devices."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment(XLA_FLAGS="--xla_force_host_platform_device_count=2"),
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def seen_on_two_devices():
    """The plan's first device is the process's second; the data stand on the other one."""
    process_first, plan_first = jax.devices()
    dataset = jax.device_put(rows(None), process_first)
    trial = TRIAL._replace(data=lambda settings: dataset, evaluate=places)
    with pytest.MonkeyPatch.context() as patched:
        copied = counted(patched)
        plan = planned(trial, devices=[plan_first, process_first])
        result = sweep.run(plan)
        (part,) = plan.parts
        inside = moved(part)
    columns = {name: result.columns[name].tolist() for name in ("state", "data", "new")}
    held = len(devices._COPIES)
    del plan, part, result
    gc.collect()
    return {"evaluated": columns, "copied": copied, "held": [held, len(devices._COPIES)], "moved": inside}


def places(learner, state, dataset):
    """On which device each thing stands."""
    arrays = {"state": state, "data": dataset.train.inputs, "new": jnp.zeros(())}
    return {name: next(iter(array.devices())).id for name, array in arrays.items()}


def counted(patched):
    """The devices that data sets are copied to, in their order."""
    found, put = [], jax.device_put

    def count(leaves, device):
        found.append(device.id)
        return put(leaves, device)

    patched.setattr(devices.jax, "device_put", count)
    return found


def advanced(part, before=None):
    """One entry further, with all cells that the program has lanes for."""
    return part.advanced(part.batches_among(np.arange(5))[0], before or way.begun(part.program))


def moved(part):
    """Where a state's parts stand after an entry, and where those that each program of another is given."""
    before, given, first = advanced(part), [], part.program.advance

    def noting(program):
        def advance(seed, hparams, until, run, dataset):
            given.append(place_of(run.state))
            return program(seed, hparams, until, run, dataset)

        return advance

    after = [place_of(shard.data) for shard in before.run.state.addressable_shards]
    second = Spread([*map(noting, first.programs)], first.devices, first.shares_seed)
    candidate = part.candidates[0]._replace(program=part.program._replace(advance=second))
    advanced(part._replace(candidates=(candidate,)), before)
    return {"after": after, "given": given}


def place_of(array):
    """Device and address; nothing of one in the host's memory."""
    is_there = isinstance(array, jax.Array)
    return [next(iter(array.devices())).id, array.unsafe_buffer_pointer()] if is_there else None


def test_what_stands_on_a_device_goes_into_its_program_from_there(seen):
    assert [device for device, _ in seen["moved"]["after"]] == [1, 0]
    assert seen["moved"]["given"] == seen["moved"]["after"]


def test_final_numbers_are_made_on_the_plans_first_device(seen):
    assert seen["evaluated"] == {name: [1.0] * 5 for name in ("state", "data", "new")}


def test_data_are_copied_to_each_device_once_for_all_programs(seen):
    assert seen["copied"] == [1, 0]


def test_copies_are_given_back_with_the_data(seen):
    assert seen["held"] == [1, 0]
