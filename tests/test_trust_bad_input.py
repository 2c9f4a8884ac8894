"""What cannot be swept: refused in a line, within a second, before anything is compiled; and what can."""

import inspect
import json
import pickle
import time
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
import scipy.sparse
import test_sweep as base

from jaxnets import gradient, losses, models, sweep
from jaxnets.check import InputError
from jaxnets.data import Dataset
from jaxnets.learner import Learner
from jaxnets.sweep import Grid
from jaxnets.sweep.store import Store
from jaxnets.types import Batch

X = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
Y = np.arange(12) % 3
ROWS = Batch(X, Y)
RATES = Grid(rate=[0.1, 0.2])
plan = inspect.unwrap(sweep.plan)  # the tests' own type checks would answer first


def network(hparams):
    return gradient(models.MLP((4,), 3), losses.softmax_cross_entropy, optax.sgd(hparams.rate))


def images(hparams):
    return gradient(models.LeNet(3), losses.softmax_cross_entropy, optax.sgd(hparams.rate))


def planned(make=network, grid=RATES, data=(X, Y), **options):
    return plan(make, grid, data, **({"num_steps": 3, "lanes": 2} | options))


def of_state(state, step=lambda key, state, batch: (state, {"loss": jnp.float32(0)})):
    """A function that makes a learner with this state and this step."""
    return lambda hparams: Learner(lambda key, batch: state, step, lambda state, inputs: inputs)


class Words(NamedTuple):
    rate: float = 0.1
    optimizer: str = "sgd"


GRIDS = {
    "empty": (lambda: Grid(rate=[]), "rate: no values, at least one"),
    "unequal lengths": (lambda: Grid.zip(a=[1, 2], b=[1]), "axes of {'a': 2, 'b': 1} values, allowed"),
    "scalar": (lambda: Grid(rate=3.0), "rate = 3.0, allowed are sequences"),
    "two-dimensional": (lambda: Grid(rate=np.arange(4.0).reshape(2, 2)), "rate = (0.0, 1.0), allowed are"),
    "ragged": (lambda: Grid(rate=[[0.1, 0.2], [0.3]]), "rate = (0.1, 0.2), allowed are numbers"),
    "object": (lambda: Grid(rate=[object()]), "allowed are numbers, words and tuples"),
    "string": (lambda: Grid(rate="0.1"), "rate = '0.1', allowed are sequences"),
    "set": (lambda: Grid(rate={0.1, 0.2}), "allowed are sequences"),
    "None": (lambda: Grid(rate=[None]), "rate = None, allowed are numbers"),
    "complex": (lambda: Grid(rate=[1j]), "rate: complex 1j, allowed are numbers"),
    "bool": (lambda: Grid(rate=[True]), "rate = True, allowed are numbers"),
    "NaN": (lambda: Grid(rate=[np.nan]), "rate: nan, allowed are finite numbers"),
    "inf": (lambda: Grid(rate=[np.inf]), "rate: inf, allowed are finite numbers"),
    "negative rate": (lambda: Grid(rate=[-0.1]), "rate = -0.1, allowed is [0, inf)"),
    "overflow": (lambda: Grid(width=[1e39]), "width = 1e+39, which is inf in 32 bits"),
    "underflow": (lambda: Grid(width=[1e-50]), "width = 1e-50, which is 0.0 in 32 bits"),
    "momentum": (lambda: Grid(momentum=[1.0]), "momentum = 1.0, allowed is [0, 1)"),
    "betas": (lambda: Grid(b1=[0.9], b2=[-0.1]), "b2 = -0.1, allowed is [0, 1)"),
    "eps": (lambda: Grid(eps=[0.0]), "eps = 0.0, allowed is (0, inf)"),
    "duplicates": (lambda: Grid(rate=[0.1, 0.1]), "rate: 0.1 is given twice"),
    "duplicates in 32 bits": (lambda: Grid(rate=[0.1, 0.1 + 1e-12]), "two points are the same in 32 bits"),
    "reserved name": (lambda: Grid(status=[1]), "'status' is a column of every table, allowed are other"),
    "path separator": (lambda: Grid(**{"a/b": [1]}), "'a/b', allowed are names"),
    "missing name": (lambda: Grid(rat=[0.1]), "asks for hparams.rate; did you mean 'rat'? allowed: rat"),
    "no grid": (lambda: {"rate": [0.1]}, "allowed is a Grid"),
}  # fmt: skip

