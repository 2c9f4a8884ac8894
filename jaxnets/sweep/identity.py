"""All that a sweep's numbers depend on, in JSON: the manifest by which a resumed sweep is recognised."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jaxlib

import jaxnets
from jaxnets.data.fingerprint import fingerprint
from jaxnets.sweep.plan import Plan

FORMAT = 1


def manifest_of(plan: Plan, about: dict[str, Any]) -> dict[str, Any]:
    """Code, versions, platform, points, seeds, data and lanes of a sweep, with one hash of it all.

    Over how many devices lanes are spread is not among them: no bit depends on it.

    Args:
        about: what else they depend on.
    """
    program = plan.parts[0].program
    identity = {
        "format": FORMAT,
        "trial": plan.trial.name,
        "code": _code(),
        "learner": file_of(plan.trial.learner),
        "evaluate": _operations_of(plan.trial.evaluate),
        "versions": {"jaxnets": jaxnets.__version__, "jax": jax.__version__, "jaxlib": jaxlib.__version__},
        "device": program.devices[0].device_kind,
        "threads": os.environ.get("NPROC") or len(os.sched_getaffinity(0)),
        "precision": str(jax.config.jax_default_matmul_precision),
        "x64": bool(jax.config.jax_enable_x64),
        "hparams": _plain(plan.trial.hparams._asdict()),
        "settings": _plain(plan.trial.settings._asdict()),
        "names": list(plan.grid.names),
        "points": _plain(plan.grid.points),
        "seeds": list(plan.seeds),
        "parts": {
            str(number): {
                "data": fingerprint(part.dataset),
                "lanes": part.program.lanes,
                "shares_seed": part.shares_seed,
                "chunk_size": part.chunk_size,
                "program": part.program.text,
            }
            for number, part in enumerate(plan.parts)
        },
        **about,
    }
    return identity | {"sweep": hashlib.sha256(json.dumps(identity).encode()).hexdigest()[:16]}


def file_of(function: Any) -> str:
    """SHA-256 of the file that a function stands in; nothing where there is none."""
    function = function.args[0] if isinstance(function, partial) else function
    module = sys.modules.get(getattr(inspect.unwrap(function), "__module__", ""), None)
    own = getattr(module, "__file__", None)
    return hashlib.sha256(Path(own).read_bytes()).hexdigest()[:16] if own and Path(own).is_file() else ""


def _operations_of(function: Any) -> str:
    """A hash of what a Python function does, its name and its constants, wherever its file is."""
    function = (
        inspect.unwrap(function.func if isinstance(function, partial) else function) if function else None
    )
    code = getattr(function, "__code__", None)
    if code is None:
        return _plain(function) if callable(function) else ""
    total, waiting = hashlib.sha256(function.__qualname__.encode()), [code]
    while waiting:
        one = waiting.pop()
        inner = [part for part in one.co_consts if isinstance(part, types.CodeType)]
        plain = [part for part in one.co_consts if not isinstance(part, types.CodeType)]
        total.update(one.co_code + repr((one.co_names, plain)).encode())
        waiting += inner
    return total.hexdigest()[:16]


def _code() -> str:
    """SHA-256 over the sources of jaxnets."""
    total = hashlib.sha256()
    folder = Path(jaxnets.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        total.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return total.hexdigest()[:16]


def _plain(value: Any) -> Any:
    """In JSON's types; a function by its name."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, partial):
        return [_plain(value.func), _plain(value.args), _plain(value.keywords)]
    if callable(value):
        return f"{value.__module__}.{value.__qualname__}"
    return value
