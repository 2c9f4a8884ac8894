"""Every classifier, from least squares to LeNet, on the same handwritten digits, side by side.

Source: the courses' path from perceptron to SVM and LeNet; scikit-learn's own figures on these rows are
rbf SVC 0.957, MLP 0.937, linear SVC 0.925, logistic 0.903, perceptron 0.864, LDA 0.860, ridge 0.834.
Command: python -m experiments classifiers
Expected: test accuracy on mnist5k (4,000 rows to train, 1,000 to test, one split), mean ± std over 5
seeds on 2 CPU cores, 2026-11-22: lenet 0.982 ± 0.002, rbf_svm 0.961 ± 0.000, kernel_discriminant 0.954 ±
0.000, mlp 0.952 ± 0.003, linear_svm 0.929 ± 0.000, softmax_regression 0.911 ± 0.000, pegasos 0.904 ±
0.001, averaged_perceptron 0.901 ± 0.003, one_vs_rest 0.900 ± 0.000, primal_svm 0.900 ± 0.000, perceptron
0.861 ± 0.010, lda 0.853 ± 0.000, ridge 0.816 ± 0.000; two minutes with the default seeds. On mnist
(10,000 test images, 1 seed, five minutes): lenet 0.988, mlp 0.985, rbf_svm 0.957, kernel_discriminant
0.950, softmax_regression 0.926, averaged_perceptron 0.925, one_vs_rest 0.919, linear_svm 0.918,
primal_svm 0.917, perceptron 0.891, lda 0.876, ridge 0.860.

On `--dataset mnist` the kernel methods see a stratified draw of 4,000 rows; the table's column "rows"
says so. Any data set of :mod:`jaxnets.data` with classes will do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, NamedTuple

import numpy as np
import optax
import tyro

from experiments._contract import Goal
from experiments._data import load
from jaxnets import kernels, losses, models, plot, schedules, train
from jaxnets.check import FRACTION, NON_NEGATIVE, POSITIVE, InputError, Interval, choice
from jaxnets.data import Dataset, impute, split, standardise
from jaxnets.learner import Learner, gradient
from jaxnets.metrics import classification

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from experiments._run import Result


class Hparams(NamedTuple):
    """Traced scalars; each model reads its own."""

    learning_rate: Annotated[float, NON_NEGATIVE] = 1e-3
    """Peak of the networks' rate (Adam)."""
    dropout: Annotated[float, FRACTION] = 0.4
    """Share of LeNet's 1024 units left out in training."""
    l2: Annotated[float, POSITIVE] = 10.0
    """Penalty of logistic regression, 0.5 l2 |w|^2 beside the summed loss."""
    pegasos_l2: Annotated[float, POSITIVE] = 1e-3
    """Penalty of the linear SVM that is trained by stochastic subgradients, beside the mean loss."""
    alpha: Annotated[float, NON_NEGATIVE] = 1.0
    """Penalty of least squares."""
    shrinkage: Annotated[float, FRACTION] = 0.1
    """Of the covariance in LDA, towards a sphere."""
    regularization: Annotated[float, POSITIVE] = 3e-4
    """Of the within-class scatter in the kernel discriminant."""
    C: Annotated[float, POSITIVE] = 5.0
    """Price of a violated margin in the rbf SVM."""
    linear_C: Annotated[float, POSITIVE] = 0.1
    """The same in the SVM with a linear kernel."""
    primal_C: Annotated[float, POSITIVE] = 0.01
    """The same, squared, in the linear SVM that is solved in the primal."""
    gamma: Annotated[float, POSITIVE] = 1.0
    """Kernel width, in units of 1 / (features x variance)."""


class Settings(NamedTuple):
    """Static choices."""

    model: tyro.conf.Fixed[str] = "softmax_regression"
    """Which learner; ``--rows`` chooses among them."""
    dataset: str = "mnist5k"
    """A name or a file, see jaxnets.data."""
    num_train: Annotated[int | None, Interval(1)] = None
    """Training rows at most, a stratified draw; all if None."""
    num_steps: Annotated[int, Interval(0, 2**31 - 1)] = 1
    """Updates; 1 for what is solved at once."""
    batch_size: Annotated[int | None, Interval(1)] = None
    """Rows an update; all if None."""
    widths: tuple[Annotated[int, Interval(1, 2**20)], ...] = (512,)
    """Hidden units of the MLP."""
    num_classes: tyro.conf.Fixed[int | None] = None
    """As many as the data set has, if None."""


metrics = classification


def data(settings: Settings) -> Dataset:
    """Images as they are, in [0, 1]; columns of numbers standardised."""
    dataset = load(settings.dataset, allow_missing=True)
    inputs, needed = dataset.train.inputs, "labels of classes and inputs that are numbers are needed"
    if dataset.num_classes is None or not isinstance(inputs, np.ndarray) or inputs.dtype.kind != "f":
        raise InputError(f"data set {settings.dataset!r}: {needed}")
    if settings.num_train is not None and settings.num_train < len(dataset.train.targets):
        dataset = split(dataset, num_examples=settings.num_train)
    return dataset if inputs.ndim > 2 else standardise(impute(dataset))


def learner(hparams: Hparams, settings: Settings) -> Learner:
    """The learner named in the settings."""
    choice("model", settings.model, LEARNERS)
    if settings.batch_size is not None and settings.model not in STOCHASTIC:
        raise InputError(f"{settings.model} learns from all rows at once, without --batch-size")
    return LEARNERS[settings.model](hparams, settings)


