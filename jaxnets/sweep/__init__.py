"""Whole training runs by the thousand: a grid of hyperparameters as one program, resumable and isolated.

    grid = sweep.Grid(learning_rate=sweep.log(1e-3, 1, 16), l2=[0, 1e-4])
    plan = sweep.plan(learner, grid, data, seeds=8, num_steps=1000, batch_size=50)
    result = sweep.run(plan, out="runs/x", resume=True)
    result.best("valid_accuracy"); result.to_pandas(); result.heatmap("learning_rate", "l2", "valid_accuracy")

Start reading in ``grid.py`` (which points), then ``plan.py`` (what it will take), ``program.py`` (what is
compiled) and ``engine.py`` (how it runs).
"""

from jaxnets.sweep.ask_tell import optimize
from jaxnets.sweep.axes import lin, log
from jaxnets.sweep.engine import run
from jaxnets.sweep.grid import Grid
from jaxnets.sweep.halving import halve, hyperband
from jaxnets.sweep.merge import merge
from jaxnets.sweep.plan import Plan, plan
from jaxnets.sweep.population import Population, evolve, replay
from jaxnets.sweep.results import Best, SweepResult
from jaxnets.sweep.tensorboard import write_tensorboard
from jaxnets.sweep.trial import Trial

__all__ = [
    "Best", "Grid", "Plan", "Population", "SweepResult", "Trial", "evolve", "halve", "hyperband", "lin",
    "log", "merge", "optimize", "plan", "replay", "run", "write_tensorboard",
]  # fmt: skip
