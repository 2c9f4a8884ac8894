"""TensorFlow Datasets, without tensorflow: its real builders, writers and readers; no network."""

import io
import json
import os
import pathlib
import re
import tarfile
import time

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.data import fingerprint, load, prepare, tfds

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
REAL_FOLDER = os.environ.get("TFDS_DATA_DIR") or str(
    pathlib.Path(__file__).parents[2] / "shared" / "data" / "tfds"
)
STREAM = np.random.default_rng(0)
PIXELS = STREAM.integers(0, 256, (30, 6, 5, 3), np.uint8)


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """Folders of this test's own, and no network to reach."""
    import requests

    def unreachable(*args, **kwargs):
        raise requests.exceptions.ConnectionError("no network")

    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(requests, "head", unreachable)
    return tmp_path


@pytest.fixture(scope="module")
def builder_class():
    import tensorflow_datasets as tensorflow_data
    from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as tf

    features = tensorflow_data.features

    class Toy(tensorflow_data.core.GeneratorBasedBuilder, skip_registration=True):
        """Images, labels and captions; it makes all three calls of tensorflow."""

        VERSION = tensorflow_data.core.Version("1.0.0")

        def _info(self):
            columns = {
                "image": features.Image(shape=(6, 5, 3)),
                "label": features.ClassLabel(names=["cat", "dog"]),
                "caption": features.Text(),
            }
            return tensorflow_data.core.DatasetInfo(
                builder=self, features=features.FeaturesDict(columns), supervised_keys=("image", "label")
            )

        def _split_generators(self, _):
            return {
                "train": self._generate_examples(0, 20),
                "validation": self._generate_examples(20, 24),
                "test": self._generate_examples(24, 30),
            }

        def _generate_examples(self, start, stop):
            with tf.io.gfile.GFile(__file__, "rb") as file:
                caption = tf.compat.as_text(file.readline())
            for row in range(start, stop):
                label = -1 if start == 24 and self.data_dir_root.name == "withheld" else row % 2
                yield row, {"image": PIXELS[row], "label": label, "caption": caption}

    return Toy


def prepared(builder_class, folder):
    builder = builder_class(data_dir=folder)
    prepare.prepare(builder)
    return pathlib.Path(builder.data_path)


def sorted_rows(rows):
    """Rows in an order of their own: TFDS shuffles what it writes."""
    flat = np.round(rows.inputs * 255).astype(np.uint8).reshape(len(rows.inputs), -1)
    order = np.lexsort(flat.T)
    return flat[order].tolist(), rows.targets[order].tolist()


def test_a_prepared_set_is_read_without_its_code(builder_class, folders):
    prepared(builder_class, folders / "tfds")
    dataset = load("toy")
    assert (dataset.num_classes, dataset.class_names) == (2, ("cat", "dog"))
    for split, start, stop in [("train", 0, 20), ("valid", 20, 24), ("test", 24, 30)]:
        rows = dataset.splits[split]
        pixels = PIXELS[start:stop].reshape(stop - start, -1)
        order = np.lexsort(pixels.T)
        assert sorted_rows(rows) == (pixels[order].tolist(), (np.arange(start, stop)[order] % 2).tolist())
        assert (rows.inputs.dtype, rows.inputs.shape[1:]) == (np.float32, (6, 5, 3))


def test_decoded_once_and_rebuilt_when_damaged(builder_class, folders, monkeypatch):
    path = prepared(builder_class, folders / "tfds")
    first = fingerprint(load("toy"))
    (stored,) = path.glob("jaxnets-*.npz")
    decoded = []
    monkeypatch.setattr(tfds.decode, "decode", lambda *args: decoded.append(1))
    assert fingerprint(load("toy")) == first
    assert not decoded
    monkeypatch.undo()
    monkeypatch.setenv("TFDS_DATA_DIR", str(folders / "tfds"))
    stored.write_bytes(stored.read_bytes()[:-100])
    assert fingerprint(load("toy")) == first


def test_a_read_only_folder_is_read_and_left_alone(builder_class, folders):
    path = prepared(builder_class, folders / "tfds")
    path.chmod(0o555)
    before = sorted(path.iterdir())
    try:
        load("toy")
        assert sorted(path.iterdir()) == before
        assert len(list((folders / "cache" / "jaxnets").glob("*.npz"))) == 1
    finally:
        path.chmod(0o755)


def test_another_preparation_is_another_cache_entry(builder_class, folders):
    path = prepared(builder_class, folders / "tfds")
    load("toy")
    (record,) = path.glob("*train.array_record*")
    os.utime(record, ns=(0, 0))
    load("toy")
    assert len(list(path.glob("jaxnets-*.npz"))) == 2


