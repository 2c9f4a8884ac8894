"""jaxnets: a training run is a pure function.

Start reading in ``learner.py`` (the one abstraction) and ``train.py`` (the one loop); ``models`` holds
what can be trained, ``data.load`` what it can be trained on.
"""

from jaxnets import data, kernels, layers, losses, metrics, models, plot, schedules, train
from jaxnets.check import InputError
from jaxnets.learner import Learner, gradient
from jaxnets.models.closed_form import closed_form

__version__ = "0.1.0"

__all__ = [
    "InputError", "Learner", "closed_form", "data", "gradient", "kernels", "layers", "losses",
    "metrics", "models", "plot", "schedules", "train",
]  # fmt: skip
