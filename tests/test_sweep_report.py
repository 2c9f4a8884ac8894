"""The report of a sweep: whole in one file, nothing fetched, a table that sorts in a browser."""

import re
import shutil
import subprocess

import numpy as np
import pytest

from jaxnets import plot
from jaxnets.sweep import SweepResult
from jaxnets.sweep.report import page, write_report

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
RESULT = SweepResult(
    columns={
        "cell": np.arange(4),
        "rate": np.array([0.1, 1.0, 10.0, 2.0]),
        "seed": np.zeros(4, int),
        "status": np.array(["ok", "diverged", "ok", "stopped"]),
        "step": np.array([5, 2, 5, 1]),
        "loss": np.array([0.5, np.nan, 0.25, 0.75]),
    },
    names=("rate",), history={}, steps=np.full((4, 1), 5.0), damaged=[],
)  # fmt: skip


def figure():
    return plot.curves(np.arange(3.0), {"a": np.arange(3.0)}, x_label="x", y_label="y")


@pytest.fixture
def report(tmp_path):
    path = tmp_path / "report.html"
    write_report(path, RESULT, RESULT.ranking("loss"), title="a <b> & c", figures={"curve": figure()})
    return path


def first_cells(text):
    body = text.partition("<tbody>")[2].partition("</tbody>")[0]
    return re.findall(r"<tr[^>]*><td[^>]*>(\d+)</td>", body)


def test_everything_is_inside(report):
    text = report.read_text("utf8")
    assert "a &lt;b&gt; &amp; c" in text
    assert text.count('src="data:image/png;base64,') == 1
    assert not re.search(r"(?:src|href)=.(?!data:)|https?:|@import|url\(", text)
    assert "4 cells: 1 diverged, 2 ok, 1 stopped" in text
    assert "best loss 0.25: rate 10; 2 points left out" in text


def test_places_without_a_cell_are_white_and_lost_ones_hatched():
    first = {"cell": RESULT.columns["cell"], "width": np.array([1, 2, 1, 2])}
    columns = first | RESULT.columns
    result = RESULT.__class__(columns, ("rate", "width"), {}, np.full((4, 1), 5.0), [])
    axes = result.heatmap("rate", "width", "loss").axes[0]
    white = {tuple(np.add(patch.get_xy(), 0.5)) for patch in axes.patches}
    assert white == {(1, 0), (2, 0), (0, 1), (3, 1), (2, 1)}  # the last one was stopped
    shown = axes.images[0].get_array()
    assert shown[0, 0] == 0.5
    assert np.ma.getmaskarray(shown)[1, 1]
    assert shown[0, 3] == 0.25
    assert np.ma.getmaskarray(shown)[1, 2]


def test_the_best_cells_come_first_and_those_without_an_end_last():
    assert first_cells(page(RESULT, RESULT.ranking("loss"), title="", figures={})) == ["2", "0", "3", "1"]


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
@pytest.mark.parametrize(("clicks", "order"), [(1, ["0", "1", "3", "2"]), (2, ["2", "3", "1", "0"])])
def test_a_click_on_a_heading_sorts(report, clicks, order):
    """By the rate, up and then down; numbers are compared, not their texts."""
    click = f"<script>for (let i = 0; i < {clicks}; i++) document.querySelectorAll('th')[1].click()</script>"
    report.write_text(report.read_text("utf8").replace("</body>", f"{click}</body>"), "utf8")
    words = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", report.as_uri()]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert first_cells(done.stdout) == order
