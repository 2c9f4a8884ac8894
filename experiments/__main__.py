"""``python -m experiments [NAME] [options]``: lists the experiments, runs one, or verifies them all."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import pathlib
import re
import sys
from typing import Annotated, Any

import tyro
from rich.console import Console

from experiments import _contract
from experiments._contract import Common, Experiment, Precision
from jaxnets import check

USAGE = "python -m experiments"


def main(arguments: list[str]) -> int:
    """Runs the command line; the result is the exit status."""
    try:
        if not arguments or arguments[0] in ("-h", "--help"):
            return _list_experiments()
        if arguments == ["--results"]:
            return _update_readme()
        if arguments[0] == "--verify":
            return _verify(parse_or_refuse(Verify, f"{USAGE} --verify", Verify.__doc__, arguments[1:]))
        name, *rest = arguments
        experiment = _contract.load(name)
        common, rows = _parse(experiment, rest)
        for option in _contract.OF_SWEEPS:
            if getattr(common, option) != getattr(Common, option) and not common.grid:
                raise check.InputError(f"--{option}, allowed with --grid")
        if common.grid and common.diagnose:
            raise check.InputError("--grid and --diagnose, allowed is one of them")
        if common.mute and not common.diagnose:
            raise check.InputError("--mute, allowed with --diagnose")
        way = _sweep if common.grid else _diagnose if common.diagnose else _run
        return way(experiment, common, rows)
    except check.InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _list_experiments() -> int:
    width = max(map(len, _contract.names()))
    print(f"usage: {USAGE} NAME [options]; {USAGE} NAME --help")
    print(f"       {USAGE} --verify [NAME ...] [--files FOLDER] [--precision float32]\n")
    for name in _contract.names():
        print(f"  {name:{width}}  {_contract.load(name).summary}")
    return 0


def _update_readme() -> int:
    readme = pathlib.Path(__file__).parent.parent / "README.md"
    results = _contract.RESULTS.read_text(encoding="utf8")
    text = _contract.with_results(readme.read_text(encoding="utf8"), results)
    readme.write_text(text, encoding="utf8")
    print(f"results of {len(_contract.names())} experiments in {readme.name}")
    return 0


@dataclasses.dataclass
class Verify:
    """Trains experiments to their goals; prints goal, reached and seconds, and notes them in RESULTS.md."""

    names: tyro.conf.Positional[tuple[str, ...]] = ()
    """Which experiments; all by default."""
    files: pathlib.Path = pathlib.Path(".")
    """Folder of the files of data that goals name."""
    precision: Precision = "float32"
    """Of matrix products, where the device has a choice."""


def _verify(wanted: Verify) -> int:
    from experiments import _report, _verify

    experiments = [_contract.load(name) for name in wanted.names or _contract.names()]
    configure(wanted.precision)
    outcomes = []
    with _report.progress_line(Console(stderr=True), len(experiments)) as (report, finish):
        for experiment in experiments:
            found = list(_verify.verify(experiment, files=wanted.files, report=report))
            for outcome in found:
                finish("  ".join([outcome.experiment, *outcome.cells]))
            outcomes += found
            text = _contract.RESULTS.read_text(encoding="utf8") if _contract.RESULTS.exists() else ""
            _report.write(_contract.RESULTS, _verify.merged(text, found).encode())
    _report.show(_verify.table(outcomes))
    return int(any(outcome.verdict != "reached" for outcome in outcomes))


def _parse(experiment: Experiment, arguments: list[str]) -> tuple[Common, dict[str, tuple[Any, Any]]]:
    """The common options, and the table's rows with the options given put into each."""
    fields = {"common": Common, "hparams": experiment.Hparams, "settings": experiment.Settings}
    options = dataclasses.make_dataclass(
        "Options",
        [
            (name, Annotated[kind, tyro.conf.arg(name="")], dataclasses.field(default_factory=kind))
            for name, kind in fields.items()
        ],
    )
    description = re.sub(r"\n(?=[A-Z]\w+: )", "\n\n", experiment.docstring)
    given = parse_or_refuse(options, f"{USAGE} {experiment.name}", description, arguments)
    options_given = {
        word.partition("=")[0][2:].replace("-", "_") for word in arguments if word.startswith("--")
    }
    named = options_given | {name.removeprefix("no_") for name in options_given}
    _refuse_grid(given.common.grid, named)
    rows = experiment.variants()
    for row in given.common.rows:
        check.choice("row", row, rows)
    chosen = {name: row for name, row in rows.items() if name in given.common.rows or not given.common.rows}
    chosen = {
        name: (_override(hparams, given.hparams, named), _override(settings, given.settings, named))
        for name, (hparams, settings) in chosen.items()
    }
    for hparams, settings in chosen.values():
        check.fields(hparams)
        check.fields(settings)
    if given.common.seeds is not None and given.common.seeds < 1:
        raise check.InputError(f"--seeds {given.common.seeds}, allowed are 1, 2, ...")
    return given.common, chosen


