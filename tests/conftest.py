"""Strictness while tests run: shapes checked, rank promotion and warnings errors; one compilation cache."""

import os
import subprocess
import sys
from types import SimpleNamespace

os.environ.setdefault("MPLBACKEND", "agg")

import jax
import pytest
from jax.experimental.compilation_cache import compilation_cache
from jaxtyping import install_import_hook

install_import_hook("jaxnets", "beartype.beartype").__enter__()

jax.config.update("jax_numpy_rank_promotion", "raise")

from jaxnets.data.cache import user_folder  # noqa: E402, the hook must stand before the first import

folder = user_folder() / "compiled-for-tests"
folder.mkdir(parents=True, exist_ok=True, mode=0o700)
jax.config.update("jax_compilation_cache_dir", str(folder))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


# Three quarters of the tests' time are XLA's compiling, and with these it takes a third; what is computed is
# the same up to rounding. The release run, and whoever sets XLA_FLAGS (to nothing, say), has XLA's own
# programs; .ci/run proves all promises of bits on them.
QUICK = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"


def pytest_configure(config):
    if config.option.markexpr != "not release" or "XLA_FLAGS" in os.environ:
        return
    quick = os.environ | {"XLA_FLAGS": QUICK, "JAX_PLATFORMS": "cpu"}
    asked = [sys.executable, "-c", "import jax; jax.devices()"]
    if subprocess.run(asked, env=quick, capture_output=True).returncode == 0:  # XLA dies of a flag it lacks
        os.environ["XLA_FLAGS"] = QUICK


@pytest.fixture(scope="session")
def own_programs():
    """The compiler's options that make XLA's own programs, for a promise that only these keep."""
    return {"xla_cpu_use_fusion_emitters": True} if os.environ.get("XLA_FLAGS") == QUICK else {}


@pytest.fixture(autouse=True)
def own_precision():
    """The command line sets the precision of products; it must not reach the next test."""
    jax.config.update("jax_default_matmul_precision", None)
    yield
    jax.config.update("jax_default_matmul_precision", None)


@pytest.fixture
def cold_cache(tmp_path):
    """An empty cache of compiled programs, for as long as a test takes; its folder."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    for name, value in zip(names, (str(tmp_path / "compiled"), 0.0), strict=True):
        jax.config.update(name, value)
    compilation_cache.reset_cache()
    yield tmp_path / "compiled"
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


@pytest.fixture
def downloads(monkeypatch, tmp_path):
    """The network answers, with a small archive in the format of the original."""
    import requests
    import tensorflow_datasets as tensorflow_data

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def serve(make):
        archive = make(tmp_path)
        manager = tensorflow_data.download.DownloadManager
        monkeypatch.setattr(requests, "head", lambda *args, **kwargs: SimpleNamespace(status_code=200))
        monkeypatch.setattr(manager, "download", lambda self, url: archive)
        monkeypatch.setattr(manager, "download_and_extract", lambda self, url: archive)

    return serve
