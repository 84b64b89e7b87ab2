"""Lock files that were damaged by hand or by a merge: refused with one sentence, or read; nothing else."""

import tomllib

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies

from tox_wheelfarm.errors import InstallerError
from tox_wheelfarm.locks.pdm import PdmLock
from tox_wheelfarm.locks.pipfile import PipfileLock
from tox_wheelfarm.locks.poetry import PoetryLock
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.wish import Wish

from . import recorded

LOCKS = [
    (PoetryLock, "poetry-1.0/poetry.lock"),
    (PoetryLock, "poetry-1.1/poetry.lock"),
    (PoetryLock, "poetry-2.1/poetry.lock"),
    (PoetryLock, "poetry-2.1-sources/poetry.lock"),
    (PdmLock, "pdm/pdm.lock"),
    (PdmLock, "pdm-2.0/pdm.lock"),
    (PdmLock, "pdm-sources/pdm.lock"),
    (PipfileLock, "pipfile-2026/Pipfile.lock"),
    (PipfileLock, "pipfile-sources/Pipfile.lock"),
]
WORDS = [
    '""',
    "[]",
    "{}",
    "0",
    "true",
    '"x y"',
    '"../.."',
    '">=1"',
    '"extra == 1"',
    '"-e ."',
    "[{}]",
    '["\\u0000"]',
    "nan",
]
damages = strategies.lists(
    strategies.tuples(strategies.integers(0, 5000), strategies.sampled_from([*WORDS, None, "twice"])),
    min_size=1,
    max_size=4,
)


def damaged(lines, where, how):
    """The lines with one removed (None), doubled, or with another value."""
    at = where % len(lines)
    line = lines[at]
    if how is None:
        return lines[:at] + lines[at + 1 :]
    if how == "twice":
        return [*lines[: at + 1], line, *lines[at + 1 :]]
    for between in (" = ", ": "):
        if between in line:
            comma = "," if line.endswith(",") and between == ": " else ""
            return [*lines[:at], f"{line.split(between)[0]}{between}{how}{comma}", *lines[at + 1 :]]
    return lines


@pytest.mark.parametrize(("kind", "name"), LOCKS)
def test_damage_is_refused_in_one_sentence_or_read(kind, name):
    """Whatever lines are lost, doubled or changed, reading and selecting end in pins or in an InstallerError."""
    path = recorded.FILES / name
    # Most lines of TOML are hashes, and some files of each release are as good as all.
    lines = [
        line
        for line in path.read_text().splitlines()
        if "{" not in line or '"sha256:a' in line or "[" in line
    ]

    @settings(max_examples=60)
    @given(damages)
    def hold(found):
        now = lines
        for where, how in found:
            now = damaged(now, where, how)
        refused = "it was read"
        try:
            lock = kind.read(path, "\n".join(now).encode())
            lock.differences(recorded.project(path.parent.name))
            pins = lock.select(recorded.target(), Wish(dev=True))
            assert all(pin.version or pin.reference for pin in pins)
        except InstallerError as error:
            refused = str(error)
        assert 10 < len(refused) < 1500
        assert "\n" not in refused

    hold()


PROJECTS = [
    (PoetryLock, "poetry-1.1", "poetry.lock", "pyproject.toml"),
    (PoetryLock, "poetry-2.1", "poetry.lock", "pyproject.toml"),
    (PoetryLock, "poetry-2.1-standard", "poetry.lock", "pyproject.toml"),
    (PdmLock, "pdm-graph", "pdm.lock", "pyproject.toml"),
    (PdmLock, "pdm-sources", "pdm.lock", "pyproject.toml"),
    (PipfileLock, "pipfile", "Pipfile.lock", "Pipfile"),
]


@pytest.mark.parametrize(("kind", "folder", "name", "project"), PROJECTS)
def test_a_damaged_project_is_refused_in_one_sentence_or_read(kind, folder, name, project):
    """Whatever of pyproject.toml or the Pipfile is damaged, a lock ends in pins or in an InstallerError."""
    path = recorded.FILES / folder / name
    data = path.read_bytes()
    lines = (recorded.FILES / folder / project).read_text().splitlines()

    @settings(max_examples=60, suppress_health_check=[HealthCheck.filter_too_much])
    @given(damages)
    def hold(found):
        now = lines
        for where, how in found:
            now = damaged(now, where, how)
        try:
            document = tomllib.loads("\n".join(now))
        except tomllib.TOMLDecodeError:
            assume(False)
        refused = "it was read"
        told = ()
        try:
            lock = kind.read(path, data, document)
            told = lock.differences(Project(path.parent, document, document))
            assert lock.select(recorded.target("3.9"), Wish(dev=True)) is not None
        except InstallerError as error:
            refused = str(error)
        for sentence in (refused, *told):
            assert 10 < len(sentence) < 1500
            assert "\n" not in sentence

    hold()
