"""One step of the LSTM and of the GRU, with the parameters of flax's cells.

Backward through time is the same step read from the end: each step's gradient by its carry is given to the
step before, and the gradients of the parameters, which all steps share, are added.
"""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp

from jaxnets.backprop.activations import sigmoid, tanh
from jaxnets.backprop.affine import Backward, affine
from jaxnets.types import Array, Float, Params

Carry = tuple[Float[Array, "n m"], Float[Array, "n m"]]


def lstm_cell(params: Params, carry: Carry, x: Float[Array, "n d"]) -> tuple[Carry, Backward]:
    """A step of the LSTM, as ``flax.linen.LSTMCell``; the carry is ``(c, h)``, and ``h`` is the output.

    With gates ``i, f, o = sigmoid(x W + h U + b)`` and ``g = tanh(x W + h U + b)``, each with its own
    matrices::

        c' = f c + i g        h' = o tanh(c')

    Derivation: ``c'`` reaches the loss by itself and through ``h'``, so its whole gradient is
    ``e = dc' + dh' o (1 - tanh(c')^2)``. By the product rule ``di = e g``, ``df = e c``, ``dg = e i``,
    ``dc = e f`` and ``do = dh' tanh(c')``. Each gate is an activation of an affine map of ``[x h]``; ``x``
    and ``h`` reach the loss through all four, so ``dx`` and ``dh`` are sums over the gates.

    Args:
        params: ``ii, if, ig, io`` with ``kernel``; ``hi, hf, hg, ho`` with ``kernel`` and ``bias``.
        carry: ``(c, h)``.
        x: the inputs of this step.

    Returns:
        The new carry, and ``backward((dc', dh')) -> (dparams, (dc, dh), dx)``.

    >>> one, zero = jnp.ones((1, 1)), jnp.zeros(1)
    >>> params = {f"i{gate}": {"kernel": one} for gate in "ifgo"}
    >>> params |= {f"h{gate}": {"kernel": one, "bias": zero} for gate in "ifgo"}
    >>> (c, h), backward = lstm_cell(params, (one, one), one)
    >>> dparams, (dc, dh), dx = backward((one, 0 * one))  # dc is the forget gate, sigmoid(2)
    >>> round(float(dc[0, 0]), 4)
    0.8808

    Reference: Hochreiter and Schmidhuber, Long short-term memory, 1997; Gers, Schmidhuber, Cummins, 2000.
    """
    c, h = carry
    i, into_i = _gate(params, "i", sigmoid, h, x)
    f, into_f = _gate(params, "f", sigmoid, h, x)
    g, into_g = _gate(params, "g", tanh, h, x)
    o, into_o = _gate(params, "o", sigmoid, h, x)
    new_c = f * c + i * g
    squashed, into_c = tanh(new_c)

    def backward(dcarry: Carry) -> tuple[Params, Carry, Array]:
        dc, dh = dcarry
        e = dc + into_c(dh * o)[0]
        gates = into_i(e * g), into_f(e * c), into_g(e * i), into_o(dh * squashed)
        dparams, dhs, dxs = zip(*gates, strict=True)
        return _merged(*dparams), (e * f, sum(dhs)), sum(dxs)

    return (new_c, o * squashed), backward


def gru_cell(
    params: Params, h: Float[Array, "n m"], x: Float[Array, "n d"]
) -> tuple[Float[Array, "n m"], Backward]:
    """A step of the GRU, as ``flax.linen.GRUCell``; the carry ``h`` is the output.

    With gates ``r, z = sigmoid(x W + h U + b)``, each with its own matrices::

        a = h U + b_h        v = tanh(x W + b + r a)        h' = (1 - z) v + z h

    Derivation: by the product rule ``dv = dh' (1 - z)`` and ``dz = dh' (h - v)``. Behind the tanh, ``ds =
    dv (1 - v^2)`` goes to ``x`` unchanged, to the gate as ``dr = ds a``, and to ``a`` as ``ds r``. The
    carry reaches the loss in four ways: straight, ``dh' z``, through ``a``, and through both gates.

    Args:
        params: ``ir, iz, in`` with ``kernel`` and ``bias``; ``hr, hz`` with ``kernel``; ``hn`` with both.
        h: the carry.
        x: the inputs of this step.

    Returns:
        The new carry, and ``backward(dh') -> (dparams, dh, dx)``.

    >>> one, zero = jnp.ones((1, 1)), jnp.zeros(1)
    >>> biased = {name: {"kernel": one, "bias": zero} for name in ("ir", "iz", "in", "hn")}
    >>> h, backward = gru_cell(biased | {"hr": {"kernel": one}, "hz": {"kernel": one}}, 0 * one, 0 * one)
    >>> dparams, dh, dx = backward(one)  # half straight, a quarter through a
    >>> float(dh[0, 0]), float(dx[0, 0])
    (0.75, 0.5)

    Reference: Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.
    """
    r, into_r = _gate(params, "r", sigmoid, h, x)
    z, into_z = _gate(params, "z", sigmoid, h, x)
    a, into_a = _linear(params, "hn", h)
    b, into_b = _linear(params, "in", x)
    v, into_v = tanh(b + r * a)

    def backward(dnew: Array) -> tuple[Params, Array, Array]:
        (ds,) = into_v(dnew * (1 - z))
        dgate_r, dh_r, dx_r = into_r(ds * a)
        dgate_z, dh_z, dx_z = into_z(dnew * (h - v))
        dhn, dh_a = into_a(ds * r)
        din, dx_b = into_b(ds)
        return _merged(dgate_r, dgate_z, dhn, din), dnew * z + dh_a + dh_r + dh_z, dx_b + dx_r + dx_z

    return (1 - z) * v + z * h, backward


def _gate(params: Params, name: str, activation: Callable, h: Array, x: Array) -> tuple[Array, Backward]:
    """``activation(x W + h U + b)``; backward: ``dgate -> (dparams, dh, dx)``."""
    from_x, into_x = _linear(params, f"i{name}", x)
    from_h, into_h = _linear(params, f"h{name}", h)
    gate, into_sum = activation(from_x + from_h)

    def backward(dgate: Array) -> tuple[Params, Array, Array]:
        (dsum,) = into_sum(dgate)
        (dparams_x, dx), (dparams_h, dh) = into_x(dsum), into_h(dsum)
        return dparams_x | dparams_h, dh, dx

    return gate, backward


def _linear(params: Params, name: str, x: Array) -> tuple[Array, Backward]:
    """The affine map of that name, with a bias of 0 where it has none; backward: ``dy -> (dparams, dx)``."""
    layer = params[name]
    kernel = layer["kernel"]
    y, into = affine(x, kernel, layer.get("bias", jnp.zeros(kernel.shape[1], kernel.dtype)))

    def backward(dy: Array) -> tuple[Params, Array]:
        dx, dkernel, dbias = into(dy)
        grads = {"kernel": dkernel, "bias": dbias}
        return {name: {part: grads[part] for part in layer}}, dx

    return y, backward


def _merged(*parts: dict) -> dict:
    return {name: layer for part in parts for name, layer in part.items()}
