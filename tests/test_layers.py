"""Layers: equal to flax's and XLA's in values and gradients, where those are slow or refuse traced rates."""

import itertools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxnets import check
from jaxnets.layers import BatchNorm, Conv, Dropout, average_pool, conv2d, max_pool

IMAGES = np.random.default_rng(0).normal(size=(3, 7, 8, 2)).astype(np.float32)


def random_kernel(*window):
    return np.random.default_rng(1).normal(size=(*window, 2, 4)).astype(np.float32)


def plain(x, kernel, *, strides=(1, 1), padding="SAME"):
    return lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def close(found, expected, tolerance=1e-5):
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


def objective(convolve, **static):
    return lambda x, kernel: jnp.sum(jnp.sin(convolve(x, kernel, **static)))


CONVOLUTIONS = [
    *itertools.product([(5, 5), (4, 4), (3, 2)], [(1, 1), (2, 2)], ["SAME", "VALID"]),
    ((1, 1), (2, 1), "SAME"),
    ((2, 3), (1, 3), ((2, 1), (0, 3))),
]


@pytest.mark.parametrize(("window", "strides", "padding"), CONVOLUTIONS)
def test_convolution_and_gradients_are_xlas(window, strides, padding):
    kernel, static = random_kernel(*window), {"strides": strides, "padding": padding}
    both = [jax.value_and_grad(objective(convolve, **static), (0, 1)) for convolve in (conv2d, plain)]
    found, expected = jax.jit(lambda *args: [function(*args) for function in both])(IMAGES, kernel)
    close(found, expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_is_a_sum_over_windows(stride):
    kernel = random_kernel(3, 2)
    windows = np.lib.stride_tricks.sliding_window_view(IMAGES, (3, 2), axis=(1, 2))[:, ::stride, ::stride]
    expected = np.einsum("nijcpq,pqck->nijk", windows, kernel)
    close(conv2d(IMAGES, kernel, strides=(stride, stride), padding="VALID"), expected)


def dense(x, kernel, strides, pads):
    """Pads, cuts out every window, and sums: no convolution, so none of its faults."""
    x = lax.pad(x, np.float32(0), [(0, 0, 0), *((*pair, 0) for pair in pads), (0, 0, 0)])
    starts = [range(0, x.shape[1 + a] - kernel.shape[a] + 1, strides[a]) for a in (0, 1)]
    rows, columns = (np.add.outer(starts[a], np.arange(kernel.shape[a])) for a in (0, 1))
    return jnp.einsum("nipjqc,pqck->nijk", x[:, rows][:, :, :, columns], kernel)


@pytest.mark.parametrize(
    ("rows", "window", "strides", "pads"),
    [
        (7, (2, 2), (1, 1), ((2, 0), (1, 3))),
        (7, (3, 2), (2, 3), ((-1, 4), (3, -2))),
        (1, (4, 2), (1, 2), ((0, 3), (1, 1))),
    ],
)
def test_wide_and_negative_padding_and_low_images(rows, window, strides, pads):
    """XLA's own gradients are garbage for the first (jax 0.10.2, CPU)."""
    both = (
        (lambda *args: conv2d(*args, strides=strides, padding=pads)),
        (lambda *args: dense(*args, strides, pads)),
    )
    gradients = [jax.value_and_grad(objective(function), (0, 1)) for function in both]
    found, expected = jax.jit(lambda *args: [g(*args) for g in gradients])(
        IMAGES[:, :rows], random_kernel(*window)
    )
    close(found, expected)


def test_gradients_are_adjoint():
    """Linear in each argument: ``<dy, y> = <dx, x> = <dkernel, kernel>``."""
    kernel = random_kernel(4, 3)
    y, pullback = jax.vjp(lambda *args: conv2d(*args, strides=(2, 2)), IMAGES, kernel)
    dx, dkernel = pullback(jnp.cos(y))
    close([jnp.vdot(dx, IMAGES), jnp.vdot(dkernel, kernel)], [jnp.vdot(jnp.cos(y), y)] * 2)


def descend(convolve, kernel):
    """Three steps of gradient descent in a compiled loop."""
    gradient = jax.grad(objective(convolve, strides=(2, 2)), 1)
    return lax.scan(lambda kernel, _: (kernel - 0.01 * gradient(IMAGES, kernel), None), kernel, length=3)[0]


def test_convolution_in_a_loop_over_models():
    kernels = np.stack([random_kernel(3, 3), -2 * random_kernel(3, 3)])
    many, one = (jax.jit(lambda k, c=c: jax.vmap(lambda k: descend(c, k))(k)) for c in (conv2d, plain))
    close(many(kernels), one(kernels))


def test_second_gradient_of_convolution():
    def size(convolve):
        slope = jax.grad(objective(convolve), (0, 1))
        return jax.grad(lambda *args: sum(jnp.vdot(g, g) for g in slope(*args)), (0, 1))

    found, expected = jax.jit(lambda *args: [size(c)(*args) for c in (conv2d, plain)])(
        IMAGES, random_kernel(3, 3)
    )
    close(found, expected, tolerance=1e-4)


@pytest.mark.parametrize(("platform", "canonical"), [("cpu", True), ("cuda", False), ("tpu", False)])
def test_platform_chooses_the_gradients_when_compiling(platform, canonical):
    gradient = jax.jit(jax.grad(objective(conv2d), (0, 1))).trace(IMAGES, random_kernel(3, 3))
    lowered = gradient.lower(lowering_platforms=(platform,))
    assert ("optimization_barrier" in lowered.as_text()) == canonical
    if platform == jax.default_backend():
        assert "conditional(" not in lowered.compile().as_text()


def test_unusable_convolutions_are_refused():
    with pytest.raises(check.InputError, match="unknown padding 'VALD': did you mean 'VALID'"):
        conv2d(IMAGES, random_kernel(3, 3), padding="VALD")
    with pytest.raises(check.InputError, match=r"kernel \(9, 1\) on padded images \(7, 8\)"):
        conv2d(IMAGES, random_kernel(9, 1), padding="VALID")


@pytest.mark.parametrize("use_bias", [True, False])
def test_conv_layer_is_flaxs(use_bias):
    static = {"strides": (2, 1), "padding": "SAME", "use_bias": use_bias}
    ours, flaxs = Conv(4, (3, 3), **static), nn.Conv(4, (3, 3), **static)
    variables = flaxs.init(jax.random.key(0), IMAGES)
    shapes = jax.tree.map(jnp.shape, ours.init(jax.random.key(0), IMAGES))
    assert shapes == jax.tree.map(jnp.shape, variables)
    variables = jax.tree.map(lambda leaf: leaf + 0.1, variables)
    close(ours.apply(variables, IMAGES), flaxs.apply(variables, IMAGES))


TIED = np.random.default_rng(2).integers(0, 3, size=(2, 7, 8, 3)).astype(np.float32)


@pytest.mark.parametrize(("ours", "flaxs"), [(max_pool, nn.max_pool), (average_pool, nn.avg_pool)])
@pytest.mark.parametrize("padding", ["VALID", "SAME"])
@pytest.mark.parametrize(("window", "strides"), [((2, 2), None), ((3, 2), (3, 2)), ((3, 3), (2, 1))])
def test_pooling_and_gradients_are_flaxs(ours, flaxs, padding, window, strides):
    """Also where windows hold their maximum several times, as whole numbers do."""

    def squares(pool, strides):
        return jax.value_and_grad(lambda x: jnp.sum(pool(x, window, strides=strides, padding=padding) ** 2))

    both = squares(ours, strides), squares(flaxs, strides or window)
    found, expected = jax.jit(lambda x: [function(x) for function in both])(TIED)
    close(found, expected, tolerance=1e-6)


def test_max_pool_passes_nan_on_and_refuses_other_padding():
    spoiled = np.where(np.arange(8).reshape(1, 1, 8, 1) == 3, np.nan, TIED)
    assert np.isnan(max_pool(spoiled, (2, 2))).any(axis=(0, 1, 3)).tolist() == [False, True, False, False]
    with pytest.raises(check.InputError, match="did you mean 'SAME'"):
        max_pool(TIED, (2, 2), padding="SAMEE")


def test_max_pool_of_integers_and_lists():
    for strides in (None, [2, 2], [1, 2]):
        static = {"strides": strides, "padding": "SAME"}
        found = max_pool((TIED - 5).astype(np.int8), [2, 2], **static)
        assert found.dtype == jnp.int8
        close(found, max_pool(TIED - 5, (2, 2), **static), tolerance=0)
        close(
            average_pool(TIED, [2, 2], strides=strides),
            average_pool(TIED, (2, 2), strides=strides and tuple(strides)),
        )


def dropped(rate, x, key):
    return Dropout(rate).apply({}, x, train=True, rngs={"dropout": key})


def test_dropout_is_flaxs():
    key, x = jax.random.key(0), jnp.linspace(-1, 1, 1000)
    expected = nn.Dropout(0.3, deterministic=False).apply({}, x, rngs={"dropout": key})
    close(dropped(0.3, x, key), expected, tolerance=1e-6)
    close(Dropout(0.3).apply({}, x, train=False), x, tolerance=0)


def test_dropout_under_vmap_over_rates():
    rates, x = jnp.array([0.0, 0.25, 1.0]), jnp.ones(10_000)
    function = jax.vmap(
        jax.value_and_grad(lambda rate, x: dropped(rate, x, jax.random.key(1)).mean(), 1), (0, None)
    )
    means, gradients = jax.jit(function)(rates, x)
    # The middle mean has standard deviation sqrt(0.25 / 0.75 / 10,000) = 0.006; the key is fixed.
    np.testing.assert_allclose(means, [1, 1, 0], atol=0.02)
    np.testing.assert_array_equal(gradients[0] * 10_000, x)
    np.testing.assert_array_equal(gradients[2], 0 * x)
    assert np.isfinite(gradients).all()


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16])
@pytest.mark.parametrize("rate", [0.001, 0.999])
def test_dropout_in_half_precision_drops_the_same(rate, dtype):
    key, x = jax.random.key(1), jnp.ones(20_000)
    found, expected = dropped(rate, x.astype(dtype), key), dropped(rate, x, key)
    assert found.dtype == dtype
    assert 0 < (expected == 0).sum() < x.size
    np.testing.assert_array_equal(found, expected.astype(dtype))


