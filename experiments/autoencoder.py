"""Digits 1, 5 and 6 through a code of two numbers: an autoencoder, one that denoises, and a variational one.

Source: tanh 784-500-300-2-300-500-784, whose two code units are linear, as in Hinton & Salakhutdinov 2006
(their other units are logistic); noise, Vincent et al. 2008; the variational row, Kingma & Welling 2014, and
its tighter bound, Burda et al. 2016.
Command: python -m experiments autoencoder
Expected: mean squared error of a pixel on mnist5k's test digits (of noisy images), mean ± std over 5 seeds on
2 CPU cores, 2026-11-22: pca 0.042 (0.043), autoencoder 0.029 ± 0.000 (0.051 ± 0.002), denoising 0.029 ± 0.000
(0.030 ± 0.000), variational 0.029 ± 0.001 (0.071 ± 0.002), whose ELBO is -113.0 ± 1.7 nats, 0.208 ± 0.003
bits a pixel, below an importance-weighted bound of -110.3 ± 1.2; 30 seconds a fit on a busy machine. On mnist
the autoencoder reaches 0.027 ± 0.000; the ELBO is -108.5 ± 0.8 nats, 0.200 ± 0.002 bits, where independent
pixels have -182.5.

The variational row takes pixels as binary: rounded, 1 above 1/2, not sampled; its likelihoods compare with
others of rounded digits alone. Squared errors are of the grey pixels, in all rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

from experiments._contract import Goal
from jaxnets import losses, plot, schedules, train
from jaxnets.check import NON_NEGATIVE, POSITIVE, InputError, Interval
from jaxnets.data import Dataset, load
from jaxnets.learner import Learner, gradient
from jaxnets.models import autoencoder, variational
from jaxnets.types import Array, Batch, Bool, Float, Metrics, State

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result

DIGITS = (1, 5, 6)
WAYS = ((1, 5), (5, 6), (6, 1))
NOISE = 0.5
"""Deviation of what is added to the pixels in everyone's second test, and in the denoising row's training."""
NEAR = 0.75
"""How far from a place of the canvas, in its tiles, an image's code may be for what is there to be drawn."""


class Hparams(NamedTuple):
    """Traced scalars."""

    learning_rate: Annotated[float, NON_NEGATIVE] = 1e-3
    """Peak of Adam's rate."""
    noise: Annotated[float, POSITIVE] = NOISE
    """Deviation of what is added to the pixels while the row ``denoising`` trains; 0 in the others."""


