"""Operations whose derivative is taken wrongly, as people do who write a gradient by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
from jax.extend.core import jaxpr_as_fun

from jaxnets.diagnose.equations import bound, scan_sizes


class Altered(NamedTuple):
    """A place where a derivative is taken wrongly, as people do.

    Attributes:
        number: of the operation.
        change: linear; to the change of what it gives from that of ``before`` (instead of the slope).
        mixed: of a contraction, which of its two operands is not transposed on the way back; ``"carry"`` of
            a loop whose steps take what they are given by the step before for constant.
    """

    number: int
    change: Callable | None = None
    mixed: int | str | None = None


def altered_operation(equation: Any, altered: Altered) -> Callable:
    """The operation, with a derivative that is taken wrongly."""
    operate, still = bound(equation), jax.lax.stop_gradient
    if altered.mixed is None:
        return operate
    if altered.mixed != "carry":
        return lambda *given: (
            still(operate(*given))
            + sum(operate(*_changed(given, place, altered.mixed)) for place in range(2))
        )
    num_fixed, num_carried = scan_sizes(equation)
    body = jaxpr_as_fun(equation.params["jaxpr"])

    def loop(*given: Any) -> list[Any]:
        def step(carry: Any, now: Any) -> tuple[Any, Any]:
            found = body(*given[:num_fixed], *map(still, carry), *now)
            return found[:num_carried], found[num_carried:]

        first = num_fixed + num_carried
        carry, stacked = jax.lax.scan(
            step, [*given[num_fixed:first]], [*given[first:]], equation.params["length"],
            reverse=equation.params["reverse"],
        )  # fmt: skip
        return [*carry, *stacked]

    return loop


def _changed(given: Sequence[Any], place: int, mixed: int) -> list[Any]:
    """What a contraction is given where one operand changes, and where one is not transposed on the way."""
    still = jax.lax.stop_gradient
    other = given[1 - place]
    if mixed == 1 - place:
        other = other.reshape(other.shape[::-1]).T
    change = given[place] - still(given[place])
    return [change, still(other)] if place == 0 else [still(other), change]
