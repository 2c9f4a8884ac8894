"""Asks every rule about a problem, and proves the remedies that can be made."""

from __future__ import annotations

import time
from collections.abc import Collection

import jax
import numpy as np

from jaxnets.check import InputError, choice
from jaxnets.diagnose.finding import SEVERITIES, Finding, Report
from jaxnets.diagnose.probe import Probe
from jaxnets.diagnose.problem import Problem
from jaxnets.diagnose.proof import proved
from jaxnets.diagnose.rules import of_rows, rules, symptoms
from jaxnets.diagnose.traceable import in_a_line, refusal


def diagnose(problem: Problem, key: jax.Array, *, mute: Collection[str] = (), proves: bool = True) -> Report:
    """Why a network does not learn: each rule's findings, the most severe first.

    Args:
        key: of the initialisation and of what is drawn besides; the same key gives the same report.
        mute: rules that are not asked.
        proves: whether remedies are tried by short trainings.

    Raises:
        InputError: a rule that there is not is to be muted, or the problem is none.

    >>> import jax.numpy as jnp, numpy as np
    >>> x = np.linspace(-1, 1, 8, dtype=np.float32)[:, None]
    >>> line = lambda w, x: x @ w
    >>> loss = lambda w, x, y: ((line(w, x) - y) ** 2).mean()
    >>> start = lambda key: jnp.zeros((1, 1))
    >>> print(diagnose(Problem(start, line, loss, (x, 2 * x), learning_rate=0.1), jax.random.key(0)))
    nothing found that keeps it from learning
    >>> report = diagnose(Problem(start, line, loss, (x, 2 * x), learning_rate=30.0), jax.random.key(0))
    >>> report.findings[0].rule, report.findings[0].proof.helps, report.exit_code
    ('step-too-large', True, 1)
    """
    begun = time.perf_counter()
    if not isinstance(problem, Problem):
        raise InputError(f"problem: {type(problem).__name__}, allowed is a Problem")
    known = rules()
    for name in mute:
        choice("rule", name, known)
    untraceable = refusal(problem, key)
    if untraceable:
        return Report((untraceable,), time.perf_counter() - begun, {})
    probe, findings = Probe(problem, key), []
    skipped = {name: problem.unasked for name in known if problem.unasked and name not in of_rows()}
    for name, rule in known.items():
        if name in mute or name in skipped:
            continue
        try:
            with np.errstate(all="ignore"):  # numbers that are not finite are looked for
                findings += rule(probe)
        except Exception as error:  # whatever a person's functions do, the other rules are asked
            skipped[name] = in_a_line(error)
    findings = ordered(findings)
    if proves:
        most_steps = (
            probe.trainer.most_steps if problem.has_step and any(one.repaired for one in findings) else 0
        )
        findings = proved(problem, findings, key, most_steps=most_steps)
    return Report(tuple(findings), time.perf_counter() - begun, skipped, None if problem.unasked else probe)


def ordered(findings: Collection[Finding]) -> list[Finding]:
    """The most severe first, causes before what follows from them.

    What only says how a training went is not above the causes that were found.
    """
    effects = symptoms()
    causes = [SEVERITIES.index(one.severity) for one in findings if one.rule not in effects]
    least = min(causes, default=0)
    lowered = [
        one._replace(severity=SEVERITIES[max(least, SEVERITIES.index(one.severity))])
        if one.rule in effects
        else one
        for one in findings
    ]
    return sorted(lowered, key=lambda one: SEVERITIES.index(one.severity))
