"""TensorFlow Datasets, without tensorflow: its real builders, writers and readers; no network."""

import json
import os
import pathlib
import re
import time
from types import SimpleNamespace

import numpy as np
import pytest

from jaxnets.check import InputError
from jaxnets.data import fingerprint, load, prepare, tfds

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
REAL_FOLDER = os.environ.get("TFDS_DATA_DIR")
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
        InputError, match=r"format tfrecord, which only tensorflow reads: .*d.load\('toy:1.0.0'\)"
    ) as error:
        load("toy:1.0.0")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("damage", ["cut", "flip", "gone"])
def test_damaged_records(builder_class, folders, damage):
    (record,) = prepared(builder_class, folders / "tfds").glob("*train.array_record*")
    whole = record.read_bytes()
    at = whole.index(b"IDAT")
    record.write_bytes(
        whole[: len(whole) // 2] if damage == "cut" else whole[:at] + b"\xff" * 9 + whole[at + 9 :]
    )
    if damage == "gone":
        record.unlink()
    with pytest.raises(InputError, match=r"^toy in .*1\.0\.0 is damaged: .*; delete the folder") as refusal:
        load("toy")
    assert "\n" not in str(refusal.value)
    assert not list(folders.rglob("jaxnets-*.npz"))


@pytest.mark.parametrize("name", ["titanic", "coco"])
def test_a_builder_that_cannot_be_made_without_tensorflow(name, capfd):
    with pytest.raises(
        InputError, match=f"'{name}': its builder needs tensorflow: pip install tensorflow, or"
    ):
        load(name)
    assert capfd.readouterr() == ("", "")


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


def test_another_version_of_tfds_reads_but_does_not_prepare(builder_class, folders, monkeypatch):
    import tensorflow_datasets as tensorflow_data

    prepared(builder_class, folders / "tfds")
    monkeypatch.setattr(tensorflow_data, "__version__", "5.0.0")
    with pytest.raises(InputError, match=r"tensorflow-datasets 5\.0\.0 needs tensorflow"):
        prepared(builder_class, folders / "other")
    assert load("toy").num_classes == 2


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


def test_a_server_that_fails(monkeypatch):
    import requests

    monkeypatch.setattr(requests, "head", lambda *args, **kwargs: SimpleNamespace(status_code=503))
    with pytest.raises(InputError, match="cannot be reached"):
        load("fashion_mnist")


def test_all_must_be_downloaded(folders):
    import tensorflow_datasets as tensorflow_data

    builder = tensorflow_data.builder("fashion_mnist", data_dir=folders / "tfds")
    downloads = folders / "tfds" / "downloads"
    downloads.mkdir(parents=True)
    for number, url in enumerate(builder.url_infos):
        assert not prepare._reachable(builder)
        (downloads / f"{number}.gz").touch()
        (downloads / f"{number}.gz.INFO").write_text(json.dumps({"urls": [url]}))
    assert prepare._reachable(builder)


def test_a_server_that_never_answers(monkeypatch):
    import requests

    monkeypatch.setattr(prepare, "PROBE_SECONDS", 0.05)
    monkeypatch.setattr(
        requests, "head", lambda *args, **kwargs: time.sleep(5) or SimpleNamespace(status_code=200)
    )
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


@pytest.mark.skipif(
    not REAL_FOLDER or not list(pathlib.Path(REAL_FOLDER).glob("mnist/*/dataset_info.json")),
    reason="TFDS_DATA_DIR is not set, or has no MNIST",
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
