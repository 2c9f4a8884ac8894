"""One program on several devices: each runs its own copy, so that their number changes no bit."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jax.stages import Lowered

from jaxnets.check import InputError
from jaxnets.train import Run
from jaxnets.types import Metrics, PyTree

UNKNOWN_BYTES = 2**32
"""Taken for a device's memory where the system does not tell."""
_COPIES: weakref.WeakKeyDictionary = weakref.WeakKeyDictionary()
"""By data set, its arrays on each device."""


def compiled_on(devices: Sequence[jax.Device], lowered: Callable[[], Lowered]) -> list[Callable]:
    """What is lowered, compiled for each device; at the same time, since compilers use one core each.

    A program that spans devices passes other stages of the compiler, which may round otherwise.
    """
    ready = []
    for device in devices:
        with jax.default_device(device):
            ready.append(lowered())
    if len(ready) == 1:
        return [ready[0].compile()]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return [*pool.map(Lowered.compile, ready)]


class Spread:
    """``advance`` of a :class:`~jaxnets.sweep.program.Program` whose lanes are spread over devices.

    Lanes need nothing of each other, and neither do devices: no number goes from one to another.

    Args:
        programs: one a device.
        shares_seed: whether all lanes have one seed.
    """

    def __init__(
        self, programs: Sequence[Callable], devices: Sequence[jax.Device], shares_seed: bool
    ) -> None:
        mesh = Mesh(np.array(devices), ("lanes",))
        self.programs, self.devices, self.shares_seed = programs, devices, shares_seed
        self.sharding = NamedSharding(mesh, PartitionSpec("lanes"))

    def __call__(
        self, seeds: Any, hparams: Any, until: Any, run: Run, dataset: Any
    ) -> tuple[Run, Metrics, Metrics]:
        """As one program does that is as wide as all of them."""
        step, parts = np.int32(run.step), self._parts((run.state, run.status, hparams))
        seeds = [seeds] * len(parts) if self.shares_seed else self._parts(seeds)
        found = [
            program(seed, own, until, Run(state, {}, standing, step), copy)
            for program, seed, (state, standing, own), copy in zip(
                self.programs, seeds, parts, _copies(dataset, self.devices), strict=True
            )
        ]
        ends, *others = zip(*found, strict=True)
        state, standing = self._joined([(end.state, end.status) for end in ends])
        return Run(state, {}, standing, ends[0].step), *map(self._joined, others)

    def _parts(self, tree: PyTree) -> list[PyTree]:
        """Each device's lanes: what stands there already, or slices."""

        def split(values: Any) -> list[Any]:
            if isinstance(values, jax.Array) and values.sharding == self.sharding:
                there = {shard.device: shard.data for shard in values.addressable_shards}
                return [there[device] for device in self.devices]
            return np.split(np.asarray(values), len(self.devices))

        leaves, structure = jax.tree.flatten(tree)
        split_leaves = [split(leaf) for leaf in leaves]
        return [
            jax.tree.unflatten(structure, [parts[number] for parts in split_leaves])
            for number in range(len(self.devices))
        ]

    def _joined(self, trees: Sequence[PyTree]) -> PyTree:
        """Arrays whose parts stay where they are."""

        def join(*parts: jax.Array) -> jax.Array:
            shape = (sum(map(len, parts)), *parts[0].shape[1:])
            return jax.make_array_from_single_device_arrays(shape, self.sharding, [*parts])

        return jax.tree.map(join, *trees)


def _copies(dataset: Any, devices: Sequence[jax.Device]) -> list[Any]:
    """A data set on each device: copied once, for all programs, as long as there is the set."""
    known = _COPIES.setdefault(dataset, {})
    for device in devices:
        if device not in known:
            known[device] = jax.device_put(jax.tree.leaves(dataset), device)
    return [jax.tree.unflatten(jax.tree.structure(dataset), known[device]) for device in devices]


def devices_of(wanted: Any) -> tuple[jax.Device, ...]:
    """The devices that are wanted; by default all of this process.

    Raises:
        InputError: something else, one twice, or another process's.
    """
    wanted = jax.local_devices() if wanted is None else wanted
    devices = tuple(wanted) if hasattr(wanted, "__iter__") else ()
    if not devices or not all(isinstance(device, jax.Device) for device in devices):
        raise InputError(f"devices = {devices or wanted!r}, allowed is a list of jax's devices, one or more")
    if len({*devices}) < len(devices):
        raise InputError(f"devices = {devices!r}, each is allowed once")
    if others := [device for device in devices if device not in jax.local_devices(backend=device.platform)]:
        raise InputError(
            f"devices: {others[0]} is another process's, allowed are those of jax.local_devices()"
        )
    return devices


def memory_of(device: jax.Device) -> int:
    """Bytes that a device has."""
    known = (device.memory_stats() or {}).get("bytes_limit")
    if known or not hasattr(os, "sysconf"):
        return known or UNKNOWN_BYTES
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
