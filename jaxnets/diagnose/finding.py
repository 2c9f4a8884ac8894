"""What a diagnosis says: findings, most severe first, for people and for machines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from jaxnets.diagnose.problem import Problem

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Severity = Literal["error", "warning", "note"]
SEVERITIES = ("error", "warning", "note")


class Proof(NamedTuple):
    """A short training before and after the remedy, side by side.

    Attributes:
        before: the loss in the end, as written; NaN where it diverged.
        after: likewise, with the remedy.
        num_steps: that both made, or the remedied one where more are the remedy.
        start: the remedied loss before the first step, where it is another loss; None where it is the same.
        scale: by which the remedied one's steps are multiplied; ``before`` is the best of several then.
    """

    before: float
    after: float
    num_steps: int
    start: float | None = None
    scale: float = 1.0

    @property
    def helps(self) -> bool:
        """Whether the remedy brought the loss down further; another loss, down from its own start."""
        other = self.before if self.start is None else self.start
        return bool(np.isfinite(self.after) and not self.after >= other - 0.1 * abs(other))


class Finding(NamedTuple):
    """One thing that keeps a network from learning, with the numbers that show it.

    Attributes:
        rule: its stable name.
        severity: ``error`` (it cannot learn as written, or computes something else than meant), ``warning``
            (it learns slowly or badly, or another head is asked for) or ``note``.
        evidence: what was measured.
        message: what is wrong, in a sentence.
        remedy: what to do, in a sentence.
        repaired: the problem with the remedy, where that can be made mechanically.
        proof: its short training.
    """

    rule: str
    severity: Severity
    evidence: dict[str, Any]
    message: str
    remedy: str
    repaired: Problem | None = None
    proof: Proof | None = None

    def to_dict(self) -> dict[str, Any]:
        """In JSON's types; numbers that are not finite are words."""
        proof = self.proof and self.proof._asdict() | {"helps": self.proof.helps}
        fields = ("rule", "severity", "evidence", "message", "remedy")
        return {name: _plain(getattr(self, name)) for name in fields} | {"proof": _plain(proof)}


class Report(NamedTuple):
    """All findings of a diagnosis, the most severe and surest first.

    Attributes:
        findings: see :class:`Finding`.
        seconds: that it took.
        skipped: rules that could not be asked, with the reason.
        probe: what was measured, for pictures; None where nothing could be.
    """

    findings: tuple[Finding, ...]
    seconds: float
    skipped: dict[str, str]
    probe: Any = None

    @property
    def exit_code(self) -> int:
        """1 where there is an error or a warning, else 0."""
        return int(any(finding.severity != "note" for finding in self.findings))

    def to_dict(self) -> dict[str, Any]:
        """In JSON's types."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "seconds": self.seconds,
            "skipped": self.skipped,
        }

    def figures(self) -> dict[str, Figure]:
        """Pictures of what was looked at, by name: activations, gradients by depth, the loss along a step."""
        from jaxnets.diagnose import pictures

        return {} if self.probe is None else pictures.figures(self.probe)

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps(self.to_dict(), indent=1)

    def __str__(self) -> str:
        lines = [] if self.findings else ["nothing found that keeps it from learning"]
        for finding in self.findings:
            numbers = ", ".join(f"{name} {_short(value)}" for name, value in finding.evidence.items())
            lines += [f"{finding.severity.upper():8} {finding.rule}: {finding.message}"]
            lines += [f"{'':9}measured: {numbers}"] * bool(numbers) + [f"{'':9}remedy: {finding.remedy}"]
            if finding.proof:
                before, after, num_steps, start, scale = finding.proof
                word = "proved" if finding.proof.helps else "did not help"
                way = f"loss {before:.4g}, with the remedy {after:.4g}"
                if start is not None:
                    way = f"another loss, {start:.4g} before and {after:.4g} after its training"
                longer = f" {scale:g} times as long" * (scale != 1)
                lines.append(f"{'':9}{word}: {way}, in {num_steps} steps{longer}")
        return "\n".join([*lines, *self._not_asked()])

    def _not_asked(self) -> list[str]:
        """A line for each reason for which rules could not be asked."""
        lines = []
        for reason in dict.fromkeys(self.skipped.values()):
            names = [name for name, why in self.skipped.items() if why == reason]
            some = ", ".join(names) if len(names) < 4 else f"{len(names)} of the rules"
            lines.append(f"not asked: {some}, for {reason}")
        return lines


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not np.isfinite(value):
        return str(value)
    return value


def _short(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return f"{value:.4g}"
    if isinstance(value, (list, tuple)) and len(value) > 6:
        return f"[{', '.join(map(_short, value[:6]))}, ...]"
    return str(value)
