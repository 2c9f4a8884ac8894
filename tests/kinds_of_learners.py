"""Learners of every kind, a sweep of each that is compiled once, and their cells trained by hand."""

import dataclasses
import functools

import flax.linen as nn
import jax
import numpy as np
import optax

from jaxnets import data, gradient, layers, losses, models, sweep
from jaxnets.data import synthetic
from jaxnets.sweep import Grid
from jaxnets.sweep import way as ways
from jaxnets.sweep.cells import groups
from jaxnets.sweep.fields import resolved
from jaxnets.types import Batch

NUM_STEPS = 24
RATES = [0.003, 0.01, 0.02, 0.03, 0.05, 0.1, 1e30, 3e38]
HEALTHY = range(6)
IRIS = data.load("iris").replace(test=None)
random_rows = np.random.default_rng(0)
IMAGES = Batch(random_rows.normal(size=(20, 6, 6, 1)).astype(np.float32), np.arange(20) % 3)
SERIES = Batch(random_rows.normal(size=(20, 5, 2)).astype(np.float32), np.arange(20) % 3)
LINE = Batch(IRIS.train.inputs, IRIS.train.inputs.sum(axis=1, keepdims=True))


class Normed(nn.Module):
    """A network with batch statistics."""

    @nn.compact
    def __call__(self, x, train: bool):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(6, use_bias=False)(x))
        return nn.Dense(3)(nn.relu(x))


class Dropped(nn.Module):
    """A network with dropout."""

    @nn.compact
    def __call__(self, x, train: bool):
        return nn.Dense(3)(layers.Dropout(0.3)(nn.relu(nn.Dense(6)(x)), train))


class Convolved(nn.Module):
    """A small convolutional network."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.relu(nn.Conv(4, (3, 3))(x)).reshape(len(x), -1))


class Recurrent(nn.Module):
    """A recurrent network that reads the state at the end of a sequence."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(3)(nn.RNN(nn.SimpleCell(4))(x)[:, -1])


def classifier(model, optimizer=optax.sgd):
    return lambda hparams: gradient(model, losses.softmax_cross_entropy, optimizer(hparams.rate))


def decaying(rate):
    return optax.sgd(optax.cosine_decay_schedule(rate, NUM_STEPS))


def gibbs(hparams):
    """A sampler whose loss, and nothing else, is multiplied: a rate of 1 leaves it, 1e38 lets it diverge."""
    sampler = models.bpmf(num_users=6, num_items=5, rank=2, num_samples=4)

    def step(key, state, batch):
        state, metrics = sampler.step(key, state, batch)
        return state, {"loss": 1e3 * hparams.rate * metrics["loss"]}

    return sampler._replace(step=step)


KINDS = {
    "mlp": (classifier(models.MLP((6,), 3)), IRIS),
    "momentum": (classifier(models.MLP((6,), 3), functools.partial(optax.sgd, momentum=0.9)), IRIS),
    "adam": (classifier(models.MLP((6,), 3), optax.adam), IRIS),
    "schedule": (classifier(models.MLP((6,), 3), decaying), IRIS),
    "dropout": (classifier(Dropped()), IRIS),
    "batch norm": (classifier(Normed()), IRIS),
    "cnn": (classifier(Convolved()), IMAGES),
    "rnn": (classifier(Recurrent()), SERIES),
    "gibbs": (gibbs, synthetic.low_rank_ratings(
        jax.random.key(1), num_users=6, num_items=5, num_examples=25, rank=2
    )),
    "line": (lambda hparams: gradient(nn.Dense(1), losses.squared_error, optax.sgd(hparams.rate)), LINE),
}  # fmt: skip


@functools.cache
def plan_of(kind, lanes):
    """Eight cells, two of which diverge at once; compiled once for all tests."""
    make, rows = KINDS[kind]
    return sweep.plan(make, Grid(rate=RATES), rows, num_steps=NUM_STEPS, batch_size=8, lanes=lanes)


def of_cells(plan, grid, seeds=None):
    """The plan of other cells, trained by the program that there is."""
    (part,), grid = plan.parts, resolved(plan.trial, grid)
    seeds = seeds or [*plan.seeds]
    (group,) = groups(plan.trial, grid, seeds)
    return dataclasses.replace(plan, grid=grid, seeds=tuple(seeds), parts=(part._replace(group=group),))


def trained(part, batch, stops=(NUM_STEPS,)):
    """A batch's arrays at its end; at each stop it is laid down as arrays and taken up again."""
    way = ways.begun(part.program)
    for stop in stops:
        while way.step < stop:
            way = part.advanced(np.array(batch), way, stop)
        way = ways.of_arrays(part.program, way.arrays(len(batch)))
    return way.arrays(len(batch))
