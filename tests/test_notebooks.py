"""Every notebook is thin, holds no outputs, and runs from its first cell to its last with few steps."""

import base64
import io
import pathlib
import re

import jax
import nbclient
import nbformat
import numpy as np
import pytest
from matplotlib.image import imread

FOLDER = pathlib.Path(__file__).parent.parent / "colab"
QUICKLY = {
    "OPTIONS = []": 'OPTIONS = ["--rows", "ridge", "mlp", "--num-steps", "2", "--seeds", "1"]',
    "25, 8, 5, 200, None": "4, 2, 2, 20, 4",
    **{
        f'{word}("{name}")': "None"
        for word in ("ask", "repair")
        for name in (
            "transposes_left_out",
            "xor_derivative",
            "stuck_at_one_class",
            "softmax_over_all",
            "column_sums_normalised",
        )
    },
}
"""What stands in a notebook, and what it becomes, to run in seconds."""
SHOWN = {
    "quickstart": (["ridge"], 1),
    "sweeps": (
        [
            r"16 cells = 8 points x 2 seeds, 1 static combination, 1 compilation, .*\n.* 4 lanes, 2 chunks",
            r"8 of 16 networks are trained\nstopped\n",
            r"the rest took \d.*\n16 networks in one piece took \d.*\nthe same bits: True",
            r"best of 8 points, \d of them left out .*'learning_rate': 0\.\d+, 'momentum': 0\.\d+",
            r"validation accuracy 0\.\d+, 95 % interval -?\d\.\d+ to \d\.\d+\ntest accuracy 0\.\d+ ± 0\.\d+",
            r"halving made \d\d% of the steps .*\nfound .*, mean 0\.\d+: number [1-8] of the full sweep",
        ],
        2,
    ),
    "why_does_it_not_learn": (
        [
            r"ERROR    step-too-large: the rate 0.05 is .* times the largest stable one",
            r"proved: loss nan, with the remedy \d",
            r"broken: gradient norm (inf|\d.*) after 12 steps\nrepaired: distance \d.*e-0\d after",
            r"predict: row 0 is \[.*\] among 4 rows",
        ],
        1,
    ),
}
"""By notebook: patterns of what is printed, and the least number of pictures."""


@pytest.fixture(scope="module", params=sorted(path.stem for path in FOLDER.glob("*.ipynb")))
def name(request):
    return request.param


@pytest.fixture(scope="module")
def notebook(name):
    return nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)


def test_holds_no_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(cell.source.count("\n") < 20 for cell in code)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_runs(name, notebook, tmp_path, monkeypatch):
    for cell in notebook.cells:
        for words, fewer in QUICKLY.items():
            cell.source = cell.source.replace(words, fewer)
        cell.source = cell.source.replace(f"runs/{name}", str(tmp_path / "run"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", jax.config.jax_compilation_cache_dir)  # as conftest's
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.5")
    done = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    outputs = [output for cell in done.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs)
    patterns, least_pictures = SHOWN[name]
    for pattern in patterns:
        assert re.search(pattern, printed), f"{pattern} in:\n{printed}"
    assert (tmp_path / "run").is_dir() == any(f"{tmp_path}/run" in cell.source for cell in notebook.cells)
    pictures = [output.data["image/png"] for output in outputs if "image/png" in output.get("data", {})]
    assert len(pictures) >= least_pictures
    for picture in pictures:
        assert_drawn(picture)


def assert_drawn(picture):
    """A picture in base64 holds more than a frame."""
    pixels = imread(io.BytesIO(base64.b64decode(picture)))[..., :3]
    is_white = (pixels > 0.99).all(axis=2)
    assert 0.02 < 1 - is_white.mean() < 0.98
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 30


def test_a_blank_picture_is_noticed():
    from matplotlib.figure import Figure

    content = io.BytesIO()
    Figure().savefig(content, format="png")
    with pytest.raises(AssertionError):
        assert_drawn(base64.b64encode(content.getvalue()).decode())