OPTIONS = {
    "unknown name": (
        {"grid": Grid(learnig_rate=[1]), "hparams": base.Hparams()}, "did you mean 'learning_rate'?",
    ),
    "static given as dynamic": ({"hparams": Words()}, "optimizer = 'sgd', allowed are numbers: it is traced"),
    "dynamic used as static": (
        {"make": lambda hparams: network(hparams) if hparams.rate > 0 else None}, "make it a setting",
    ),
    "more cells than int32": (
        {"grid": Grid(rate=range(1, 3000)), "seeds": 10**6}, "allowed are less than 2**31 cells",
    ),
    "more seeds than can be": ({"seeds": 2**40}, "seeds = 1099511627776, allowed are 1 to 1000000"),
    "seed negative": ({"seeds": [-1]}, "seed = -1, allowed are 0 to 4294967295"),
    "seed of 2^32": ({"seeds": [2**32]}, "seed = 4294967296, allowed are 0 to 4294967295"),
    "seed float": ({"seeds": [0.5]}, "seed = 0.5, allowed are 0 to"),
    "seeds float": ({"seeds": 2.5}, "seeds = 2.5, allowed are"),
    "seed bool": ({"seeds": [True]}, "seed = True, allowed are 0 to"),
    "seeds equal modulo 2^32": ({"seeds": [1, 1 + 2**32]}, "seed = 4294967297, allowed are 0 to"),
    "one seed for many runs": ({"seeds": [3, 3]}, "seeds = [3, 3], each is allowed once"),
    "keys": ({"seeds": jax.random.key(0)}, "allowed are a number of seeds or a sequence of them, no keys"),
    "legacy keys": ({"seeds": np.zeros((2, 3), np.uint32)}, "seed = array([0, 0, 0]"),
    "steps 0": ({"num_steps": 0}, "num_steps = 0, allowed are 1 to 2147483647"),
    "steps float": ({"num_steps": 2.5}, "num_steps = 2.5, allowed are 1 to"),
    "steps of 2^31": ({"num_steps": 2**31}, "num_steps = 2147483648, allowed are 1 to"),
    "lanes 0": ({"lanes": 0}, "lanes = 0, allowed are 1 to"),
    "lanes float": ({"lanes": 2.0}, "lanes = 2.0, allowed are 1 to"),
    "segment 0": ({"evaluate_every": 0}, "evaluate_every = 0, allowed are 1 to 3"),
    "segment beyond the steps": ({"evaluate_every": 4}, "evaluate_every = 4, allowed are 1 to 3"),
    "budget": ({"lanes": 1, "memory": 100}, "there are 0.0001 MB; allowed is a smaller batch_size or model"),
    "no callable": ({"make": "mlp"}, "'mlp', allowed are a Trial, an experiment or a function"),
    "three arguments": ({"make": lambda a, b, c: None}, "allowed is a function (hparams) or (hparams, set"),
    "no argument": ({"make": lambda: None}, "allowed is a function (hparams) or (hparams, settings)"),
    "no learner": ({"make": lambda hparams, settings: 3}, "it made int, allowed is a Learner"),
    "metrics": ({"metrics": 3}, "metrics = 3, allowed is a function (outputs, targets) -> dict"),
    "leaf of text": ({"make": of_state({"w": "x"})}, "Value 'x' with dtype <U1 is not a valid JAX array"),
    "a step that changes a dtype": (
        {"make": of_state(jnp.zeros(2), lambda key, state, batch: (state > 0, {"loss": 0.0}))},
        "a step changes state from float32[2] to bool[2], allowed is the same",
    ),
    "a step that changes a shape": (
        {"make": of_state(jnp.zeros(2), lambda key, state, batch: (state[:1], {"loss": 0.0}))},
        "a step changes state from float32[2] to float32[1], allowed is the same",
    ),
    "batches of 0": ({"batch_size": 0}, "batch_size = 0, allowed are 1"),
    "a row out of range": (
        {"batch_size": 2, "sampling": lambda *_, **sizes: jnp.full((20, 2), 12)},
        "sampling: row 12, allowed are 0 to 11",
    ),
    "rows of another shape": (
        {"batch_size": 2, "sampling": lambda *_, **sizes: jnp.zeros(3)},
        "sampling: float32 of shape (3,), allowed are integers of shape (20, 2)",
    ),
    "image axes": ({"make": images, "data": (np.zeros((4, 28, 28)), np.arange(4) % 3)}, "images (n, h"),
}  # fmt: skip

