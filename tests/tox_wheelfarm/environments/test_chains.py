"""Conflicts that begin far away, in runs of tox: every requirer in between is told."""

import pytest


@pytest.fixture
def index(index):
    """Four levels, by a plain need and by extras, to a release that is too old."""
    index.release("top", "1.0", "mid")
    index.release("top-fast", "1.0", "mid[fast]")
    index.release("mid", "1.0", "low", "quick; extra == 'fast'", extras=("fast",))
    index.release("low", "1.0", "base>=2")
    index.release("quick", "1.0", "base!=1.0")
    index.release("base", "1.0")
    return index


def lines(run):
    """The conflicts of the message."""
    assert "ConflictError: what is installed does not fit together" in run.said
    return [line[3:] for line in run.said.splitlines() if line.startswith(" - ")]


def test_a_chain_has_every_level(bench):
    """The outermost requirer, and all between it and what does not fit."""
    bench.pylock(("top", "1.0"), ("mid", "1.0"), ("low", "1.0"), ("base", "1.0"))
    bench.ini("skip_install = true")
    assert lines(bench.fails()) == ["base 1.0 is installed, but top 1.0 -> mid 1.0 -> low 1.0 -> base>=2"]


def test_a_chain_goes_through_extras(bench):
    """What only an extra needs is told with who asked for that extra, beside what is needed anyway."""
    bench.pylock(*((name, "1.0") for name in ("top-fast", "mid", "low", "quick", "base")))
    bench.ini("skip_install = true")
    assert lines(bench.fails()) == [
        "base 1.0 is installed, but top-fast 1.0 -> mid 1.0 -> low 1.0 -> base>=2",
        "base 1.0 is installed, but top-fast 1.0 -> mid 1.0 -> quick 1.0 -> base!=1.0",
    ]


def test_an_extra_that_nobody_asks_for_is_no_conflict(bench, index):
    """The same releases fit where the extra is not wanted and the plain need is met."""
    index.release("low", "2.0", "base>=1")
    bench.pylock(("top", "1.0"), ("mid", "1.0"), ("low", "2.0"), ("quick", "1.0"), ("base", "1.0"))
    bench.ini("skip_install = true")
    assert lines(bench.fails()) == ["base 1.0 is installed, but quick 1.0 -> base!=1.0"]
    bench.pylock(("top", "1.0"), ("mid", "1.0"), ("low", "2.0"), ("base", "1.0"))
    assert bench.passes().packages() == ["base==1.0", "low==2.0", "mid==1.0", "top==1.0"]


def test_a_chain_begins_in_a_dependency_group(bench):
    """A group of the lock file brings a conflict only where the group is asked for."""
    bench.project(groups={"dev": ["top"]})
    path = bench.pylock(("top", "1.0"), ("mid", "1.0"), ("low", "1.0"), ("base", "1.0"))
    text = path.read_text("utf-8").replace("[[packages]]", 'dependency-groups = ["dev"]\n[[packages]]', 1)
    marker = "marker = \"'dev' in dependency_groups\"\n"
    path.write_text(
        text.replace('version = "1.0"\n[[packages.wheels', f'version = "1.0"\n{marker}[[packages.wheels')
    )
    bench.ini("skip_install = true")
    assert bench.passes().packages() == []
    bench.ini("skip_install = true", "dependency_groups = dev")
    assert lines(bench.fails()) == ["base 1.0 is installed, but top 1.0 -> mid 1.0 -> low 1.0 -> base>=2"]


def test_a_chain_begins_at_the_project(bench):
    """The project itself, with its extra, is the outermost requirer of what it needs."""
    bench.project("mid", extras={"more": ["mid[fast]"]})
    bench.pylock(("mid", "1.0"), ("low", "1.0"), ("quick", "1.0"), ("base", "1.0"))
    bench.ini("package = wheel")
    told = lines(bench.fails())
    assert "base 1.0 is installed, but app 1.0 -> mid 1.0 -> low 1.0 -> base>=2" in told
