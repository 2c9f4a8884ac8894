"""Models, one file each: a factory of a Learner, or a flax module for :func:`jaxnets.learner.gradient`."""

from jaxnets.models.autoencoder import Autoencoder, principal_components
from jaxnets.models.bpmf import bpmf
from jaxnets.models.by_hand import by_hand
from jaxnets.models.cross_validation import cross_validated
from jaxnets.models.discriminant import linear_discriminant
from jaxnets.models.kernel_discriminant import kernel_discriminant
from jaxnets.models.kernel_svm import kernel_svm
from jaxnets.models.least_squares import least_squares
from jaxnets.models.lenet import LeNet
from jaxnets.models.logistic import logistic_regression, one_vs_rest_cross_entropy
from jaxnets.models.matrix_factorisation import pmf
from jaxnets.models.mlp import MLP
from jaxnets.models.multiclass import one_vs_one, one_vs_rest
from jaxnets.models.nuts_factorisation import nuts_factorisation
from jaxnets.models.pegasos import pegasos
from jaxnets.models.perceptron import perceptron
from jaxnets.models.ridge import ridge_classifier
from jaxnets.models.ridge_path import ridge_path
from jaxnets.models.sequence_classifier import SequenceClassifier
from jaxnets.models.side_by_side import side_by_side
from jaxnets.models.svm import linear_svm
from jaxnets.models.variational import VariationalAutoencoder

__all__ = [
    "MLP", "Autoencoder", "LeNet", "SequenceClassifier", "VariationalAutoencoder", "bpmf", "by_hand",
    "cross_validated", "kernel_discriminant", "kernel_svm", "least_squares", "linear_discriminant",
    "linear_svm", "logistic_regression", "nuts_factorisation", "one_vs_one", "one_vs_rest",
    "one_vs_rest_cross_entropy", "pegasos", "perceptron", "pmf", "principal_components",
    "ridge_classifier", "ridge_path", "side_by_side",
]  # fmt: skip
