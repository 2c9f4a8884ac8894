"""Models, one file each: a factory of a Learner, or a flax module for :func:`jaxnets.learner.gradient`."""

from jaxnets.models.discriminant import linear_discriminant
from jaxnets.models.kernel_discriminant import kernel_discriminant
from jaxnets.models.kernel_svm import kernel_svm
from jaxnets.models.lenet import LeNet
from jaxnets.models.logistic import logistic_regression, one_vs_rest_cross_entropy
from jaxnets.models.mlp import MLP
from jaxnets.models.multiclass import one_vs_one, one_vs_rest
from jaxnets.models.pegasos import pegasos
from jaxnets.models.perceptron import perceptron
from jaxnets.models.ridge import ridge_classifier
from jaxnets.models.svm import linear_svm

__all__ = [
    "MLP", "LeNet", "kernel_discriminant", "kernel_svm", "linear_discriminant", "linear_svm",
    "logistic_regression", "one_vs_one", "one_vs_rest", "one_vs_rest_cross_entropy", "pegasos",
    "perceptron", "ridge_classifier",
]  # fmt: skip
