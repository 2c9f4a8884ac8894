"""The records of TensorFlow Datasets, decoded into whole arrays."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxnets.check import InputError
from jaxnets.types import Shaped

SPLITS = {"train": "train", "valid": "validation", "test": "test"}
MODES = {1: "L", 3: "RGB", 4: "RGBA"}  # Pillow's name for a number of channels
CHUNK = 8192  # records decoded at a time
IMAGE_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")  # in the order tried: PNG is the most frequent

Builder = Any  # tensorflow_datasets.core.DatasetBuilder, and a feature of it; TFDS is imported only when used
Feature = Any


def decode(builder: Builder, inputs: Sequence[str], targets: str) -> dict[str, np.ndarray]:
    """The arrays ``split/inputs`` and ``split/targets`` of each split that has labels.

    Images stay bytes; texts become NumPy strings; several inputs become columns of numbers, identifiers
    given as text the numbers 0, 1, ... in their order.

    Raises:
        InputError: images of different sizes, or features that are no image, text or numbers; one line.
    """
    arrays = {}
    for split, source in SPLITS.items():
        if source not in builder.info.splits:
            continue
        columns = _columns(builder, source, (*inputs, targets))
        labels = columns.pop(targets)
        if labels.dtype.kind == "i" and (labels < 0).all():
            continue  # a test split whose labels are withheld
        arrays[f"{split}/targets"] = labels
        first, *more = columns.values()
        arrays[f"{split}/inputs"] = np.stack([*map(_identifiers, (first, *more))], 1) if more else first
    return arrays


def _columns(builder: Builder, split: str, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The features of a split, by name; images are decoded here: TFDS's own way takes five times as long."""
    import tensorflow_datasets as tfds

    features = {name: builder.info.features[name] for name in names}
    skipped = {name: tfds.decode.SkipDecoding() for name, feature in features.items() if _is_image(feature)}
    source = builder.as_data_source(split, decoders=skipped)
    chunks = {name: [] for name in names}
    for start in range(0, len(source), CHUNK):
        records = source.__getitems__(range(start, min(start + CHUNK, len(source))))
        for name, feature in features.items():
            chunks[name].append(_column(name, feature, [record[name] for record in records]))
    return {name: _join(name, parts) for name, parts in chunks.items()}


def _join(name: str, parts: Sequence[np.ndarray]) -> np.ndarray:
    shapes = {part.shape[1:] for part in parts}
    if len(shapes) > 1:
        raise InputError(f"feature {name!r}: rows of the shapes {sorted(shapes)}, allowed is one shape")
    return np.concatenate(parts)


def _is_image(feature: Feature) -> bool:
    return type(feature).__name__ == "Image" and feature.np_dtype == np.uint8 and feature.shape[-1] in MODES


def _column(name: str, feature: Feature, values: Sequence[Any]) -> Shaped[np.ndarray, "n ..."]:
    if _is_image(feature):
        return _images(name, values, feature.shape[-1])
    if isinstance(values[0], bytes):
        return np.array([value.decode(errors="replace") for value in values], np.dtypes.StringDType())
    try:
        array = np.asarray(values)
    except ValueError:
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise InputError(f"feature {name!r} is {feature}, allowed are images, texts and numbers of one shape")
    return array.astype(np.int32 if hasattr(feature, "num_classes") else np.float32)


def _images(name: str, files: Sequence[bytes], channels: int) -> Shaped[np.ndarray, "n h w c"]:
    from PIL import Image

    mode = MODES[channels]
    with Image.open(io.BytesIO(files[0]), formats=IMAGE_FORMATS) as first:
        width, height = first.size
    pixels = np.empty((len(files), height, width, channels), np.uint8)
    for row, file in enumerate(files):
        with Image.open(io.BytesIO(file), formats=IMAGE_FORMATS) as image:
            if image.size != (width, height):
                sizes = f"{(width, height)} and {image.size}"
                raise InputError(f"feature {name!r}: images of {sizes}, allowed is one size")
            plain = image if image.mode == mode else image.convert(mode)
            pixels[row] = np.asarray(plain).reshape(height, width, channels)
    return pixels


def _identifiers(column: Shaped[np.ndarray, " n"]) -> Shaped[np.ndarray, " n"]:
    """Text identifiers as 0, 1, ... in the order of their numbers; numbers as they are."""
    if column.dtype.kind != "T":
        return column
    _, order = np.unique(column.astype(np.int64), return_inverse=True)
    return order.astype(np.int32)
