"""Damaged files, disks that refuse, other manifests: named in a line, and what was finished is kept.

A few of each in the suite, many before a release. Damage that no one looks for is noticed.
"""

import errno
import json
import os
import random
import shutil
import warnings

import pytest
from jax.experimental.compilation_cache import compilation_cache
from line_sweep import five, planned, whole
from test_sweep import same

from jaxnets import sweep
from jaxnets.check import InputError
from jaxnets.sweep import engine, records

MANY = pytest.mark.release


def damaged(content, generator):
    """A file with one damage: cut anywhere, a bit turned, zeros, rubbish, of another length."""
    place = generator.randrange(len(content))
    kinds = [
        content[:place], content[:-1], content + generator.randbytes(1), b"",
        content[:place] + bytes([content[place] ^ 1 << generator.randrange(8)]) + content[place + 1 :],
        content[:place] + generator.randbytes(40) + content[place + 40 :],
        generator.randbytes(len(content)),
    ]  # fmt: skip
    return generator.choice(kinds)


@pytest.mark.parametrize("num", [20, pytest.param(1000, marks=MANY)])
def test_damage_is_named_and_what_was_damaged_is_made_anew(tmp_path, num):
    """106 more, of one record alone, are in the tests of records."""
    generator = random.Random(2)
    sweep.run(five(), tmp_path)
    paths = sorted((tmp_path / "chunks").glob("*.chunk"))
    contents = {path: path.read_bytes() for path in paths}
    for number in range(num):
        path, other = generator.sample(paths, 2)
        content = contents[other] if number % 10 == 0 else damaged(contents[path], generator)
        path.write_bytes(content)
        result = sweep.run(five(), tmp_path, resume=True)
        assert [text.partition(": ")[0] for text in result.damaged] == [path.name]
        assert same(result, whole())
        assert {path: path.read_bytes() for path in paths} == contents


@pytest.mark.parametrize("num", [3, pytest.param(9, marks=MANY)])
@pytest.mark.parametrize(
    "code",
    [
        errno.ENOSPC, errno.EACCES, errno.EROFS,
        *(pytest.param(code, marks=MANY) for code in (errno.EIO, errno.EMFILE)),
    ],
    ids=errno.errorcode.get,
)  # fmt: skip
def test_a_disk_that_refuses_keeps_what_is_finished(tmp_path, monkeypatch, code, num):
    """At the first, second, ... opening, sync or rename after the second chunk."""
    for point in range(num):
        folder, calls, name = tmp_path / str(point), [], ("open", "fsync", "replace")[point % 3]

        def refuse(*given, call=getattr(os, name), folder=folder, calls=calls, **options):
            is_late = len([*(folder / "chunks").glob("*.chunk")]) >= 2
            calls += [1] * is_late
            if len(calls) > point // 3:
                raise OSError(code, os.strerror(code))
            return call(*given, **options)

        with monkeypatch.context() as patched:
            patched.setattr(os, name, refuse)
            with pytest.raises(InputError) as refusal:
                sweep.run(five(), folder)
        assert str(refusal.value) == f"{folder}: {os.strerror(code)}; what was finished is kept"
        left = sorted(path.name for path in (folder / "chunks").iterdir())
        assert left[:2] == ["000000.chunk", "000001.chunk"]
        assert all(name.endswith(".chunk") for name in left)
        assert same(sweep.run(five(), folder, resume=True), whole())


@pytest.mark.parametrize("chunk", [1, 2, 3, *(pytest.param(chunk, marks=MANY) for chunk in (1, 2, 3, 4) * 4)])
def test_a_folder_that_is_removed_is_said_to_be(tmp_path, chunk):
    folder = tmp_path / "out"

    def remove(done, arrays):
        if done == chunk:
            shutil.rmtree(folder)

    with pytest.raises(InputError) as refusal:
        sweep.run(five(), folder, report=remove)
    assert "No such file or directory" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert same(sweep.run(five(), folder), whole())


def leaves(manifest, path=()):
    """The path of every entry of a manifest."""
    for name, value in manifest.items():
        yield from leaves(value, (*path, name)) if isinstance(value, dict) and value else [(*path, name)]


def test_a_manifest_that_differs_in_any_entry_is_refused_with_it(tmp_path):
    sweep.run(five(), tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    paths = [*leaves(json.loads(text))]
    assert len(paths) > 15
    for path in paths:
        changed = json.loads(text)
        entry = changed
        for name in path[:-1]:
            entry = entry[name]
        before, entry[path[-1]] = entry[path[-1]], "other"
        (tmp_path / "manifest.json").write_text(json.dumps(changed))
        with pytest.raises(InputError) as refusal:
            sweep.run(five(), tmp_path, resume=True)
        assert f'{".".join(path)} was "other", is {json.dumps(before)[:20]}' in str(refusal.value)


@pytest.mark.parametrize("num", [10, pytest.param(30, marks=MANY)])
def test_a_damaged_cache_of_programs_changes_no_bit(cold_cache, num):
    generator, expected, warned = random.Random(3), whole(), []
    for _ in range(num):
        compilation_cache.reset_cache()
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            assert same(sweep.run(planned()), expected)
        warned += [str(one.message) for one in said]
        entries = [path for path in cold_cache.iterdir() if path.name.endswith("-cache")]
        assert entries
        for path in entries:
            path.write_bytes(damaged(path.read_bytes() or b"nothing", generator))
    assert len([line for line in warned if "persistent compilation cache" in line]) > num / 2


def test_control_a_damage_that_no_one_looks_for_is_noticed(tmp_path):
    """Without the check of hashes, results are no longer those of the sweep."""
    sweep.run(five(), tmp_path)
    path = tmp_path / "chunks" / "000002.chunk"
    arrays = records.read(path, {"chunk": 2, "sweep": engine.manifest_of(five(), {})["sweep"]})
    turned = arrays | {"history/loss": arrays["history/loss"] + 1}
    records.write(path, {"chunk": 2, "sweep": engine.manifest_of(five(), {})["sweep"]}, turned)
    result = sweep.run(five(), tmp_path, resume=True)
    assert not same(result, whole())
