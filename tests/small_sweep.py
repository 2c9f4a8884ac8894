"""A sweep of three chunks, planned and run once for all tests that stop it, share it or spread it."""

import functools
import os

import jax
import test_sweep as base

from jaxnets import sweep


@functools.cache
def planned():
    return sweep.plan(base.TRIAL, base.GRID, seeds=2, lanes=2, chunk_size=4)


@functools.cache
def whole():
    return sweep.run(planned())


class Stop(Exception):
    pass


def stop(*_):
    raise Stop


def files(folder):
    return sorted(path.name for path in (folder / "chunks").iterdir())


def times(folder):
    """When each finished chunk was written; none is written twice."""
    return {path.name: path.stat().st_mtime_ns for path in (folder / "chunks").glob("*.chunk")}


def environment(**more):
    """For processes that a test starts: they find jaxnets and the tests, and programs compiled before."""
    folders = os.pathsep.join([os.getcwd(), os.path.dirname(__file__)])
    cache = {
        "JAX_COMPILATION_CACHE_DIR": jax.config.jax_compilation_cache_dir,
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.2",
    }
    flags = {"XLA_FLAGS": " ".join(filter(None, [os.environ.get("XLA_FLAGS"), more.pop("XLA_FLAGS", None)]))}
    return os.environ | cache | flags | {"PYTHONPATH": folders} | more
