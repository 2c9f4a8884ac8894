"""TensorFlow Datasets, read without tensorflow: decoded once, then kept in one file with a hash."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxnets.check import InputError
from jaxnets.data import cache, decode, prepare
from jaxnets.data.dataset import Dataset
from jaxnets.data.decode import Builder
from jaxnets.data.files import images
from jaxnets.types import Batch

PAIRS = {"movielens": (("user_id", "movie_id"), "user_rating")}  # (inputs, targets) where TFDS names none


def base(name: str) -> str:
    """The name without its configuration and version: ``movielens/100k-ratings:0.1.1`` is ``movielens``."""
    return re.split("[/:]", name)[0]


def folder() -> Path:
    """Where data sets are looked for: ``TFDS_DATA_DIR``, or ``~/tensorflow_datasets``."""
    return Path(os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets").expanduser()


def names() -> tuple[str, ...]:
    """The data sets that TFDS can prepare, and those that lie in its folder."""
    import tensorflow_datasets as tfds
    import tensorflow_datasets.structured

    infos = [path for depth in ("*/*", "*/*/*") for path in folder().glob(f"{depth}/dataset_info.json")]
    there = [path.relative_to(folder()).parts[0] for path in infos]
    return tuple(sorted({*tfds.list_builders(with_community_datasets=False), *there}))


def read(name: str) -> Dataset:
    """Reads a data set of TFDS with its own splits, and prepares it before where that was not yet done.

    Raises:
        InputError: no network, a format that only tensorflow reads, damaged records, features that are no
            image, text or numbers; one line.
    """
    with _quiet():
        builder = _builder(name)
        if not builder.is_prepared():
            prepare.prepare(builder)
        inputs, targets = _pair(builder)
        _refuse_format(name, builder)
        beside = Path(builder.data_path)
        folders = [beside, cache.user_folder()]
        key = f"{base(name)}-{_version(beside)}"
        arrays = cache.cached(key, folders, lambda: _decode(name, builder, inputs, targets))
    splits = {split: _batch(arrays, split) for split in decode.SPLITS if f"{split}/inputs" in arrays}
    if "train" not in splits:
        raise InputError(f"{name}: splits {', '.join(builder.info.splits)}, one named train is needed")
    label = builder.info.features[targets]
    class_names = tuple(map(str, getattr(label, "names", None) or ()))
    return Dataset(
        splits.pop("train"), **splits, name=name, num_classes=getattr(label, "num_classes", None),
        class_names=class_names, feature_names=inputs if len(inputs) > 1 else (),
    )  # fmt: skip


def _builder(name: str) -> Builder:
    import tensorflow_datasets as tfds
    import tensorflow_datasets.structured  # registers movielens and others

    try:
        with prepare.without_tensorflow(tfds), contextlib.redirect_stderr(io.StringIO()):
            return tfds.builder(name, data_dir=folder())
    except Exception as error:
        if re.search(prepare.NEEDS_TENSORFLOW, str(error)):
            remedy = "pip install tensorflow, or choose another data set"
            raise InputError(f"data set {name!r}: its builder needs tensorflow: {remedy}") from None
        raise InputError(f"data set {name!r}: {prepare.first_line(error)}") from None


def _decode(name: str, builder: Builder, inputs: Sequence[str], targets: str) -> cache.Arrays:
    try:
        return decode.decode(builder, inputs, targets)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # each reader of TFDS has errors of its own
        found = f"{name} in {builder.data_path} is damaged: {prepare.first_line(error)}"
        raise InputError(f"{found}; delete the folder to prepare it again") from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without TFDS's remarks on folders that are not there yet."""
    logger = logging.getLogger("absl")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _pair(builder: Builder) -> tuple[tuple[str, ...], str]:
    """The names of the inputs and of the target among the features."""
    pair = PAIRS.get(builder.name) or builder.info.supervised_keys
    names = ((pair[0],) if isinstance(pair[0], str) else pair[0]) if pair else ()
    if not pair or not isinstance(pair[1], str) or not all(isinstance(name, str) for name in names):
        found = ", ".join(builder.info.features)
        raise InputError(f"{builder.name}: TFDS does not say which of its features ({found}) is the target")
    return tuple(names), pair[1]


def _refuse_format(name: str, builder: Builder) -> None:
    formats = {form.value for form in builder.info.available_file_formats()}
    if not formats & {"array_record", "parquet"}:
        again = f"TFDS_DATA_DIR=FOLDER python -c \"import jaxnets.data as d; d.load('{name}')\""
        found = f"{builder.data_path} is in the format {', '.join(formats)}, which only tensorflow reads"
        raise InputError(f"{found}: prepare it again in another folder: {again}")


def _version(path: Path) -> str:
    """A short hash that changes when the data set is prepared anew."""
    stamps = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in path.glob("*.*-of-*")]
    content = [file.read_bytes() for file in sorted(path.glob("*.json"))]
    return hashlib.sha256(repr((sorted(stamps), content)).encode()).hexdigest()[:16]


def _batch(arrays: Mapping[str, np.ndarray], split: str) -> Batch:
    inputs, targets = arrays[f"{split}/inputs"], arrays[f"{split}/targets"]
    return Batch(images(inputs) if inputs.dtype == np.uint8 else inputs, targets)
