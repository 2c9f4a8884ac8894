"""The README tells the truth: its Python runs, its results are those of RESULTS.md', its files exist."""

import pathlib
import re

import pytest

from experiments import _contract

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf8")
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_python_runs(number, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(BLOCKS[number], {})
    assert capsys.readouterr().out.strip()


def test_results_are_those_that_were_measured():
    assert _contract.with_results(README, _contract.RESULTS.read_text(encoding="utf8")) == README


def test_what_was_missed_or_not_run_says_so():
    lines = [
        "a ≥ 1 | 2.0 | reached",
        "a ≥ 0 | 2.0 | reached: by luck",
        "b ≥ 1 (r) | 0.2 | missed: too few",
        "c ≥ 1 |  | not run: no file",
    ]
    results = "".join(f"| `xor` | {line} | 1 | then |\n" for line in lines)
    made = _contract.with_results("<!-- results --><!-- /results -->", results)
    assert (
        "a ≥ 1: 2.0; a ≥ 0: 2.0 (by luck); b ≥ 1 (r): 0.2 **missed** (too few); c ≥ 1: **not run** (no file)"
        in made
    )


def test_files_named_in_the_design_exist():
    named = re.findall(r"`((?:jaxnets|experiments)/[\w/.]*)`", README)
    assert named
    assert all((ROOT / path).exists() for path in named)


def test_options_shown_exist():
    options = set(re.findall(r"python -m experiments classifiers.* (--[a-z-]+)", README))
    fields = {*_contract.load("classifiers").Hparams._fields, *_contract.load("classifiers").Settings._fields}
    assert {option[2:].replace("-", "_") for option in options} <= fields | {
        "rows",
        "seeds",
        "out",
        "help",
        "precision",
    }
