"""Ask and tell: an Optuna study chooses the points, and one compiled program answers many asks at a time.

    study = optuna.create_study(direction="maximize")
    space = {"learning_rate": sweep.log(1e-3, 1), "momentum": [0, 0.9]}
    result = sweep.optimize(
        study, learner, space, digits, metric="valid_accuracy", num_rounds=5, num_asks=16, num_steps=300
    )

Akiba, Sano, Yanase, Ohta & Koyama 2019, Optuna: a next-generation hyperparameter optimization framework.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax

from jaxnets import check
from jaxnets.check import InputError
from jaxnets.sweep import trial as trials
from jaxnets.sweep.answers import Answer, Answers, Programs
from jaxnets.sweep.cells import seeds_of
from jaxnets.sweep.ranking import is_better_low
from jaxnets.sweep.results import SweepResult
from jaxnets.sweep.space import Space, names_of


def optimize(
    study: Any,
    source: Any,
    space: Any,
    data: Any = None,
    *,
    metric: str,
    num_rounds: int,
    num_asks: int,
    seeds: Any = 1,
    lanes: int | None = None,
    devices: Sequence[jax.Device] | None = None,
    memory: int | None = None,
    lowest: bool | None = None,
    **options: Any,
) -> SweepResult:
    """Asks an Optuna study for points, trains those of a round together, and tells it what they gave.

    A point's value is the mean of the metric over its seeds; one with a diverged seed is told as failed. The
    study has all that Optuna knows of (``study.best_params``, its plots, a storage to go on from), so it is
    not returned again. What Optuna has no place for is: every cell of every round in one table, with its
    histories, status and other metrics, where ``result.best(metric).mean`` is ``study.best_value``. A point
    that is asked for twice is trained once, for the same values give the same bits, and is there once.

    A trial's user attributes are ``over_seeds``, the metric of each seed, or, where it failed,
    ``diverged_step``, the last step that was kept by the first seed to diverge. Programs are kept between
    rounds: one for each static combination that is asked for. The first is compiled before the first ask, so
    that most mistakes leave no trial behind. A round that is stopped is told as failed. Pruners are not used.

    Args:
        study: with one direction and any sampler. TPE needs ``constant_liar=True`` (Optuna 5's default) to
            make the points of a round differ.
        source: as for :func:`~jaxnets.sweep.plan`, and so are ``data``, ``seeds``, ``lanes``, ``devices``,
            ``memory`` and ``options``.
        space: ``log(low, high)``, ``lin(low, high)`` or a sequence of choices for each name, as for
            :meth:`~jaxnets.sweep.Grid.random`. Ranges of fields of whole numbers are of whole numbers; a
            choice that is a tuple is its text for the study.
        metric: of the history, or of the trial's own ``evaluate``; test rows are not to be chosen by.
        num_rounds: of asking, training and telling; a sampler that has no more points ends them.
        num_asks: points a round. ``lanes=num_asks`` trains them side by side, whatever is measured.
        lowest: whether small is good; by default where the name says loss or error. The study's direction
            must say the same.

    Raises:
        InputError: no such metric, a direction against it, a name or an end that is not allowed.

    Example:
        >>> import optax, optuna
        >>> from jaxnets import data, gradient, losses, models
        >>> from jaxnets.sweep import log
        >>> def learner(hparams):
        ...     return gradient(models.MLP((8,), 3), losses.softmax_cross_entropy, optax.adam(hparams.rate))
        >>> study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
        >>> result = optimize(
        ...     study, learner, {"rate": log(1e-4, 0.1)}, data.load("iris"), metric="loss",
        ...     num_rounds=2, num_asks=4, lanes=4, num_steps=20
        ... )
        >>> len(result), len(study.trials), result.best("loss").mean == study.best_value
        (8, 8, True)
    """
    check.kind("metric", metric, str, "the name of a metric")
    check.truth("lowest", lowest, None)
    lowest = is_better_low(metric) if lowest is None else lowest
    _check_study(study, metric, lowest)
    for name, number in (("num_rounds", num_rounds), ("num_asks", num_asks)):
        check.count(name, number, 1, 2**16)
    trial = trials.of(source, data, names_of(space), **options)
    layout = {"lanes": lanes, "devices": devices, "memory": memory}
    programs = Programs(Space(trial, space), seeds_of(seeds), num_asks, layout)
    if trial.evaluate is None:
        check.choice("metric", metric, programs.metrics)
    answers = Answers(programs, metric)
    for _ in range(num_rounds):
        if not _round(study, answers, num_asks):
            break
    return answers.result()


def _round(study: Any, answers: Answers, num_asks: int) -> bool:
    """Asks, trains and tells all that was asked, come what may; whether the sampler has more points."""
    space, asked, goes_on = answers.programs.space, [], True
    distributions = space.distributions()
    try:
        asked.extend(_asked(study, distributions) for _ in range(num_asks))  # one by one: each is told
        for answer in answers.to([space.point(one.params) for one in asked]):
            goes_on &= _tell(study, asked[0], answer)
            asked.pop(0)
    finally:
        for one in asked:  # something went wrong
            _tell(study, one, Answer(None, {}))
    return goes_on


def _asked(study: Any, distributions: dict[str, Any]) -> Any:
    """A trial with its points; one that was enqueued with what is not in the space has failed."""
    try:
        return study.ask(distributions)
    except ValueError as error:
        from optuna.trial import TrialState

        study.tell(study.get_trials(deepcopy=False)[-1].number, state=TrialState.FAIL)
        raise InputError(f"study: {' '.join(str(error).split())}") from None


def _tell(study: Any, trial: Any, answer: Answer) -> bool:
    """Whether the sampler has more points; with none it stops the study, which here raises."""
    from optuna.trial import TrialState

    for name, value in answer.attributes.items():
        trial.set_user_attr(name, value)
    state = TrialState.FAIL if answer.value is None else TrialState.COMPLETE
    try:
        study.tell(trial, answer.value, state, skip_if_finished=True)
    except RuntimeError:
        if not study.get_trials(deepcopy=False)[trial.number].state.is_finished():
            raise
        return False
    return True


def _check_study(study: Any, metric: str, lowest: bool) -> None:
    try:
        import optuna
    except ImportError:
        raise InputError("optuna is missing: pip install 'jaxnets[optuna]'") from None
    if not isinstance(study, optuna.Study):
        raise InputError(f"study: {type(study).__name__}, allowed is an optuna.Study")
    if len(study.directions) > 1:
        raise InputError(f"study: {len(study.directions)} directions, allowed is one")
    found, wanted = study.direction.name.lower(), "minimize" if lowest else "maximize"
    if found != wanted:
        good = "small" if lowest else "large"
        raise InputError(
            f"study: direction {found}, of {metric!r} {good} is good; "
            f"allowed is direction={wanted!r}, or lowest={not lowest}"
        )
