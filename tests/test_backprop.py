"""Backward passes by hand against autodiff of plain formulas in float64, and what each must obey."""

import operator
import pathlib
import subprocess
import sys
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import backprop, losses
from jaxnets.backprop.windows import add_windows, windows
from jaxnets.check import InputError

GENERATOR = np.random.default_rng(0)


def normal(*shape):
    return GENERATOR.normal(size=shape)


def floats(*shape):
    return jnp.asarray(normal(*shape), jnp.float32)


def assert_same(by_hand, plain, inputs):
    """The outputs, and the gradients of one product with them, each in one program."""

    def value_and_gradients(vjp, inputs, slope):
        outputs, backward = vjp(*inputs)
        return outputs, backward(slope)

    with jax.enable_x64(True):
        shapes = jax.eval_shape(plain, *inputs)
        slope = jax.tree.map(lambda leaf: np.random.default_rng(1).normal(size=leaf.shape), shapes)
        run = jax.jit(value_and_gradients, static_argnums=0)
        found, expected = run(by_hand, inputs, slope), run(partial(jax.vjp, plain), inputs, slope)
        jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-10, atol=1e-12), found, expected)


def plain_affine(x, w, b):
    return x @ w + b[None]


def plain_cross_entropy(z):
    odds = jnp.exp(z)
    return -jnp.log(odds / odds.sum(1, keepdims=True))[jnp.arange(4), LABELS].mean()


def plain_batch_norm(x, scale, bias):
    axes = tuple(range(x.ndim - 1))
    mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
    row = (1,) * (x.ndim - 1) + (-1,)
    return scale.reshape(row) * (x - mean) / jnp.sqrt(var + 1e-5) + bias.reshape(row)


SPREAD = np.array([-3.0, -0.5, 0.0, 0.25, 40.0])
LABELS = np.array([2, 0, 1, 1], np.int32)
ELEMENTS = {
    "affine": (backprop.affine, plain_affine, (normal(4, 3), normal(3, 2), normal(2))),
    "affine_row": (backprop.affine, plain_affine, (normal(1, 1), normal(1, 5), normal(5))),
    "sigmoid": (backprop.sigmoid, lambda x: 1 / (1 + jnp.exp(-x)), (SPREAD,)),
    "tanh": (backprop.tanh, lambda x: jnp.sinh(x) / jnp.cosh(x), (normal(2, 3, 2),)),
    "relu": (backprop.relu, jax.nn.relu, (SPREAD,)),
    "cross_entropy": (
        lambda z: backprop.softmax_cross_entropy(z, LABELS), plain_cross_entropy, (normal(4, 3),),
    ),
    "squared_error": (
        lambda o: backprop.squared_error(o, SPREAD), lambda o: ((o - SPREAD) ** 2).mean(), (normal(5),),
    ),
    "batch_norm": (backprop.batch_norm, plain_batch_norm, (normal(7, 3), normal(3), normal(3))),
    "batch_norm_images": (backprop.batch_norm, plain_batch_norm, (normal(2, 3, 4, 2), normal(2), normal(2))),
}  # fmt: skip


@pytest.mark.parametrize("name", ELEMENTS)
def test_equals_autodiff_of_the_plain_formula(name):
    assert_same(*ELEMENTS[name])


@pytest.mark.parametrize(
    ("x", "kernel", "strides", "padding"),
    [
        ((2, 5, 6, 3), (3, 3, 3, 4), (1, 1), "SAME"),
        ((2, 7, 6, 1), (3, 2, 1, 2), (2, 3), "VALID"),
        ((1, 8, 7, 2), (3, 3, 2, 2), (2, 2), "SAME"),
        ((1, 4, 5, 2), (2, 3, 2, 1), (3, 2), ((0, 3), (2, 1))),
        ((2, 3, 3, 2), (1, 1, 2, 3), (1, 1), "VALID"),
    ],
)
def test_convolution_equals_autodiff(x, kernel, strides, padding):
    by_hand = partial(backprop.conv2d, strides=strides, padding=padding)
    axes = ("NHWC", "HWIO", "NHWC")
    plain = partial(lax.conv_general_dilated, window_strides=strides, padding=padding, dimension_numbers=axes)
    assert_same(by_hand, plain, (normal(*x), normal(*kernel)))


