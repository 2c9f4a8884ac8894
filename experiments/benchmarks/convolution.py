"""A training step of LeNet inside a compiled loop costs what it costs outside, on a CPU too.

    python -m experiments.benchmarks.convolution

Prints milliseconds a step (batch 100, Adam) for the step jitted outside a loop, for the same in
``lax.scan``, for the network of flax's own layers in both places, and for torch where it is installed. All
take turns, so that a busy machine slows them alike: trust the ratios.

Scan / outside, on two cores of a busy machine: 0.80 and 0.83 (jax 0.10.2), 0.75 (jax 0.12.0). The first
run in milliseconds: outside 121, scan 97, flax outside 152, flax in a scan 1600, torch 2.14 77. What was
tried (second layer alone, in a scan, both versions of jax):

- In canonical form each of the three convolutions costs about the same in a scan as outside.
- Strides as dilations stay fast; zeros written between the values of ``dy`` take 2.4 to 3.2 times as long.
- Windows gathered into a matrix (im2col) take 1.2 to 4.3 times as long.
- Max pooling by a sliding window, in the first layer, takes 38 ms, by a reshape 4 to 8 ms.
- ``vmap`` over four models takes 3 to 5 times as long as ``lax.map``: the convolutions become grouped ones.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import NamedTuple

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxnets import losses
from jaxnets.layers import Dropout
from jaxnets.learner import gradient
from jaxnets.models.lenet import LeNet
from jaxnets.types import Array, Batch, Float, PyTree

BATCH_SIZE, LEARNING_RATE, NUM_ROUNDS = 100, 1e-3, 4


class FlaxLeNet(nn.Module):
    """LeNet as written with flax's convolution and pooling."""

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], train: bool = False) -> Float[Array, "n k"]:
        """Logits of images."""
        for features in (32, 64):
            x = nn.max_pool(nn.relu(nn.Conv(features, (5, 5))(x)), (2, 2), (2, 2))
        a = nn.relu(nn.Dense(1024)(x.reshape(len(x), -1)))
        return nn.Dense(10)(Dropout(0.4)(a, train))


class Contestant(NamedTuple):
    """``num_steps`` training steps at once: ``state = advance(state)``."""

    advance: Callable[[PyTree], PyTree]
    state: PyTree
    num_steps: int


def noise() -> Batch:
    """Images and labels without sense: the speed does not depend on it."""
    generator = np.random.default_rng(0)
    images = generator.random((BATCH_SIZE, 28, 28, 1), dtype=np.float32)
    return Batch(images, generator.integers(0, 10, BATCH_SIZE, dtype=np.int32))


def jaxs(model: nn.Module, *, in_loop: bool, num_steps: int) -> Contestant:
    """Steps one by one, each a call of the compiled step, or all in one compiled loop."""
    learner, batch = gradient(model, losses.softmax_cross_entropy, optax.adam(LEARNING_RATE)), noise()

    def step(state: PyTree, index: Array, batch: Batch) -> PyTree:
        return learner.step(jax.random.fold_in(jax.random.key(1), index), state, batch)[0]

    def loop(state: PyTree, batch: Batch) -> PyTree:
        def body(state: PyTree, index: Array) -> tuple[PyTree, None]:
            return step(state, index, batch), None

        return jax.lax.scan(body, state, np.arange(num_steps))[0]

    def one_by_one(state: PyTree, batch: Batch) -> PyTree:
        for index in range(num_steps):
            state = compiled_step(state, index, batch)
        return state

    compiled_step, compiled_loop = (jax.jit(function, donate_argnums=0) for function in (step, loop))
    advance = compiled_loop if in_loop else one_by_one
    state = learner.init(jax.random.key(0), batch)
    return Contestant(lambda state: jax.block_until_ready(advance(state, batch)), state, num_steps)


def torchs(num_steps: int) -> Contestant:
    """The same network and optimizer in torch, step by step."""
    import torch

    layers = torch.nn
    convolutions = [
        layer
        for channels, features in ((1, 32), (32, 64))
        for layer in (layers.Conv2d(channels, features, 5, padding=2), layers.ReLU(), layers.MaxPool2d(2))
    ]
    dense = [
        layers.Flatten(),
        layers.Linear(3136, 1024),
        layers.ReLU(),
        layers.Dropout(0.4),
        layers.Linear(1024, 10),
    ]
    model, loss = layers.Sequential(*convolutions, *dense), layers.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    images, labels = (torch.as_tensor(part) for part in noise())
    images, labels = images.permute(0, 3, 1, 2).contiguous(), labels.long()

    def advance(state: PyTree) -> PyTree:
        for _ in range(num_steps):
            optimizer.zero_grad()
            loss(model(images), labels).backward()
            optimizer.step()
        return state

    return Contestant(advance, None, num_steps)


def milliseconds(contestants: dict[str, Contestant]) -> dict[str, float]:
    """The fastest round of each, a step; the first round compiles and does not count."""
    states = {name: contestant.advance(contestant.state) for name, contestant in contestants.items()}
    times = {name: [] for name in contestants}
    for _ in range(NUM_ROUNDS):
        for name, (advance, _, num_steps) in contestants.items():
            start = time.perf_counter()
            states[name] = advance(states[name])
            times[name].append(1e3 * (time.perf_counter() - start) / num_steps)
    return {name: min(found) for name, found in times.items()}


def main() -> None:
    """Measures and prints."""
    # Two steps are enough where each takes seconds.
    few = 2 if jax.default_backend() == "cpu" else 10
    contestants = {
        "jaxnets, outside a loop": jaxs(LeNet(), in_loop=False, num_steps=10),
        "jaxnets, in lax.scan": jaxs(LeNet(), in_loop=True, num_steps=10),
        "flax, outside a loop": jaxs(FlaxLeNet(), in_loop=False, num_steps=10),
        "flax, in lax.scan": jaxs(FlaxLeNet(), in_loop=True, num_steps=few),
    }
    if importlib.util.find_spec("torch"):
        contestants["torch"] = torchs(num_steps=10)
    found = milliseconds(contestants)
    print(
        f"jax {jax.__version__} on {jax.devices()[0].device_kind}: milliseconds a step of {BATCH_SIZE} images"
    )
    for name, time_per_step in found.items():
        print(f"{name:26} {time_per_step:8.1f}")
    print(f"{'scan / outside':26} {found['jaxnets, in lax.scan'] / found['jaxnets, outside a loop']:8.2f}")


if __name__ == "__main__":
    main()