def test_withheld_labels_leave_the_split_out(builder_class, folders, monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", str(folders / "withheld"))
    prepared(builder_class, folders / "withheld")
    assert list(tfds.read("toy").splits) == ["train", "valid"]


def test_records_that_only_tensorflow_reads(builder_class, folders):
    path = prepared(builder_class, folders / "tfds")
    info = json.loads((path / "dataset_info.json").read_text())
    (path / "dataset_info.json").write_text(json.dumps(info | {"fileFormat": "tfrecord"}))
    with pytest.raises(
        InputError, match=r"format tfrecord, which only tensorflow reads: .*TFDS_DATA_DIR=FOLDER"
    ) as error:
        load("toy")
    assert "\n" not in str(error.value)


def test_a_builder_that_needs_more_of_tensorflow(builder_class, folders):
    from tensorflow_datasets.core.utils.lazy_imports_utils import tensorflow as tf

    class Greedy(builder_class, skip_registration=True):
        def _generate_examples(self, *_):
            yield 0, {"image": tf.image.resize(PIXELS[0]), "label": 0, "caption": ""}

    with pytest.raises(InputError, match=r"it calls tensorflow \(resize\): install tensorflow"):
        prepare.prepare(Greedy(data_dir=folders / "tfds"))
    assert not list((folders / "tfds").rglob("dataset_info.json"))


def test_the_stand_in_is_gone_afterwards():
    import tensorflow_datasets as tensorflow_data
    from tensorflow_datasets.core.utils import lazy_imports_utils

    with prepare.without_tensorflow(tensorflow_data):
        assert lazy_imports_utils.tensorflow.executing_eagerly()
    assert "_module" not in vars(lazy_imports_utils.tensorflow)


def test_another_version_of_tfds_is_not_trusted(monkeypatch):
    import tensorflow_datasets as tensorflow_data

    monkeypatch.setattr(tensorflow_data, "__version__", "5.0.0")
    with (
        pytest.raises(InputError, match=r"tensorflow-datasets 5\.0\.0"),
        prepare.without_tensorflow(tensorflow_data),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "alternative"),
    [
        ("fashion_mnist", "mnist5k"),
        ("imdb_reviews", "negation"),
        ("movielens/100k-ratings", "low_rank_ratings"),
    ],
)
def test_no_network_is_one_line_within_seconds(folders, name, alternative):
    start = time.perf_counter()
    with pytest.raises(InputError) as refusal:
        load(name)
    assert time.perf_counter() - start < 10
    assert re.search(
        rf"{name.split('/')[0]} is not in .*tfds.* '{alternative}', which needs no network",
        str(refusal.value),
    )
    assert "\n" not in str(refusal.value)
    assert not list(folders.rglob("dataset_info.json"))


def test_a_server_that_never_answers(monkeypatch):
    import requests

    monkeypatch.setattr(prepare, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: time.sleep(5))
    start = time.perf_counter()
    with pytest.raises(InputError, match="cannot be reached"):
        load("fashion_mnist")
    assert time.perf_counter() - start < 3


@pytest.mark.parametrize(
    ("name", "message"),
    [("fashion_mnits", "did you mean 'fashion_mnist'"), ("mnist/nothing", "BuilderConfig nothing not found")],
)
def test_unknown_names(name, message):
    with pytest.raises(InputError, match=message) as refusal:
        load(name)
    assert "\n" not in str(refusal.value)


def mnist_archives(folder):
    """Six images to train and two to test, in the format of the original files."""
    parts = {}
    for split, rows in (("train", range(6)), ("test", range(6, 8))):
        pixels = np.stack([np.full((28, 28), 30 * row, np.uint8) for row in rows])
        (folder / f"{split}_data").write_bytes(bytes(16) + pixels.tobytes())
        (folder / f"{split}_labels").write_bytes(bytes(8) + bytes(row % 10 for row in rows))
        parts |= {f"{split}_{kind}": str(folder / f"{split}_{kind}") for kind in ("data", "labels")}
    return parts


def cifar_archive(folder):
    inner = folder / "cifar-10-batches-bin"
    inner.mkdir()
    (inner / "batches.meta.txt").write_text("\n".join(f"class {k}" for k in range(10)))
    for row, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        (inner / name).write_bytes(bytes([row]) + bytes([10 * row]) * 3072)
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


@pytest.fixture
def downloads(monkeypatch, tmp_path):
    """The network answers, with a small archive in the format of the original."""
    import requests
    import tensorflow_datasets as tensorflow_data

    def serve(make):
        archive = make(tmp_path)
        manager = tensorflow_data.download.DownloadManager
        monkeypatch.setattr(requests, "head", lambda *args, **kwargs: None)
        monkeypatch.setattr(manager, "download", lambda self, url: archive)
        monkeypatch.setattr(manager, "download_and_extract", lambda self, url: archive)

    return serve


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


@pytest.mark.skipif(
    not list(pathlib.Path(REAL_FOLDER).glob("mnist/*/dataset_info.json")),
    reason="MNIST is not in TFDS_DATA_DIR",
)
def test_the_whole_of_mnist(monkeypatch):
    monkeypatch.setenv("TFDS_DATA_DIR", REAL_FOLDER)
    mnist = load("mnist", valid_fraction=0.1, num_examples=1000)
    assert [len(mnist.splits[name].targets) for name in ("train", "valid", "test")] == [1000, 6000, 10_000]
    assert np.bincount(mnist.test.targets).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # Every image of mnist5k is one of MNIST's, with the same label.
    whole, some = load("mnist").train, load("mnist5k", test_fraction=0.98).train
    left, right = (rows.inputs.reshape(len(rows.inputs), -1) for rows in (some, whole))
    distance = (left**2).sum(1)[:, None] - 2 * left @ right.T + (right**2).sum(1)[None]
    assert distance.min(1).max() < 1e-2
    assert np.array_equal(whole.targets[distance.argmin(1)], some.targets)