DATA = {
    "NaN": ((np.where(X > 1, np.nan, X), Y), "train inputs: 3 of 36 values are NaN or infinite"),
    "inf": ((np.where(X > 1, np.inf, X), Y), "values are NaN or infinite, the first in row 2"),
    "no rows": ((X[:0], Y[:0]), "train: no rows, at least one is needed"),
    "no columns": ((X[:, :0], Y), "inputs of shape (12, 0), at least one column is needed"),
    "lengths": ((X, Y[:3]), "12 inputs and 3 targets, allowed is one target a row"),
    "no axis": ((np.float32(1), Y), "a single number, allowed are arrays that hold rows"),
    "object": ((X.astype(object), Y), "object arrays, allowed are real numbers"),
    "strings": ((X.astype(str), Y), "<U32 arrays, allowed are real numbers"),
    "complex": ((X.astype(complex), Y), "complex128 arrays, allowed are real numbers"),
    "float64 beyond float32": ((1e300 * X.astype(float), Y), "NaN or infinite in 32 bits"),
    "int64 beyond int32": ((np.full((12, 1), 2**40), Y), "values are too large in 32 bits"),
    "sparse": ((scipy.sparse.csr_array(X), Y), "csr_array, allowed are arrays in which every value stands"),
    "masked": ((np.ma.masked_array(X, X > 1), Y), "MaskedArray, allowed are arrays"),
    "a column of words": ((pd.DataFrame({"a": ["x"] * 12, "b": 1.0}), Y), "object arrays, allowed are real"),
    "ragged": (([[1.0, 2.0], [3.0]], [0, 1]), "rows of several lengths, allowed are rows of one"),
    "labels negative": (Dataset(Batch(X, Y - 1), num_classes=3), "label -1, allowed are 0 to 2"),
    "labels too large": (Dataset(Batch(X, Y + 1), num_classes=3), "label 3, allowed are 0 to 2"),
    "labels of floats": (Dataset(Batch(X, Y * 1.0), num_classes=3), "float64 of shape (12,), allowed are"),
    "labels 2-D": (Dataset(Batch(X, Y[:, None]), num_classes=3), "shape (12, 1), allowed are integers"),
    "one class only": (Dataset(Batch(X, 0 * Y), num_classes=1), "num_classes = 1, allowed are 2, 3"),
    "other columns in test": (Dataset(ROWS, test=Batch(X[:, :2], Y)), "(2,)] a row, allowed is [(3,)]"),
    "no pair": ((X, Y, Y), "data: tuple, allowed are a Dataset, or a pair"),
}  # fmt: skip

TABLE = [
    *(
        (f"grid: {name}", lambda make=make: planned(grid=make()), message)
        for name, (make, message) in GRIDS.items()
    ),
    *((name, lambda given=given: planned(**given), message) for name, (given, message) in OPTIONS.items()),
    *(
        (f"data: {name}", lambda data=data: planned(data=data), message)
        for name, (data, message) in DATA.items()
    ),
]


def refusal_of(attempt, monkeypatch):
    """The line by which an attempt is refused, and the processor's seconds that it takes, at best of three.

    Of this process alone, and not while memory of earlier tests is collected: a busy machine is no alarm.
    """
    compiles = lambda *_, **options: pytest.fail("it was compiled")  # noqa: E731
    monkeypatch.setattr(jax.stages.Lowered, "compile", compiles)
    seconds = []
    while len(seconds) < 3 and min(seconds, default=1) >= 1:
        begun = time.process_time()
        with pytest.raises((ValueError, TypeError)) as refusal:
            attempt()
        seconds.append(time.process_time() - begun)
    return str(refusal.value), min(seconds)


