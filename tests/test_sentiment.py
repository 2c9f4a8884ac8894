"""The experiment's folds: each row is tested once; what is held out of a fold is not in its vocabulary."""

import io
import tarfile
from types import SimpleNamespace

import numpy as np
import pytest

from experiments import _contract, sentiment
from experiments._run import train_row
from jaxnets.check import InputError
from jaxnets.data import prepare

NUM_ROWS, NUM_FOLDS = 41, 3
SETTINGS = sentiment.Settings(num_folds=NUM_FOLDS)


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    """Each text has a word of its own beside one that tells its class, and a length of its own."""
    path = tmp_path_factory.mktemp("texts") / "reviews.tsv"
    words = [f"{'good' if row % 2 else 'bad'} word{row}" + " film" * row for row in range(NUM_ROWS)]
    path.write_text("".join(f"{row % 2}\t{text}\n" for row, text in enumerate(words)), encoding="utf8")
    return SETTINGS._replace(dataset=str(path))


@pytest.fixture(scope="module")
def dataset(reviews):
    return sentiment.data(reviews)


def rows_of(batch, fold):
    """Numbers of the rows that are counted in a fold."""
    counted = batch.targets[:, fold] != sentiment.UNCOUNTED
    return (batch.inputs["lengths"][counted, fold] - 2).tolist()


def test_each_row_is_tested_once_and_every_fold_has_all_rows(dataset):
    """41 rows are no multiple of 3: none is lost, and what fills a fold up is not counted."""
    tested = [row for fold in range(NUM_FOLDS) for row in rows_of(dataset.test, fold)]
    assert sorted(tested) == list(range(NUM_ROWS))
    for fold in range(NUM_FOLDS):
        trained, valid, test = (rows_of(part, fold) for part in dataset.splits.values())
        assert sorted([*{*trained}, *valid, *test]) == list(range(NUM_ROWS))
        assert len(trained) - len({*trained}) <= 1
        assert len(valid) == round(SETTINGS.valid_fraction * (NUM_ROWS - len(test)))


def test_no_word_of_a_row_held_out_is_in_the_vocabulary(dataset):
    unknown = sentiment.text.UNKNOWN
    assert (dataset.train.inputs["tokens"] != unknown).all()
    for batch in (dataset.valid, dataset.test):
        assert (batch.inputs["tokens"][:, :, 1] == unknown).all()
        assert (batch.inputs["tokens"][:, :, 0] > unknown).all()


def test_labels_stay_with_their_rows(dataset):
    for batch in dataset.splits.values():
        counted = batch.targets != sentiment.UNCOUNTED
        assert (batch.targets == batch.inputs["lengths"] % 2)[counted].all()


def test_pairs_follow_the_words(reviews):
    plain, paired = (sentiment.data(reviews._replace(pairs=pairs)).train.inputs for pairs in (False, True))
    assert (paired["lengths"] == 2 * plain["lengths"] - 1).all()


def test_numbered_sentences_are_read_as_they_are():
    """The default data's words become others' numbers, one for one."""
    written = sentiment._written_out(
        {"tokens": np.array([[7, 1, 0], [3, 0, 0]]), "lengths": np.array([2, 1])}
    )
    assert written.tolist() == ["7 1", "3"]


def test_accuracy_counts_each_sentence_of_all_folds_alike():
    """Folds of two rows and one: the fourth row fills up, whatever is said of it."""
    logits = np.array([[[2.0, 1.0], [0.0, 1.0]], [[0.0, 3.0], [0.0, 1.0]]], np.float32)
    for last in (logits[1, 1], -logits[1, 1]):
        logits[1, 1] = last
        labels = np.array([[0, 0], [1, sentiment.UNCOUNTED]])
        assert float(sentiment.metrics(logits, labels)["accuracy"]) == pytest.approx(2 / 3)


def test_values_are_no_classes():
    with pytest.raises(InputError, match="labels of classes"):
        sentiment.data(SETTINGS._replace(dataset="boston"))


def result(name, steps):
    history = {"loss": 1 / steps, "valid_accuracy": steps / 100}
    runs = [SimpleNamespace(history=history)]
    return SimpleNamespace(name=name, steps=steps, runs=runs, histories=lambda metric: [history[metric]])


def test_each_row_is_drawn_over_its_own_steps():
    """Fewer steps are no early end."""
    steps = {"short": np.array([10, 20]), "long": np.array([10, 20, 30, 40])}
    results = [result(name, at) for name, at in steps.items()]
    pictures = sentiment.figures(results, SimpleNamespace(name="texts"))
    assert {*pictures} == {"loss", "valid_accuracy"}
    for figure in pictures.values():
        lines = {line.get_label(): line.get_xdata().tolist() for line in figure.axes[0].lines}
        assert lines == {name: at.tolist() for name, at in steps.items()}


@pytest.fixture
def imdb(monkeypatch, tmp_path):
    """TFDS's own imdb_reviews, whose archive holds 40 reviews and one without a label."""
    import tensorflow_datasets as tensorflow_data

    archive = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(archive, "w:gz") as file:
        for split in ("train", "test"):
            for row in range(20):
                label, word = ("pos", "fine") if row % 2 else ("neg", "dull")
                _add(file, f"aclImdb/{split}/{label}/{row}_1.txt", f"A {word} film, {split}{row}!")
        _add(file, "aclImdb/train/unsup/0_0.txt", "An odd film")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setattr(tensorflow_data.download.DownloadManager, "download", lambda self, url: archive)
    monkeypatch.setattr(prepare, "_reachable", lambda builder: True)


def _add(file, name, content):
    member = tarfile.TarInfo(name)
    member.size = len(content)
    file.addfile(member, io.BytesIO(content.encode()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_imdb_reviews_go_through(imdb):
    """From TFDS's own code to a trained row; the vocabulary is that of the training rows."""
    experiment = _contract.load("sentiment")
    hparams, settings = experiment.variants()["bag"]
    settings = settings._replace(dataset="imdb_reviews", num_steps=60, batch_size=9, evaluate_every=30)
    dataset = sentiment.data(settings)
    assert {name: len(rows.targets) for name, rows in dataset.splits.items()} == {
        "train": 18,
        "valid": 2,
        "test": 20,
    }
    assert dataset.class_names == ("neg", "pos")
    tokens = dataset.test.inputs["tokens"]
    assert (tokens[:, 3] == sentiment.text.UNKNOWN).all()
    assert len({*tokens[:, 1].tolist()}) == 2
    result = train_row(experiment, "bag", hparams, settings, seeds=1, report=lambda *news: None)
    assert result.metrics["test_accuracy"] == 1.0