@pytest.mark.parametrize(
    ("x", "window", "strides"),
    [
        (normal(2, 6, 4, 3), (2, 2), None),
        (normal(1, 7, 6, 2), (3, 2), (2, 1)),
        (normal(1, 8, 8, 1), (2, 2), (3, 3)),
        (np.zeros((1, 5, 5, 1)), (3, 3), (1, 1)),
    ],
    ids=["tiles", "overlapping", "gaps", "ties"],
)
def test_pooling_equals_autodiff(x, window, strides):
    def plain(x, start, combine):
        steps = (1, *(strides or window), 1)
        return lax.reduce_window(x, start, combine, (1, *window, 1), steps, "VALID")

    options = {"window": window, "strides": strides}
    assert_same(partial(backprop.max_pool, **options), lambda x: plain(x, -jnp.inf, lax.max), (x,))
    count = window[0] * window[1]
    assert_same(partial(backprop.average_pool, **options), lambda x: plain(x, 0.0, lax.add) / count, (x,))


def recurrent(cell, carry):
    x = normal(5, 4)
    shapes = jax.eval_shape(cell.init, jax.random.key(0), carry, x)["params"]
    return jax.tree.map(lambda leaf: 0.5 * normal(*leaf.shape), shapes), carry, x


@pytest.mark.parametrize(
    ("by_hand", "cell", "carry"),
    [
        (backprop.lstm_cell, nn.LSTMCell(3), (normal(5, 3), normal(5, 3))),
        (backprop.gru_cell, nn.GRUCell(3), normal(5, 3)),
    ],
    ids=["lstm", "gru"],
)
def test_cells_equal_autodiff_of_flax(by_hand, cell, carry):
    def plain(params, *rest):
        return cell.apply({"params": params}, *rest)[0]

    assert_same(by_hand, plain, recurrent(cell, carry))


def test_through_time_the_gradients_of_shared_parameters_add_up():
    params, carry, x = recurrent(nn.GRUCell(3), normal(5, 3))
    xs = [x, x[::-1], 2 * x]

    def unrolled(params):
        h = carry
        for x in xs:
            h = nn.GRUCell(3).apply({"params": params}, h, x)[0]
        return h

    def by_hand(params):
        h, ways = carry, []
        for x in xs:
            h, backward = backprop.gru_cell(params, h, x)
            ways.append(backward)

        def through_time(dh):
            total = jax.tree.map(jnp.zeros_like, params)
            for backward in reversed(ways):
                dparams, dh, _ = backward(dh)
                total = jax.tree.map(operator.add, total, dparams)
            return (total,)

        return h, through_time

    assert_same(by_hand, unrolled, (params,))


def test_batch_norm_gradient_is_orthogonal_to_ones_and_to_the_output():
    """Moving a feature along 1 or along itself changes nothing, so the loss has no slope there."""
    with jax.enable_x64(True):
        u, backward = backprop.batch_norm(3 + 5 * normal(20, 4), np.ones(4), np.zeros(4), epsilon=0.0)
        dx, _, _ = backward(normal(20, 4))
        assert np.abs(dx).max() > 1e-2
        np.testing.assert_allclose(dx.sum(0), 0, atol=1e-13)
        np.testing.assert_allclose((dx * u).sum(0), 0, atol=1e-13)


def test_softmax_slopes_of_a_row_cancel():
    logits = jnp.array([[1e4, -1e4, 0.0], [0.0, 1.0, 2.0]])
    loss, backward = backprop.softmax_cross_entropy(logits, jnp.array([1, 2]))
    (dlogits,) = backward(1.0)
    assert float(loss) == pytest.approx((2e4 + 0.4076) / 2)
    np.testing.assert_allclose(dlogits.sum(1), 0, atol=1e-7)
    np.testing.assert_allclose(dlogits[0], [0.5, -0.5, 0])


@pytest.mark.parametrize(("size", "strides"), [((2, 3), (1, 2)), ((3, 1), (2, 2))])
def test_adding_windows_is_the_transpose_of_cutting_them(size, strides):
    """``<windows(x), u> = <x, add_windows(u)>``."""
    x = floats(2, 6, 5, 3)
    cut = windows(x, size, strides)
    u = floats(*cut.shape)
    back = add_windows(u, x.shape, strides)
    assert float((cut * u).sum()) == pytest.approx(float((x * back).sum()), rel=1e-4)


