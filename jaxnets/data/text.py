"""Texts as numbered words: the vocabulary comes from the training rows alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

import numpy as np

from jaxnets import check
from jaxnets.data.dataset import Dataset
from jaxnets.types import Int

PAD, UNKNOWN = 0, 1
"""Numbers of what fills a row up, and of a word that is not in the vocabulary; words follow from 2."""

Rows = dict[str, Int[np.ndarray, "n ..."]]


def words(text: str) -> list[str]:
    """Words in lower case, with their apostrophes, and the marks ``!`` and ``?``.

    >>> words("It's NOT good!")
    ["it's", 'not', 'good', '!']
    """
    return re.findall(r"\w+(?:'\w+)*|[!?]", text.lower())


def words_and_pairs(text: str) -> list[str]:
    """:func:`words`, then each two neighbours as one word: what is left of the order in a bag of words.

    >>> words_and_pairs("not so good")
    ['not', 'so', 'good', 'not so', 'so good']
    """
    found = words(text)
    return found + [f"{first} {second}" for first, second in pairwise(found)]


def fit_vocabulary(rows: Iterable[Sequence[str]], *, num_words: int) -> dict[str, int]:
    """The most frequent words, numbered from 2; among equals, first come the first in the alphabet.

    >>> fit_vocabulary([["a", "film"], ["a", "bad", "film", "a"]], num_words=2)
    {'a': 2, 'film': 3}
    """
    counts = Counter(word for row in rows for word in row)
    ranked = sorted(counts, key=lambda word: (-counts[word], word))[:num_words]
    return {word: number for number, word in enumerate(ranked, start=UNKNOWN + 1)}


def encode(rows: Sequence[Sequence[str]], vocabulary: dict[str, int], *, max_length: int) -> Rows:
    """Words by their numbers; what is beyond ``max_length`` is cut off, shorter rows are padded at the end.

    >>> rows = encode([["a", "poor", "film"], ["film"]], {"a": 2, "film": 3}, max_length=5)
    >>> rows["tokens"].tolist(), rows["lengths"].tolist()
    ([[2, 1, 3, 0, 0], [3, 0, 0, 0, 0]], [3, 1])
    """
    tokens = np.full((len(rows), max_length), PAD, np.int32)
    lengths = np.array([min(len(row), max_length) for row in rows], np.int32)
    for row, length, numbers in zip(rows, lengths, tokens, strict=True):
        numbers[:length] = [vocabulary.get(word, UNKNOWN) for word in row[:length]]
    return {"tokens": tokens, "lengths": lengths}


def tokens(
    dataset: Dataset,
    *,
    num_words: int = 10_000,
    max_length: int = 256,
    split: Callable[[str], list[str]] = words,
) -> Dataset:
    """A data set of texts as one of numbered words: inputs ``{"tokens": [n, t], "lengths": [n]}``.

    ``t`` is the length of the longest row, at most ``max_length``. There are ``num_words + 2`` numbers.

    Args:
        dataset: inputs are texts ``[n]``.
        num_words: size of the vocabulary.
        max_length: words of a row to keep, its first.
        split: from a text to its words.

    Raises:
        InputError: inputs that are no texts, training rows without a word.

    >>> from jaxnets.types import Batch
    >>> texts = Batch(np.array(["a good film", "a bad one"]), np.array([1, 0]))
    >>> tokens(Dataset(texts)).train.inputs["tokens"].tolist()
    [[2, 5, 4], [2, 3, 6]]
    """
    check.count("num_words", num_words, 1)
    check.count("max_length", max_length, 1)
    _refuse_no_texts(dataset)
    rows = {name: [split(text) for text in part.inputs] for name, part in dataset.splits.items()}
    vocabulary = fit_vocabulary(rows["train"], num_words=num_words)
    if not vocabulary:
        raise check.InputError(f"{dataset.name or 'texts'}: no training row has a word")
    longest = max(len(row) for part in rows.values() for row in part)
    width = min(longest, max_length)
    encoded = {
        name: part._replace(inputs=encode(rows[name], vocabulary, max_length=width))
        for name, part in dataset.splits.items()
    }
    return dataset.replace(**encoded)


def _refuse_no_texts(dataset: Dataset) -> None:
    texts = dataset.train.inputs
    if not isinstance(texts, np.ndarray) or texts.ndim != 1 or texts.dtype.kind not in "UT":
        raise check.InputError(f"{dataset.name or 'inputs'}: allowed are texts, one a row")
