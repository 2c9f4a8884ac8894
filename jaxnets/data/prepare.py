"""TensorFlow Datasets' own builders, run without tensorflow.

The builders of common data sets call tensorflow in three places only: to open a file, to decode a string,
to encode a PNG. A stand-in answers those three while a data set is prepared, and is gone afterwards. It takes
the place of a private name of TFDS, so it is used with the versions it was tested with, and never where
tensorflow is installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np

from jaxnets.check import InputError
from jaxnets.data.decode import Builder
from jaxnets.types import Shaped

TESTED_VERSIONS = ("4.9.",)
PROBE_SECONDS = 3
MAX_RETRIES = 4  # of one download; TFDS waits longer before each
NEEDS_TENSORFLOW = r"it calls tensorflow|No module named 'tensorflow"
ALTERNATIVES = {
    "mnist": "mnist5k", "fashion_mnist": "mnist5k", "kmnist": "mnist5k", "emnist": "mnist5k",
    "cifar10": "digits", "imdb_reviews": "negation", "movielens": "low_rank_ratings",
}  # fmt: skip


def prepare(builder: Builder) -> None:
    """Downloads a data set and writes it where TFDS would, in a format that is read without tensorflow.

    Raises:
        InputError: no network, no permission, or a builder that needs tensorflow itself; one line, and
            nothing half written.
    """
    import tensorflow_datasets as tfds

    name, folder = builder.name, builder.data_path
    if not (importlib.util.find_spec("tensorflow") or _is_tested(tfds)):
        raise InputError(f"tensorflow-datasets {tfds.__version__} needs tensorflow to prepare data sets")
    if not _reachable(builder):
        raise InputError(
            f"{name} is not in {folder} and its server cannot be reached: set TFDS_DATA_DIR to a folder "
            f"that has it, or use {ALTERNATIVES.get(name, 'digits')!r}, which needs no network"
        )
    file_format = "array_record" if importlib.util.find_spec("array_record") else "parquet"
    config = tfds.download.DownloadConfig(try_download_gcs=False)
    try:
        with without_tensorflow(tfds), _few_retries():
            builder.download_and_prepare(file_format=file_format, download_config=config)
    except Exception as error:
        raise InputError(f"{name} could not be prepared in {folder}: {first_line(error)}") from error


@contextlib.contextmanager
def without_tensorflow(tfds: Any) -> Iterator[None]:
    """While the context lasts, TFDS's tensorflow is the stand-in, where tensorflow is not installed.

    Versions of TFDS that this was not tested with are left as they are.
    """
    if importlib.util.find_spec("tensorflow") or not _is_tested(tfds):
        yield
        return
    from tensorflow_datasets.core.utils import lazy_imports_utils

    # A proxy, which imports tensorflow at the first use unless `_module` is there.
    lazy = vars(lazy_imports_utils.tensorflow)
    lazy["_module"] = stand_in()
    try:
        yield
    finally:
        lazy.pop("_module", None)


def _is_tested(tfds: Any) -> bool:
    return tfds.__version__.startswith(TESTED_VERSIONS)


@contextlib.contextmanager
def _few_retries() -> Iterator[None]:
    """While the context lasts, a server that fails is given up within seconds: TFDS would try for minutes."""
    from tensorflow_datasets.core.download import downloader

    before = getattr(downloader, "MAX_RETRIES", MAX_RETRIES)
    downloader.MAX_RETRIES = MAX_RETRIES
    try:
        yield
    finally:
        downloader.MAX_RETRIES = before


class _Missing(SimpleNamespace):
    """Attributes, and a clear answer where one is missing."""

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"it calls tensorflow ({name}): install tensorflow to prepare it")


def stand_in() -> SimpleNamespace:
    """The three calls of tensorflow that TFDS's common builders make."""
    return _Missing(
        io=_Missing(gfile=_Missing(GFile=open)),
        compat=_Missing(as_text=lambda text: text.decode() if isinstance(text, bytes) else text),
        image=_Missing(encode_png=lambda pixels: SimpleNamespace(numpy=lambda: encode_png(pixels))),
        executing_eagerly=lambda: True,
    )


def encode_png(pixels: Shaped[np.ndarray, "h w c"]) -> bytes:
    """The bytes of a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(file, format="PNG")
    return file.getvalue()


def _reachable(builder: Builder) -> bool:
    """Whether the server answers within seconds, or all was downloaded before."""
    notes = _downloaded(builder)
    missing = [url for url in builder.url_infos or () if url.startswith("http") and f'"{url}"' not in notes]
    if not missing:
        return True
    answers = []
    probe = threading.Thread(target=lambda: answers.append(_answers(missing[0])), daemon=True)
    probe.start()
    probe.join(PROBE_SECONDS)  # looking up a name has no time limit of its own
    return answers == [True]


def _answers(url: str) -> bool:
    import requests

    try:
        return requests.head(url, timeout=PROBE_SECONDS).status_code < 500
    except requests.exceptions.RequestException:
        return False


def _downloaded(builder: Builder) -> str:
    """What TFDS noted of the files in its folder of downloads; their addresses are in it, in quotes."""
    notes = (builder.data_dir_root / "downloads").glob("*.INFO")
    return "".join(note.read_text() for note in notes if note.with_suffix("").exists())


def first_line(error: BaseException) -> str:
    """The kind of an error, and the first line of what it says."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else 'no details'}"
