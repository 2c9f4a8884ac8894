"""Every notebook is thin, holds no outputs, and runs from its first cell to its last with few steps."""

import os
import pathlib

import nbclient
import nbformat
import pytest

FOLDER = pathlib.Path(__file__).parent.parent / "colab"
QUICKLY = '["--rows", "ridge", "mlp", "--num-steps", "2", "--seeds", "1"]'


@pytest.fixture(scope="module", params=sorted(path.name for path in FOLDER.glob("*.ipynb")))
def notebook(request):
    return nbformat.read(FOLDER / request.param, as_version=4)


def test_holds_no_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(not cell.outputs and cell.execution_count is None for cell in code)
    assert all(cell.source.count("\n") < 20 for cell in code)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning", "ignore::ResourceWarning")
def test_runs(notebook, tmp_path):
    for cell in notebook.cells:
        cell.source = cell.source.replace("OPTIONS = []", f"OPTIONS = {QUICKLY}")
        cell.source = cell.source.replace("runs/quickstart", str(tmp_path))
    os.environ.setdefault("IPYTHONDIR", str(tmp_path / "ipython"))
    done = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(FOLDER)}}
    ).execute()
    printed = "".join(output.get("text", "") for cell in done.cells for output in cell.get("outputs", []))
    pictures = [o for cell in done.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})]
    assert "ridge" in printed
    assert len(pictures) >= 1
