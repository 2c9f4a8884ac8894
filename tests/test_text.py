"""Texts as numbers: the counts are scikit-learn's, and only training rows make the vocabulary."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer

from jaxnets.check import InputError
from jaxnets.data import Dataset, text
from jaxnets.types import Batch

TRAIN = ["A film, a good film!", "Isn't it bad?", "it IS a good one", ""]
TEST = ["an utterly new film", "it isn't"]


def texts(rows):
    return Batch(np.array(rows, np.dtypes.StringDType()), np.arange(len(rows)) % 2)


DATASET = Dataset(texts(TRAIN), test=texts(TEST), num_classes=2)


@pytest.mark.parametrize("split", [text.words, text.words_and_pairs])
def test_words_and_their_counts_are_scikit_learns(split):
    peer = CountVectorizer(
        token_pattern=r"\w+(?:'\w+)*|[!?]", ngram_range=(1, 1 if split is text.words else 2)
    )
    counts = peer.fit_transform(TRAIN).toarray()
    vocabulary = text.fit_vocabulary(map(split, TRAIN), num_words=100)
    rows = text.encode([split(row) for row in TRAIN], vocabulary, max_length=20)
    assert set(vocabulary) == set(peer.get_feature_names_out())
    for word, column in peer.vocabulary_.items():
        found = (rows["tokens"] == vocabulary[word]).sum(axis=1)
        np.testing.assert_array_equal(found, counts[:, column], err_msg=word)


def test_the_most_frequent_words_are_kept():
    vocabulary = text.fit_vocabulary(map(text.words, TRAIN), num_words=4)
    assert vocabulary == {"a": 2, "film": 3, "good": 4, "it": 5}


def test_test_rows_do_not_touch_the_vocabulary():
    encoded = text.tokens(DATASET)
    other = text.tokens(DATASET.replace(test=texts(["quite other words here now", "new"])))
    np.testing.assert_array_equal(encoded.train.inputs["tokens"], other.train.inputs["tokens"])
    film, unknown = encoded.train.inputs["tokens"][0, 1], text.UNKNOWN
    assert encoded.test.inputs["tokens"][0].tolist() == [unknown] * 3 + [film] + [text.PAD] * 2


def test_rows_are_cut_and_padded():
    inputs = text.tokens(DATASET, max_length=3).train.inputs
    assert inputs["tokens"].shape == (4, 3)
    assert inputs["lengths"].tolist() == [3, 3, 3, 0]
    assert ((inputs["tokens"] == text.PAD).sum(axis=1) == 3 - inputs["lengths"]).all()


BAD = [
    (DATASET.replace(train=Batch(np.zeros((3, 2)), np.zeros(3, int))), {}, "allowed are texts"),
    (DATASET.replace(train=texts(["...", ""])), {}, "no training row has a word"),
    (DATASET, {"num_words": 0}, "num_words = 0"),
    (DATASET, {"max_length": 0}, "max_length = 0"),
]


@pytest.mark.parametrize(("dataset", "options", "message"), BAD)
def test_what_cannot_be_read_is_refused(dataset, options, message):
    with pytest.raises(InputError, match=message):
        text.tokens(dataset, **options)
