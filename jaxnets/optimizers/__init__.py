"""Rules for the learning rate, each from its paper, as optax gradient transformations.

All hyperparameters may be traced, so each rule can be mapped over them; ``learning_rate`` is a number or
a schedule.
"""

from jaxnets.optimizers.adaptive import adadelta, adagrad, adam, rmsprop
from jaxnets.optimizers.sparse import coordinates, inverse_count, only_seen, rows

__all__ = ["adadelta", "adagrad", "adam", "coordinates", "inverse_count", "only_seen", "rmsprop", "rows"]