def _refuse_grid(words: tuple[str, ...], named: set[str]) -> None:
    """Refuses a grid without a word, and a name of it that is given a value beside it."""
    if "grid" in named and not words:
        raise check.InputError("--grid without a word, allowed are name=a,b,c and name=log:low:high:num")
    for name in sorted({word.partition("=")[0] for word in words} & named):
        option = f"--{name.replace('_', '-')}"
        raise check.InputError(f"{option} and --grid {name}=..., allowed is one of them")


def parse_or_refuse(options: type, command: str, description: str, arguments: list[str]) -> Any:
    """tyro's answer; its framed and coloured complaints become one line."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint):
            return tyro.cli(
                options, args=arguments, prog=command, description=description,
                config=(tyro.conf.SuppressFixed,),
            )  # fmt: skip
    except SystemExit as stop:
        if not stop.code:
            raise
    plain = re.sub(r"\x1b\[[0-9;]*m|[╭╮╰╯│─]|-{5,}", " ", complaint.getvalue().partition("\n")[2])
    text = re.split("For full helptext|Argument helptext|Got errors", " ".join(plain.split()))[0].strip()
    raise check.InputError(f"{text} (options: {command} --help)")


def _override(values: Any, given: Any, named: set[str]) -> Any:
    return values._replace(**{name: getattr(given, name) for name in values._fields if name in named})


def _run(experiment: Experiment, common: Common, rows: dict[str, tuple[Any, Any]]) -> int:
    # Imported here, so that listing and refusing take no second.
    from experiments import _report
    from experiments._run import Result, train_row

    configure(common.precision)
    experiment.data(next(iter(rows.values()))[1])
    out = common.out or pathlib.Path("runs") / experiment.name
    _report.prepare(out)
    results = []
    with _report.progress_line(Console(stderr=True), len(rows)) as (report, finish):
        for name, (hparams, settings) in rows.items():
            results.append(train_row(experiment, name, hparams, settings, seeds=common.seeds, report=report))
            if len(rows) > 1 or isinstance(results[-1], Result):
                finish(_report.line(results[-1]))
            _report.write_tables(out, results)
    trained = [result for result in results if isinstance(result, Result)]
    if not trained:
        raise check.InputError(results[0].reason)
    dataset = experiment.data(trained[0].settings)
    numbers = experiment.checks(trained, dataset) if len(trained) == len(experiment.variants()) else {}
    pictures = _report.write_figures(out, experiment.figures(trained, dataset))
    _report.show(_report.table(results, title=f"{experiment.name} on {dataset.name}"))
    print(*_report.write_checks(out, numbers), out / "table.csv", *pictures, sep="\n")
    return 0


def _sweep(experiment: Experiment, common: Common, rows: dict[str, tuple[Any, Any]]) -> int:
    from experiments import _sweep

    configure(common.precision)
    return _sweep.sweep_rows(experiment, common, rows)


def _diagnose(experiment: Experiment, common: Common, rows: dict[str, tuple[Any, Any]]) -> int:
    from experiments import _diagnose

    configure(common.precision)
    return _diagnose.diagnose_rows(experiment, common, rows)


def configure(precision: str) -> None:
    """Sets what experiments set and imports never do: precision, and the persistent compilation cache."""
    import jax

    from jaxnets.data.cache import user_folder

    jax.config.update("jax_default_matmul_precision", precision)
    folder = user_folder() / "compiled"
    if jax.config.jax_compilation_cache_dir is not None or not _is_private(folder):
        return
    jax.config.update("jax_compilation_cache_dir", str(folder))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)


def _is_private(folder: pathlib.Path) -> bool:
    """Makes the folder for its owner alone; compiled programs are code, so another's folder is not used."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = folder.stat()
    except OSError:
        return False
    return os.name != "posix" or (found.st_uid == os.getuid() and not found.st_mode & 0o022)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        print("\nstopped; the rows that were finished are in the output folder", file=sys.stderr, flush=True)
        os._exit(130)  # at once: compiled programs that still run in threads would crash an orderly end
