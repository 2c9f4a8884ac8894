"""Images turned, stretched and shifted a little, anew each time they are learned from."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates

from jaxnets import check
from jaxnets.types import Array, Float, Scalar


class RandomAffine(nn.Module):
    """While training, each image seen through an affine map of its own: turned, stretched, shifted.

        y(p) = x(A (p - c) + c + s),   A = rotation(r) [[e^a, g], [0, e^b]]

    with ``c`` the centre, values between pixels by linear interpolation, and 0 outside. While training it
    needs a random key ``dropout``; otherwise it returns the inputs.

    Attributes:
        angle: largest rotation ``|r|``, in radians.
        stretch: largest ``|a|``, ``|b|`` and ``|g|``: logarithms of the scale, and the shear.
        shift: largest ``|s|`` along each axis, in pixels.

    Raises:
        InputError: inputs that are no images, or a negative attribute.

    Reference: Simard, Steinkraus & Platt 2003, Best practices for convolutional neural networks, section 2.

    >>> layer = RandomAffine(angle=0.2, stretch=0.1, shift=2.0)
    >>> digit = jnp.zeros((1, 28, 28, 1)).at[:, 10:18, 10:18].set(1.0)
    >>> bool(jnp.array_equal(layer.apply({}, digit), digit))
    True
    """

    angle: Scalar = 0.0
    stretch: Scalar = 0.0
    shift: Scalar = 0.0

    @nn.compact
    def __call__(self, x: Float[Array, "n ..."], train: bool = False) -> Float[Array, "n ..."]:
        """The images, each moved if ``train``."""
        if x.ndim != 4:
            raise check.InputError(
                f"RandomAffine: inputs of shape {x.shape}, allowed are images (n, h, w, c)"
            )
        for name in ("angle", "stretch", "shift"):
            check.interval(name, getattr(self, name), check.NON_NEGATIVE)
        if not train:
            return x
        largest = jnp.array([self.angle, *3 * [self.stretch], *2 * [self.shift]], x.dtype)
        draws = jax.random.uniform(self.make_rng("dropout"), (len(x), 6), x.dtype, -1, 1)
        return jax.vmap(moved)(x, draws * largest[None])


def moved(image: Float[Array, "h w c"], parameters: Float[Array, " 6"]) -> Float[Array, "h w c"]:
    """One image through the map of ``(r, a, b, g, s_0, s_1)``: content moves up ``s_0``, left ``s_1``.

    >>> moved(jnp.eye(3)[..., None], jnp.array([0.0, 0.0, 0.0, 0.0, 1.0, 0.0]))[..., 0].tolist()
    [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]
    """
    turn, a, b, g, *shift = parameters
    rotation = jnp.array([[jnp.cos(turn), -jnp.sin(turn)], [jnp.sin(turn), jnp.cos(turn)]])
    matrix = rotation @ jnp.array([[jnp.exp(a), g], [0.0, jnp.exp(b)]])
    centre = (jnp.array(image.shape[:2], image.dtype) - 1) / 2
    pixels = jnp.stack(jnp.meshgrid(*map(jnp.arange, image.shape[:2]), indexing="ij"))
    from_centre = pixels - centre[:, None, None]
    places = jnp.einsum("ij,jhw->ihw", matrix, from_centre) + (centre + jnp.stack(shift))[:, None, None]
    return jnp.stack(
        [map_coordinates(image[..., c], list(places), order=1) for c in range(image.shape[-1])], -1
    )
