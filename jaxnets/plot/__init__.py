"""Every picture: functions from arrays to a matplotlib figure; nothing is shown or saved here.

matplotlib is imported when the first figure is made, and its global state is never touched.
"""

from jaxnets.plot.curves import curves, fit, path, scatter
from jaxnets.plot.distributions import calibration, histogram
from jaxnets.plot.images import canvas, image_grid
from jaxnets.plot.parallel import parallel
from jaxnets.plot.plane import decision_regions, hidden_space, latent_scatter, lines_in_plane
from jaxnets.plot.tables import bars, confusion_matrix, heatmap

__all__ = [
    "bars", "calibration", "canvas", "confusion_matrix", "curves", "decision_regions", "fit", "heatmap",
    "hidden_space", "histogram", "image_grid", "latent_scatter", "lines_in_plane", "parallel", "path",
    "scatter",
]  # fmt: skip
