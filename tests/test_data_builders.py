"""The real builders of TensorFlow Datasets, without tensorflow, on small archives in the original formats."""

import io
import tarfile

import numpy as np
import pytest

from jaxnets.data import load

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def mnist_archives(folder):
    """Six images to train and two to test, in the format of the original files."""
    parts = {}
    for split, rows in (("train", range(6)), ("test", range(6, 8))):
        pixels = np.stack([np.full((28, 28), 30 * row, np.uint8) for row in rows])
        (folder / f"{split}_data").write_bytes(bytes(16) + pixels.tobytes())
        (folder / f"{split}_labels").write_bytes(bytes(8) + bytes(row % 10 for row in rows))
        parts |= {f"{split}_{kind}": str(folder / f"{split}_{kind}") for kind in ("data", "labels")}
    return parts


def cifar_archive(folder, *, each=1):
    """As many copies of an image of class ``i - 1`` in the ``i``-th file to train on, of class 5 to test."""
    inner = folder / "cifar-10-batches-bin"
    inner.mkdir()
    (inner / "batches.meta.txt").write_text("\n".join(f"class {k}" for k in range(10)))
    for row, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        (inner / name).write_bytes((bytes([row]) + bytes([10 * row]) * 3072) * each)
    return str(folder)


def imdb_archive(folder):
    with tarfile.open(folder / "reviews.tar.gz", "w:gz") as archive:
        for split in ("train", "test"):
            for label, text in [("pos", "a naïve joy"), ("neg", "dull"), ("unsup", "who knows")]:
                member = tarfile.TarInfo(f"aclImdb/{split}/{label}/0.txt")
                member.size = len(text.encode())
                archive.addfile(member, io.BytesIO(text.encode()))
    return str(folder / "reviews.tar.gz")


def movielens_archive(folder):
    inner = folder / "ml-100k"
    inner.mkdir()
    (inner / "u.item").write_text(
        "".join(f"{i}|film {i}|||url|{'|'.join('01' + '0' * 17)}\n" for i in (2, 10, 31))
    )
    (inner / "u.user").write_text("".join(f"{i}|30|M|writer|00000\n" for i in (9, 11)))
    (inner / "u.data").write_text("9\t31\t4\t0\n11\t2\t1\t0\n11\t10\t5\t0\n9\t2\t3\t0\n9\t10\t2\t0\n")
    return str(folder)


def test_mnist_is_prepared_by_its_real_builder(downloads, monkeypatch):
    from tensorflow_datasets.image_classification import mnist

    monkeypatch.setattr(mnist, "_TRAIN_EXAMPLES", 6)
    monkeypatch.setattr(mnist, "_TEST_EXAMPLES", 2)
    downloads(mnist_archives)
    dataset = load("mnist")
    assert dataset.train.inputs.shape == (6, 28, 28, 1)
    for rows in (dataset.train, dataset.test):
        np.testing.assert_allclose(rows.inputs[:, 3, 4, 0], rows.targets * np.float32(30 / 255), rtol=1e-6)
    assert sorted(dataset.test.targets) == [6, 7]


def test_cifar10_is_prepared_by_its_real_builder(downloads):
    downloads(cifar_archive)
    dataset = load("cifar10")
    assert dataset.train.inputs.shape == (5, 32, 32, 3)
    np.testing.assert_allclose(
        dataset.train.inputs.mean((1, 2, 3)), dataset.train.targets * np.float32(10 / 255), rtol=1e-5
    )
    assert dataset.test.targets.tolist() == [5]
    assert dataset.class_names[3] == "class 3"


def test_imdb_reviews_is_prepared_by_its_real_builder(downloads):
    downloads(imdb_archive)
    for _ in range(2):  # decoded, then from the cache
        dataset = load("imdb_reviews")
        assert dict(zip(dataset.test.targets.tolist(), dataset.test.inputs, strict=True)) == {
            1: "a naïve joy",
            0: "dull",
        }
        assert (dataset.class_names, list(dataset.splits)) == (("neg", "pos"), ["train", "test"])


def test_movielens_is_prepared_by_its_real_builder(downloads):
    downloads(movielens_archive)
    dataset = load("movielens/100k-ratings", test_fraction=0.0)
    rows = dict(zip(map(tuple, dataset.train.inputs.tolist()), dataset.train.targets.tolist(), strict=True))
    assert rows == {(0, 2): 4, (1, 0): 1, (1, 1): 5, (0, 0): 3, (0, 1): 2}
    assert dataset.train.inputs.dtype == np.int32
    assert dataset.num_classes is None
