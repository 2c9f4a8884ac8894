"""jaxnets: a training run is a pure function.

Start reading in ``learner.py`` (the one abstraction) and ``train.py`` (the one loop); ``models`` holds
what can be trained, ``data.load`` what it can be trained on.
"""

from jaxnets import (
    backprop,
    data,
    kernels,
    layers,
    losses,
    metrics,
    models,
    optimizers,
    plot,
    schedules,
    step_sizes,
    train,
)
from jaxnets.check import InputError
from jaxnets.learner import Learner, gradient
from jaxnets.models.closed_form import closed_form

__version__ = "0.1.0"

__all__ = [
    "InputError", "Learner", "backprop", "closed_form", "data", "gradient", "kernels", "layers", "losses",
    "metrics", "models", "optimizers", "plot", "schedules", "step_sizes", "train",
]  # fmt: skip
