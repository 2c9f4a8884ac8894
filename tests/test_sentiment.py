"""The experiment's folds: each row is tested once, and no word of a test row is in its fold's vocabulary."""

import numpy as np
import pytest

from experiments import sentiment
from jaxnets.check import InputError

SETTINGS = sentiment.Settings(num_folds=3)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """Each text has a word of its own beside one that tells its class."""
    path = tmp_path_factory.mktemp("texts") / "reviews.tsv"
    lines = [f"{row % 2}\t{'good' if row % 2 else 'bad'} film word{row} again" for row in range(12)]
    path.write_text("\n".join(lines) + "\n", encoding="utf8")
    return SETTINGS._replace(dataset=str(path))


def test_folds_share_no_row_and_no_word(reviews):
    dataset = sentiment.data(reviews)
    tokens, tested = dataset.train.inputs["tokens"], dataset.test.inputs["tokens"]
    assert tokens.shape == (8, 3, 4)
    assert tested.shape == (4, 3, 4)
    own = tested[:, :, 2]
    assert (own == sentiment.text.UNKNOWN).all()
    assert (tokens > sentiment.text.UNKNOWN).all()
    assert (np.sort(dataset.test.targets, axis=0) == [[0], [0], [1], [1]]).all()


def test_pairs_follow_the_words(reviews):
    plain, paired = (sentiment.data(reviews._replace(pairs=pairs)).train.inputs for pairs in (False, True))
    assert (paired["lengths"] == 2 * plain["lengths"] - 1).all()


def test_numbered_sentences_are_read_as_they_are():
    """The default data's words become others' numbers, one for one."""
    written = sentiment._written_out(
        {"tokens": np.array([[7, 1, 0], [3, 0, 0]]), "lengths": np.array([2, 1])}
    )
    assert written.tolist() == ["7 1", "3"]


def test_accuracy_counts_all_folds_alike():
    logits = np.array([[[2.0, 1.0], [0.0, 1.0]], [[0.0, 3.0], [0.0, 1.0]]], np.float32)
    assert float(sentiment.metrics(logits, np.array([[0, 1], [1, 0]]))["accuracy"]) == 0.75


def test_values_are_no_classes():
    with pytest.raises(InputError, match="labels of classes"):
        sentiment.data(SETTINGS._replace(dataset="boston"))
