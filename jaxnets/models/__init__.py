"""Models, one file each: a factory of a Learner, or a flax module for :func:`jaxnets.learner.gradient`."""

from jaxnets.models.discriminant import discriminant
from jaxnets.models.kernel_discriminant import kernel_discriminant
from jaxnets.models.kernel_svm import kernel_svm
from jaxnets.models.lenet import LeNet
from jaxnets.models.logistic import logistic_regression
from jaxnets.models.mlp import MLP
from jaxnets.models.perceptron import perceptron
from jaxnets.models.ridge import ridge as ridge_classifier
from jaxnets.models.svm import linear_svm

__all__ = [
    "MLP", "LeNet", "discriminant", "kernel_discriminant", "kernel_svm", "linear_svm",
    "logistic_regression", "perceptron", "ridge_classifier",
]  # fmt: skip
