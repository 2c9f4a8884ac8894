"""Nothing unpickles, evaluates text or starts a shell; importing changes nothing."""

import ast
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parent.parent
SOURCES = [path for folder in ("jaxnets", "experiments") for path in sorted((ROOT / folder).rglob("*.py"))]
FORBIDDEN_MODULES = {"pickle", "cloudpickle", "dill", "joblib", "marshal", "shelve"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__", "serialize_executable"}


def offences(source):
    """What a module does that nothing here may do."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in FORBIDDEN_MODULES]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in FORBIDDEN_MODULES:
            found.append(node.module)
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
                found.append(node.func.id)
            found += [
                word.arg
                for word in node.keywords
                if word.arg in ("allow_pickle", "shell") and getattr(word.value, "value", True) is not False
            ]
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import pickle", "from joblib import load", "eval(text)", "np.load(path, allow_pickle=True)",
        "subprocess.run(words, shell=True)", "np.load(path, allow_pickle=flag)",
    ],
)  # fmt: skip
def test_offences_are_found(source):
    assert offences(source)


def test_no_module_offends():
    assert len(SOURCES) > 100
    assert {path.name: found for path in SOURCES if (found := offences(path.read_text("utf8")))} == {}


def test_importing_changes_no_setting_and_starts_no_thread():
    code = (
        "import threading, jax; before = dict(jax.config.values); import jaxnets, jaxnets.sweep; "
        "assert dict(jax.config.values) == before; assert threading.active_count() == 1"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
