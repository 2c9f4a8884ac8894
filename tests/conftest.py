"""Strictness while tests run: shapes checked, rank promotion and warnings are errors, one compilation cache."""

import os
import pathlib
import tempfile

os.environ.setdefault("MPLBACKEND", "agg")

import jax
from jaxtyping import install_import_hook

install_import_hook("jaxnets", "beartype.beartype").__enter__()

jax.config.update("jax_numpy_rank_promotion", "raise")
cache = pathlib.Path(tempfile.gettempdir()) / f"jaxnets-tests-{os.getuid()}"
jax.config.update("jax_compilation_cache_dir", str(cache))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
