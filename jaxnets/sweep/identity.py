"""All that a sweep's numbers depend on, in JSON: the manifest by which a resumed sweep is recognised."""

from __future__ import annotations

import hashlib
import inspect
import json
import os
import re
import sys
import sysconfig
import types
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jaxlib
import numpy as np

import jaxnets
from jaxnets.data.fingerprint import fingerprint
from jaxnets.sweep.plan import Plan
from jaxnets.sweep.program import numbers_of

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
        "threads": _threads(),
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
    """A hash of what a Python function does and of all that it holds, wherever its file is.

    Its operations, defaults, what it closes over, a partial's arguments, and the functions and constants that
    it names, of its own module and of others that are neither installed nor Python's: their versions stand
    for those that are.
    """
    total = hashlib.sha256()
    for word in _words(function, set()) if function else ():
        total.update(word)
    return total.hexdigest()[:16] if function else ""


def _words(value: Any, seen: set[int]) -> Iterator[bytes]:
    """A value in bytes; functions by what they do, each once."""
    if isinstance(value, partial):
        yield from _words((value.func, value.args, value.keywords), seen)
    elif isinstance(value, types.FunctionType | types.MethodType):
        yield from _words_of_function(inspect.unwrap(value), seen)
    elif isinstance(value, dict):
        yield from _words([*value.items()], seen)
    elif isinstance(value, list | tuple):
        yield f"{type(value).__qualname__}{len(value)}".encode()
        for part in value:
            yield from _words(part, seen)
    elif isinstance(value, set | frozenset):  # in an order of their own in each process
        yield repr(sorted(map(repr, value))).encode()
    elif isinstance(value, np.ndarray | jax.Array):
        numbers = numbers_of(value)
        yield f"{numbers.dtype}{numbers.shape}".encode() + numbers.tobytes()
    elif not isinstance(value, types.ModuleType):
        yield re.sub(r" at 0x[0-9a-f]+", "", repr(value)).encode()


def _words_of_function(function: Any, seen: set[int]) -> Iterator[bytes]:
    function = getattr(function, "__func__", function)
    if id(function) in seen:
        return
    seen.add(id(function))
    yield function.__qualname__.encode()
    cells = [cell.cell_contents for cell in function.__closure__ or () if _is_filled(cell)]
    yield from _words((function.__defaults__, function.__kwdefaults__, cells), seen)
    waiting = [function.__code__]
    while waiting:
        one = waiting.pop()
        inner = [part for part in one.co_consts if isinstance(part, types.CodeType)]
        plain = [part for part in one.co_consts if not isinstance(part, types.CodeType)]
        yield one.co_code + repr(one.co_names).encode()
        yield from _words([*plain, *_named(one.co_names, function)], seen)
        waiting += inner


def _named(names: tuple[str, ...], function: Any) -> list[Any]:
    """What a function names: functions and constants of its module, and of modules that are people's own."""
    places, found = [function.__globals__], []
    for place in places:  # it grows while modules are found in modules
        for value in [place[name] for name in names if name in place]:
            if isinstance(value, types.ModuleType):
                is_new = not any(vars(value) is one for one in places)
                places += [vars(value)] if is_new and _is_own(value.__name__) else []
            elif not callable(value):
                found.append(value)
            elif isinstance(bare := inspect.unwrap(value), types.FunctionType):
                is_near = bare.__module__ == function.__module__
                found += [bare] if is_near or _is_own(bare.__module__) else []
    return found


def _is_own(name: str) -> bool:
    """Whether a module is no part of Python, nor installed, nor of this library, whose files are hashed."""
    file = getattr(sys.modules.get(name), "__file__", None)
    folders = [*map(sysconfig.get_path, ("stdlib", "platstdlib", "purelib", "platlib"))]
    others = [Path(jaxnets.__file__).parent, *map(Path, folders)]
    return bool(file) and not any(Path(file).is_relative_to(folder) for folder in others)


def _is_filled(cell: types.CellType) -> bool:
    try:
        cell.cell_contents  # noqa: B018
    except ValueError:
        return False
    return True


def _threads() -> int | str:
    """Cores that XLA uses on a CPU; how sums are cut among them may decide their last bits."""
    asked = os.environ.get("NPROC", "")
    if asked:
        return int(asked) if asked.isdecimal() else asked
    own = getattr(os, "sched_getaffinity", None)  # not on every system
    return len(own(0)) if own else os.cpu_count() or 1


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