def test_dropout_refuses_integers():
    with pytest.raises(check.InputError, match="inputs of int32, allowed are floats"):
        dropped(0.5, jnp.arange(3), jax.random.key(0))


@pytest.mark.parametrize("rate", [-0.1, 1.1, np.nan])
def test_dropout_refuses_a_rate_outside(rate):
    with pytest.raises(check.InputError, match=r"rate = .*, allowed is \[0, 1\]"):
        dropped(rate, jnp.ones(3), jax.random.key(0))


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("shape", [(6, 3), (4, 5, 2, 3)])
def test_batch_norm_and_gradients_are_flaxs(shape, train):
    x = 2 + np.random.default_rng(3).normal(size=shape).astype(np.float32)
    ours, flaxs = BatchNorm(momentum=0.8), nn.BatchNorm(momentum=0.8)
    variables = ours.init(jax.random.key(0), x, train=False)
    variables["params"]["scale"] = jnp.array([0.5, 1.0, 2.0])

    def result(apply, **mode):
        def function(params, x):
            stored = {"params": params, "batch_stats": variables["batch_stats"]}
            y, updated = apply(stored, x, **mode, mutable=["batch_stats"])
            return jnp.sum(jnp.sin(y)), (y, updated)

        return jax.jit(jax.value_and_grad(function, (0, 1), has_aux=True))(variables["params"], x)

    expected = result(flaxs.apply, use_running_average=not train)
    close(result(ours.apply, train=train), expected, tolerance=2e-5)


def test_batch_norm_in_a_loop_over_momenta():
    """On one batch again and again the averages are ``m^t start + (1 - m^t) batch``."""
    x, momenta = jnp.array([[1.0], [5.0]]), jnp.array([0.0, 0.5, 1.0])
    start = BatchNorm().init(jax.random.key(0), x, train=False)

    def averages(momentum):
        def step(variables, _):
            y, updated = BatchNorm(momentum).apply(variables, x, train=True, mutable=["batch_stats"])
            return {**variables, **updated}, y

        return lax.scan(step, start, length=3)[0]["batch_stats"]

    found, left = jax.jit(jax.vmap(averages))(momenta), momenta[:, None] ** 3
    close(found, {"mean": (1 - left) * 3, "var": left + (1 - left) * 4}, tolerance=1e-6)


def test_batch_norm_refuses_a_momentum_outside():
    with pytest.raises(check.InputError, match=r"momentum = 1.5, allowed is \[0, 1\]"):
        BatchNorm(1.5).init(jax.random.key(0), jnp.ones((2, 1)), train=False)