def _adam(hparams: Hparams, settings: Settings) -> optax.GradientTransformation:
    rate = schedules.warmup_cosine(
        hparams.learning_rate, num_warmup=settings.num_steps // 10, num_steps=max(1, settings.num_steps)
    )
    return optax.adam(rate)


def _mlp(hparams: Hparams, settings: Settings) -> Learner:
    model = models.MLP(widths=settings.widths, num_outputs=settings.num_classes)
    return gradient(model, losses.softmax_cross_entropy, _adam(hparams, settings))


def _lenet(hparams: Hparams, settings: Settings) -> Learner:
    model = models.LeNet(num_classes=settings.num_classes, dropout_rate=hparams.dropout)
    return gradient(model, losses.softmax_cross_entropy, _adam(hparams, settings))


def _kernel(hparams: Hparams) -> kernels.Kernel:
    return kernels.scaled(kernels.rbf, hparams.gamma)


GOALS = (
    Goal("test_accuracy", at_least=0.97, row="lenet"),
    Goal("test_accuracy", at_least=0.95, row="rbf_svm", seeds=1),
    Goal("test_accuracy", at_least=0.935, row="mlp"),
    Goal("test_accuracy", at_least=0.89, row="softmax_regression", seeds=1),
)

LEARNERS: dict[str, Callable[[Hparams, Settings], Learner]] = {
    "ridge": lambda h, s: models.ridge_classifier(num_classes=s.num_classes, alpha=h.alpha),
    "perceptron": lambda h, s: models.perceptron(num_classes=s.num_classes),
    "averaged_perceptron": lambda h, s: models.perceptron(num_classes=s.num_classes, averaged=True),
    "lda": lambda h, s: models.linear_discriminant(num_classes=s.num_classes, shrinkage=h.shrinkage),
    "one_vs_rest": lambda h, s: models.logistic_regression(
        num_classes=s.num_classes, l2=h.l2, loss=models.one_vs_rest_cross_entropy
    ),
    "softmax_regression": lambda h, s: models.logistic_regression(num_classes=s.num_classes, l2=h.l2),
    "pegasos": lambda h, s: models.pegasos(num_classes=s.num_classes, l2=h.pegasos_l2),
    "primal_svm": lambda h, s: models.linear_svm(num_classes=s.num_classes, C=h.primal_C),
    "linear_svm": lambda h, s: models.kernel_svm(
        num_classes=s.num_classes, kernel=kernels.linear(), C=h.linear_C
    ),
    "kernel_discriminant": lambda h, s: models.kernel_discriminant(
        num_classes=s.num_classes, kernel=_kernel(h), regularization=h.regularization
    ),
    "rbf_svm": lambda h, s: models.kernel_svm(num_classes=s.num_classes, kernel=_kernel(h), C=h.C),
    "mlp": _mlp,
    "lenet": _lenet,
}
"""A row of the table each, simplest first."""

STOCHASTIC = ("perceptron", "averaged_perceptron", "pegasos", "mlp", "lenet")
"""Learners whose steps may see a part of the rows."""


def variants() -> dict[str, tuple[Hparams, Settings]]:
    """A row for each learner, simplest first."""
    settings = {name: Settings(model=name) for name in LEARNERS}
    for name in ("one_vs_rest", "softmax_regression", "primal_svm"):
        settings[name] = settings[name]._replace(num_steps=800)
    settings["pegasos"] = settings["pegasos"]._replace(num_steps=4000, batch_size=50)
    for name in ("perceptron", "averaged_perceptron"):
        settings[name] = settings[name]._replace(num_steps=1000, batch_size=100)
    for name in ("linear_svm", "kernel_discriminant", "rbf_svm"):
        settings[name] = settings[name]._replace(num_train=4000)
    settings["mlp"] = Settings(model="mlp", num_steps=5000, batch_size=50)
    settings["lenet"] = Settings(model="lenet", num_steps=800, batch_size=50)
    rows = {name: (Hparams(), setting) for name, setting in settings.items()}
    return rows | {"mlp": (Hparams(learning_rate=3e-3), settings["mlp"])}


def figures(results: list[Result], dataset: Dataset) -> dict[str, Figure]:
    """Accuracies with error bars, and what the best model gets wrong."""
    scores = [result.metrics["test_accuracy"] for result in results]
    pictures = {
        "accuracies": plot.bars(
            [result.name.replace("_", " ") for result in results],
            np.array([values.mean() for values in scores]),
            np.array([values.std() for values in scores]),
            label="test accuracy",
            title=f"{dataset.name}: mean and standard deviation over seeds",
        )
    }
    best = max(results, key=lambda result: result.metrics["test_accuracy"].mean())
    if dataset.test.inputs.ndim == 4:
        pictures["mistakes"] = _mistakes(best, dataset)
    return pictures


def _mistakes(best: Result, dataset: Dataset, most: int = 40) -> Figure:
    guesses = np.argmax(train.predict(best.learner, best.runs[0].state, dataset.test.inputs), axis=1)
    wrong = np.flatnonzero(guesses != dataset.test.targets)
    names = dataset.class_labels
    titles = [
        f"{names[label]} read as {names[guess]}"
        for label, guess in zip(dataset.test.targets[wrong], guesses[wrong], strict=True)
    ]
    title = f"{best.name}: {len(wrong)} mistakes in {len(guesses)} ({min(len(wrong), most)} shown)"
    return plot.image_grid(dataset.test.inputs[wrong[:most]], titles[:most], title=title)