class Settings(NamedTuple):
    """Static choices."""

    model: tyro.conf.Fixed[Literal["pca", "autoencoder", "denoising", "variational"]] = "autoencoder"
    """Which learner; ``--rows`` chooses among them."""
    dataset: str = "mnist5k"
    """Images of the ten digits."""
    widths: tuple[Annotated[int, Interval(1, 2**20)], ...] = (500, 300)
    """Hidden units of the encoder; the decoder has them in reverse."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 1500
    """Updates."""
    batch_size: Annotated[int | None, Interval(1)] = 50
    """Images an update; all if None."""


MNIST = {"dataset": "mnist"}
GOALS = (
    Goal("test_mse", at_most=0.035, row="autoencoder", settings=MNIST),
    Goal("elbo", at_least=-110.0, row="variational", settings=MNIST),
    Goal("bits_per_pixel", at_most=0.203, row="variational", settings=MNIST),
    Goal("mse_over_pca", at_most=1.0),
    Goal("noisy_mse_over_plain", at_most=1.0),
)
SMALL = {"widths": (8, 4), "batch_size": 10}


def data(settings: Settings) -> Dataset:
    """Images of the three digits, each its own target; the labels are for the pictures."""
    return _load(settings.dataset)


@functools.lru_cache(maxsize=1)
def _load(name: str) -> Dataset:
    dataset = load(name)
    if dataset.num_classes != 10 or np.ndim(dataset.train.inputs) != 4:
        raise InputError(f"data set {name!r}: images of the ten digits are needed")
    return Dataset(_only_digits(dataset.train), test=_only_digits(dataset.test), name=dataset.name)


def _only_digits(rows: Batch) -> Batch:
    images, labels = (leaf[np.isin(rows.targets, DIGITS)] for leaf in rows)
    return Batch(images, {"images": images, "labels": labels})


def network(hparams: Hparams, settings: Settings) -> nn.Module:
    """784-500-300-2-300-500-784, twice."""
    shape = data(settings).train.inputs.shape[1:]
    if settings.model == "variational":
        means = variational.pixel_means(data(settings).train.inputs)
        return variational.VariationalAutoencoder(shape, settings.widths, mean_image=means)
    noise = hparams.noise * (settings.model == "denoising")
    return autoencoder.Autoencoder(shape, settings.widths, noise=noise)


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """Mean squared error, or the negative ELBO; principal components are solved at once."""
    if settings.model == "pca":
        return autoencoder.principal_components(num_codes=2)
    rate = schedules.warmup_cosine(
        hparams.learning_rate, num_warmup=settings.num_steps // 20, num_steps=max(1, settings.num_steps)
    )
    loss = _negative_elbo if settings.model == "variational" else _squared_error
    return gradient(network(hparams, settings), loss, optax.adam(rate))


def _squared_error(outputs: dict[str, Array], targets: dict[str, Array]) -> Float[Array, ""]:
    return losses.squared_error(outputs["images"], targets["images"])


def _negative_elbo(outputs: dict[str, Array], targets: dict[str, Array]) -> Float[Array, ""]:
    return -outputs["elbo"].mean()


def evaluate(learner: Learner, state: State, dataset: Dataset) -> Metrics:
    """Squared error per pixel, of clean images and of noisy ones; bounds where there is a likelihood."""
    return _measure(learner)(state, dataset.test.inputs)


@functools.lru_cache(maxsize=1)
def _measure(learner: Learner) -> Callable[[State, Array], Metrics]:
    """One compilation for all seeds of a row."""

    def measure(state: State, images: Float[Array, "n h w c"]) -> Metrics:
        outputs = train.predict(learner, state, images)
        cleaned = train.predict(learner, state, _noisy(images))["images"]
        numbers = {
            "test_mse": losses.squared_error(outputs["images"], images),
            "test_mse_noisy": losses.squared_error(cleaned, images),
        }
        if "log_weights" not in outputs:
            return numbers
        elbo = variational.evidence_bound(outputs["log_weights"])
        tighter = variational.importance_bound(outputs["log_weights"])
        bits = variational.bits_per_pixel(elbo, num_pixels=images[0].size)
        return numbers | {"elbo": elbo, "importance_bound": tighter, "bits_per_pixel": bits}

    return jax.jit(measure)


def _noisy(images: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    return images + NOISE * jax.random.normal(jax.random.key(1), images.shape)


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """The linear autoencoder first, as the reference."""
    return {
        "pca": (Hparams(), Settings("pca", num_steps=1, batch_size=None)),
        "autoencoder": (Hparams(), Settings()),
        "denoising": (Hparams(), Settings("denoising")),
        "variational": (Hparams(), Settings("variational")),
    }


def checks(results: list[Result], dataset: Dataset) -> dict[str, float]:
    """Errors over PCA's and over the plain autoencoder's; the ELBO between independent pixels and a bound."""
    pca, plain, denoising, sampled = (result.metrics for result in results)
    means = variational.pixel_means(dataset.train.inputs)
    independent = float(variational.independent_pixels(dataset.test.inputs, means).mean())
    return {
        "mse_over_pca": plain["test_mse"].mean() / pca["test_mse"].mean(),
        "noisy_mse_over_plain": denoising["test_mse_noisy"].mean() / plain["test_mse_noisy"].mean(),
        "log_likelihood_of_independent_pixels": independent,
        "elbo_above_independent_pixels": (sampled["elbo"] - independent).min(),
        "importance_bound_above_elbo": (sampled["importance_bound"] - sampled["elbo"]).min(),
    }


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Where the digits lie, what lies between them, what is drawn at random, and what becomes of noise."""
    pictures = {"reconstructions": _reconstructions(results, dataset.test)}
    for result in results:
        outputs = _predict(result, dataset.test.inputs)
        pictures[f"codes_{result.name}"] = plot.latent_scatter(
            outputs["codes"],
            dataset.test.targets["labels"],
            title=f"{result.name}: codes of the test images",
            class_names="0123456789",
        )
        if result.settings.model != "pca":
            learned = _predict(result, dataset.train.inputs[:1500])["codes"]
            pictures[f"canvas_{result.name}"] = _canvas(result, learned)
            pictures[f"between_{result.name}"] = _between(result, outputs, dataset.test)
        if result.settings.model == "variational":
            pictures[f"generated_{result.name}"] = _generated(result)
    return pictures