@pytest.mark.parametrize(("attempt", "message"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_cannot_be_swept_is_refused_at_once(attempt, message, monkeypatch):
    line, seconds = refusal_of(attempt, monkeypatch)
    assert message in line
    assert "\n" not in line
    assert seconds < 1


def test_the_harness_notices_what_is_accepted(monkeypatch):
    """The control: sound input is no refusal, so the table cannot pass by refusing everything."""
    with pytest.raises(pytest.fail.Exception, match="it was compiled"):
        refusal_of(planned, monkeypatch)


def test_random_numbers_of_another_kind_are_refused(monkeypatch):
    with jax.default_prng_impl("rbg"):
        line, seconds = refusal_of(planned, monkeypatch)
    assert "jax_default_prng_impl = rbg, allowed is threefry2x32" in line
    assert seconds < 1


MANIFEST = {"sweep": "abc", "format": 1, "parts": {"0": {"lanes": 2}}}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "format was 2, is 1"),
        ({"parts": {"0": {"lanes": 4}}}, "parts.0.lanes was 4, is 2"),
        ({"sweep": "def"}, 'sweep was "def", is "abc"'),
    ],
)
def test_a_folder_of_another_sweep_is_refused(tmp_path, change, message):
    """A newer format, another lane count, another sweep."""
    Store(tmp_path, MANIFEST | change).close()
    with pytest.raises(InputError) as refusal:
        Store(tmp_path, MANIFEST, resume=True)
    assert message in str(refusal.value)


def test_a_pickle_in_the_place_of_a_chunk_is_named_and_not_opened(tmp_path):
    class Opened:
        def __reduce__(self):
            return pytest.fail, ("it was opened",)

    with Store(tmp_path, MANIFEST) as store:
        (tmp_path / "chunks" / "000000.chunk").write_bytes(pickle.dumps(Opened()))
        assert store.finished(0) is None
        assert store.damaged == ["000000.chunk: no whole record of jaxnets"]


FORMS = {
    "Fortran order": (np.asfortranarray(X), Y),
    "not contiguous": (np.repeat(X, 2, axis=1)[:, ::2], Y),
    "lists": (X.tolist(), Y.tolist()),
    "int8": (X, Y.astype(np.int8)),
    "int16": (X, Y.astype(np.int16)),
    "int64": (X, Y.astype(np.int64)),
    "float64 that fits": (X.astype(np.float64), Y),
    "float16": (X.astype(np.float16), Y),
    "a data frame": (pd.DataFrame(X), pd.Series(Y)),
}


def seen(key, state, batch):
    """A step whose loss tells what it was given."""
    inputs, targets = (jnp.asarray(part, jnp.float32) for part in batch)
    return state, {"loss": (inputs.T @ targets).sum()}


def loss_of(data):
    """Of one lane and one step."""
    grid = Grid(rate=[0.1])
    result = sweep.run(planned(of_state(jnp.zeros(1), seen), grid, data, lanes=1, num_steps=1))
    return result.columns["loss"]


@pytest.fixture(scope="module")
def expected():
    return loss_of((X, Y))


@pytest.mark.parametrize("name", [*FORMS])
def test_the_same_rows_in_other_forms_give_the_same(name, expected):
    np.testing.assert_allclose(loss_of(FORMS[name]), expected, rtol=1e-3 if name == "float16" else 1e-6)


def test_rows_in_a_file_that_cannot_be_written_are_read(tmp_path, expected):
    X.tofile(tmp_path / "rows")
    rows = np.memmap(tmp_path / "rows", np.float32, "r", shape=X.shape)
    np.testing.assert_array_equal(loss_of((rows, Y)), expected)


def test_few_cells_and_folders_of_any_name_are_accepted(tmp_path):
    """Three cells by two lanes, one step, and one cell alone, in folders with spaces and letters of Greek."""
    grid = Grid(rate=[0.1, 0.2, 0.3])
    for number, some in enumerate((grid, Grid(rate=[0.2]))):
        folder = tmp_path / f"my räte λ {number}"
        result = sweep.run(planned(grid=some, num_steps=1), folder)
        assert result.columns["rate"].tolist() == some.column("rate")
        assert np.isfinite(result.columns["loss"]).all()
        assert json.loads((folder / "manifest.json").read_text())["names"] == ["rate"]
