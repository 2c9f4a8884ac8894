"""Strictness while tests run: shapes checked, rank promotion and warnings errors; one compilation cache."""

import os

os.environ.setdefault("MPLBACKEND", "agg")

import jax
from jaxtyping import install_import_hook

install_import_hook("jaxnets", "beartype.beartype").__enter__()

jax.config.update("jax_numpy_rank_promotion", "raise")

from jaxnets.data.cache import user_folder  # noqa: E402, the hook must stand before the first import

folder = user_folder() / "compiled-for-tests"
folder.mkdir(parents=True, exist_ok=True, mode=0o700)
jax.config.update("jax_compilation_cache_dir", str(folder))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
