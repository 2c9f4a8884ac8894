"""The most probable factors: a stationary point, never left uphill; the experiment's reader and its loop."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import matrix_factorisation as experiment
from jaxnets import train
from jaxnets.check import InputError
from jaxnets.data import synthetic
from jaxnets.models.matrix_factorisation import pmf, products

L2 = 2.0


@pytest.fixture(scope="module")
def trained():
    """In float64, from 300 of the 600 cells of a 30 x 20 matrix."""
    with jax.enable_x64(True):
        rows = synthetic.low_rank_ratings(jax.random.key(0), num_examples=300, num_users=30, num_items=20)
        model = pmf(num_users=30, num_items=20, rank=3, l2=L2)
        fit = jax.jit(lambda key, rows: train.run(key, model, rows, num_steps=2000, evaluate_every=20))
        return rows, fit(jax.random.key(0), rows)


def objective(factors, rows):
    error = rows.targets - rows.targets.mean() - products(factors, rows.inputs)
    away = [jnp.sum((part - jnp.eye(3)[side][None]) ** 2) for side, part in enumerate(factors)]
    return (jnp.sum(error**2) + L2 * sum(away)) / len(rows.targets)


def test_ends_where_the_gradient_is_zero(trained):
    rows, run = trained
    with jax.enable_x64(True):
        value, slope = jax.value_and_grad(objective)(run.state.factors, rows)
    assert max(abs(np.asarray(part)).max() for part in slope) < 1e-7
    np.testing.assert_allclose(run.history["loss"][-1], value, rtol=1e-9)


def test_no_step_goes_uphill(trained):
    loss = np.asarray(trained[1].history["loss"])
    assert (np.diff(loss) <= 1e-12).all()
    assert loss[0] > 1.01 * loss[-1]


@pytest.mark.parametrize("header", ["", "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"])
def test_file_is_read_and_the_busiest_come_first(header, tmp_path):
    path = tmp_path / "some.inter"
    cells = [(7, 5, 3), (7, 9, 4), (7, 2, 1), (3, 5, 2), (3, 9, 5), (8, 5, 1)]
    path.write_text(header + "".join(f"{u}\t{i}\t{r}\t881250949\n" for u, i, r in cells))
    rows = experiment._read(path)
    assert rows.inputs.tolist() == [[u, i] for u, i, _ in cells]
    assert rows.targets.tolist() == [r for *_, r in cells]
    assert experiment._busiest(rows.inputs[:, 0], 2).tolist() == [0, 0, 0, 1, 1, -1]


def test_what_cannot_be_read_is_one_line(tmp_path):
    (tmp_path / "bad.inter").write_text("1\t2\tthree\t4\n")
    for name in ("bad.inter", "none.inter"):
        with pytest.raises(InputError, match=name) as error:
            experiment.data(experiment.Settings(dataset=str(tmp_path / name)))
        assert "\n" not in str(error.value)


def test_numpys_loop_draws_from_the_same_conditional():
    """With many ratings and little noise both come close to the factors that made them."""
    rows = synthetic.low_rank_ratings(
        jax.random.key(0), num_examples=600, num_users=30, num_items=20, noise=0.0
    )
    rows = jax.tree.map(np.asarray, rows)
    model = pmf(num_users=30, num_items=20, rank=3, l2=0.01)
    state = jax.jit(lambda rows: train.run(jax.random.key(0), model, rows, num_steps=100).state)(rows)
    sides = experiment._numpy_sweep(rows, state.factors)()
    error = (
        rows.targets
        - rows.targets.mean()
        - np.sum(sides[0][rows.inputs[:, 0]] * sides[1][rows.inputs[:, 1]], 1)
    )
    assert np.sqrt(np.mean(error**2)) < 0.7  # noise of precision 2 at most, shared by twenty ratings
