"""Backward passes by hand, put where autodiff would put its own."""

from __future__ import annotations

from collections.abc import Callable

import jax

from jaxnets.types import PyTree


def differentiable(function: Callable[..., tuple[PyTree, Callable[..., tuple]]]) -> Callable[..., PyTree]:
    """A function of arrays whose gradient, in ``jax.grad``, is the one that was derived by hand.

    Args:
        function: ``(*inputs) -> (outputs, backward)``, as all of :mod:`jaxnets.backprop`; options are given
            by ``functools.partial``. Inputs that ``backward`` leaves out at the end (labels) have none.

    Returns:
        ``(*inputs) -> outputs``. On the way back the outputs are asked for once more; compiled, the two
        forward passes are one.

    >>> from jaxnets.backprop import tanh
    >>> round(float(jax.grad(differentiable(tanh))(0.5)), 4)
    0.7864

    Reference: Griewank and Walther, Evaluating Derivatives, 2008, chapter 3.
    """

    @jax.custom_vjp
    def apply(*inputs: PyTree) -> PyTree:
        return function(*inputs)[0]

    def backward(inputs: tuple, gradient: PyTree) -> tuple:
        gradients = function(*inputs)[1](gradient)
        return (*gradients, *(None,) * (len(inputs) - len(gradients)))

    apply.defvjp(lambda *inputs: (apply(*inputs), inputs), backward)
    return apply