def _predict(result: Result, images: Float[Array, "n h w c"]) -> dict[str, np.ndarray]:
    return jax.device_get(train.predict(result.learner, result.runs[0].state, images))


def _decode(result: Result, codes: Float[Array, "n 2"]) -> Float[np.ndarray, "n h w c"]:
    params = {"params": result.runs[0].state.params}
    model = network(result.hparams, result.settings)
    return np.asarray(model.apply(params, jnp.asarray(codes, jnp.float32), method="decode"))


def _canvas(result: Result, codes: Float[Array, "n 2"], side: int = 20) -> Figure:
    """Decoded codes: a grid of the quantiles of training images' codes, blank where none of them is near."""
    x, y = np.quantile(codes, np.linspace(0.02, 0.98, side), axis=0).T
    grid = np.stack(np.meshgrid(x, y[::-1]), axis=-1).reshape(-1, 2)
    tiles = np.where(_are_near(grid, codes, x, y)[:, None, None], _decode(result, grid)[..., 0], 0)
    title = f"{result.name}: decoded codes, blank where no training image's is near"
    return plot.canvas(tiles.reshape(side, side, *tiles.shape[1:]), x=x, y=y[::-1], title=title)


def _are_near(
    grid: Float[Array, "g 2"], codes: Float[Array, "n 2"], *quantiles: Float[Array, " s"]
) -> Bool[np.ndarray, " g"]:
    """Whether some code is within ``NEAR``: far from all of them the decoder has learned nothing."""

    def tiles(points: Float[Array, "p 2"]) -> Float[np.ndarray, "p 2"]:
        """Where points lie, counted in tiles; NaN outside the canvas."""
        axes = ((values, ticks, range(len(ticks))) for values, ticks in zip(points.T, quantiles, strict=True))
        return np.stack([np.interp(*axis, left=np.nan, right=np.nan) for axis in axes], axis=1)

    gaps = np.linalg.norm(tiles(grid)[:, None] - tiles(codes)[None], axis=2)
    return np.nanmin(gaps, axis=1) < NEAR


def _between(result: Result, outputs: dict[str, Array], test: Batch, steps: int = 8) -> Figure:
    """Decoded codes: on the straight line from a digit's best rebuilt test image to the next digit's.

    A digit's mean code may lie among another digit's codes, so images are the ends.
    """
    errors = np.square(outputs["images"] - test.inputs).mean(axis=(1, 2, 3))
    best = {d: np.argmin(np.where(test.targets["labels"] == d, errors, np.inf)) for d in DIGITS}
    ways = [np.linspace(*outputs["codes"][[best[start], best[end]]], steps) for start, end in WAYS]
    titles = [text for start, end in WAYS for text in (f"{start}", *[""] * (steps - 2), f"{end}")]
    title = f"{result.name}: along straight lines between the codes of two test images"
    return plot.image_grid(_decode(result, np.concatenate(ways)), titles, title=title, columns=steps)


def _generated(result: Result, count: int = 32) -> Figure:
    """New digits: decoded draws from the prior."""
    codes = np.random.default_rng(0).normal(size=(count, 2))
    title = f"{result.name}: decoded draws from the prior"
    return plot.image_grid(_decode(result, codes), [""] * count, title=title)


def _reconstructions(results: list[Result], test: Batch, each: int = 3) -> Figure:
    """Test images of each digit, clean and noisy, and what the rows make of them."""
    chosen = np.concatenate([np.flatnonzero(test.targets["labels"] == digit)[:each] for digit in DIGITS])
    clean, noisy = (np.asarray(images)[chosen] for images in (test.inputs, _noisy(test.inputs)))
    lines = {"clean": clean, "noisy": noisy}
    for result in results:
        lines[result.name] = _predict(result, clean)["images"]
        lines[f"{result.name}, of noisy"] = _predict(result, noisy)["images"]
    images = np.clip(np.concatenate(list(lines.values())), 0, 1)
    return plot.image_grid(images, [""] * len(images), row_titles=[*lines], columns=len(chosen))