def test_max_pool_passes_on_the_whole_gradient_and_the_first_of_equals_takes_it():
    dy = floats(1, 3, 3, 2)
    _, backward = backprop.max_pool(jnp.ones((1, 5, 5, 2)), (3, 3), strides=(1, 1))
    (dx,) = backward(dy)
    np.testing.assert_allclose(dx[:, :3, :3], dy, atol=1e-6)
    assert float(dx.sum()) == pytest.approx(float(dy.sum()), abs=1e-5)


def test_differentiable_gives_autodiff_the_gradient_by_hand():
    def wrong_tanh(x):
        y, backward = backprop.tanh(x)
        return y, lambda dy: (2 * backward(dy)[0],)

    assert float(jax.grad(backprop.differentiable(wrong_tanh))(0.0)) == 2.0
    entropy = backprop.differentiable(backprop.softmax_cross_entropy)
    logits = floats(4, 3)
    expected = jax.grad(losses.softmax_cross_entropy)(logits, LABELS)
    np.testing.assert_allclose(jax.jit(jax.grad(entropy))(logits, LABELS), expected, atol=1e-6)


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"windows \(3, 3\) on images \(2, 2\)"):
        backprop.max_pool(jnp.ones((1, 2, 2, 1)), (3, 3))
    with pytest.raises(InputError, match="unknown padding 'same'"):
        backprop.conv2d(jnp.ones((1, 2, 2, 1)), jnp.ones((1, 1, 1, 1)), padding="same")
    with pytest.raises(InputError, match=r"epsilon = -1, allowed is \[0"):
        backprop.batch_norm(jnp.ones((2, 1)), jnp.ones(1), jnp.zeros(1), epsilon=-1)
    with pytest.raises(InputError, match="allowed is one shape"):
        backprop.squared_error(jnp.ones((2, 1)), jnp.ones(2))


@pytest.mark.parametrize(
    ("window", "strides", "found"),
    [
        ((2, 2), (0, 1), "strides = 0"),
        ((0, 2), None, "window = 0"),
        ((2,), None, r"window = \(2,\)"),
        ((2, 2), (), r"strides = \(\)"),
        ((2, 2), (1, 1, 1), r"strides = \(1, 1, 1\)"),
    ],
)
@pytest.mark.parametrize("pool", [backprop.max_pool, backprop.average_pool])
def test_pooling_refuses_what_is_no_window_and_no_strides(pool, window, strides, found):
    with pytest.raises(InputError, match=f"{found}, allowed "):
        pool(jnp.ones((1, 4, 4, 1)), window, strides=strides)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"strides": (1, 0)}, "strides = 0"),
        ({"strides": (2,)}, r"strides = \(2,\)"),
        ({"padding": ((-1, 0), (0, 0))}, "padding = -1"),
        ({"padding": ((0, 0), (1, -2))}, "padding = -2"),
        ({"padding": ((1, 1),)}, r"padding = \(\(1, 1\),\)"),
        ({"padding": ((1, 1), (1,))}, r"padding = \(1,\)"),
    ],
)
def test_convolution_refuses_what_is_no_strides_and_no_padding(options, found):
    with pytest.raises(InputError, match=f"{found}, allowed "):
        backprop.conv2d(jnp.ones((1, 4, 4, 2)), jnp.ones((2, 2, 2, 1)), **options)


OF_WRONG_TYPE = """
import jax.numpy as jnp
from jaxnets import backprop, check
x, kernel = jnp.ones((1, 4, 4, 1)), jnp.ones((2, 2, 1, 1))
for name, call in {
    "strides = 2": lambda: backprop.conv2d(x, kernel, strides=2),
    "strides = 1.5": lambda: backprop.conv2d(x, kernel, strides=(1, 1.5)),
    "padding = 1": lambda: backprop.conv2d(x, kernel, padding=1),
    "padding = 3": lambda: backprop.conv2d(x, kernel, padding=(3, 3)),
    "window = 2": lambda: backprop.max_pool(x, 2),
    "strides = 3": lambda: backprop.average_pool(x, (2, 2), strides=3),
}.items():
    try:
        call()
    except check.InputError as refusal:
        assert str(refusal).startswith(name + ", allowed "), refusal
    else:
        raise AssertionError(name)
"""


def test_wrong_types_are_refused_in_one_line_where_no_types_are_checked():
    folder = pathlib.Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", OF_WRONG_TYPE], check=True, timeout=120, cwd=folder)
