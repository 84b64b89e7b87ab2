"""What Python 2.7's pip cannot do is refused with the class and the names that uv's refusals have."""

import pytest

from .test_old_interpreters import interpreter

TAG = "py2.py3-none-any"


@pytest.fixture
def index(index):
    """Two releases of `low`, and one that needs the later."""
    for version in ("1.0", "2.0"):
        index.release("low", version, tag=TAG)
    index.release("top", "5.0", "low>=2", tag=TAG)
    return index


@pytest.fixture
def ini(bench, index):
    """Writes tox.ini for 2.7 within constraints of a file; releases come from the toys alone."""
    del bench.variables["UV_DEFAULT_INDEX"]

    def write(*deps, constraint, installer="constraints", place=index.simple):
        bench.write("c.txt", f"# of the house\n{constraint}\n")
        lines = ["skip_install = true", f"base_python = {interpreter('2.7')}", f"installer = {installer}"]
        asked = [f"  {each}" for each in (f"--index-url {place}", *deps)]
        return bench.ini(*lines, "constraints = c.txt", "deps =", *asked)

    return write


@pytest.mark.parametrize("constraint", ["low<2", "low==1.0"])
@pytest.mark.parametrize(
    ("asked", "told"),
    [("low>=1.5", "`low>=1.5` (the environment) against"), ("top", "top needs `low>=2`, and")],
)
def test_a_constraint_that_excludes_is_named_with_what_it_excludes(bench, ini, constraint, asked, told):
    """A range or a version, against what is asked for or what that needs: both sides, and the class is uv's."""
    ini(asked, constraint=constraint)
    said = bench.fails().said
    assert "ConstraintsError: constraints exclude what" in said
    assert f"{told} `{constraint}` (" in said
    assert "c.txt line 2)" in said


def test_what_excludes_itself_is_no_matter_of_constraints(bench, ini):
    """Where there is no set without them either, none is blamed."""
    ini("low>=3", constraint="low<2")
    assert "ResolutionError: no set of releases satisfies what is asked for." in bench.fails().said
    ini("top", "low<2", constraint="top<9")
    said = bench.fails().said
    assert "ResolutionError: no set of releases satisfies what is asked for." in said
    assert "top 5.0 depends on low>=2" in said


@pytest.mark.parametrize("installer", ["latest", "lowest"])
def test_an_index_that_is_not_there_is_told(bench, ini, installer):
    """Nothing is said of sets: the page that could not be had is named, with the reason."""
    bench.variables["PIP_RETRIES"] = "0"
    ini("low", constraint="low<2", installer=installer, place="http://127.0.0.1:9/simple/")
    said = bench.fails().said
    assert "InstallFailedError: the index could not be asked, so what it has is not known:" in said
    assert "  http://127.0.0.1:9/simple/low/: Failed to establish a new connection: [Errno 111]" in said
    assert "no set of releases" not in said


def test_an_index_that_fails_is_told(bench, index, ini):
    """An answer that is an error is no absence either."""
    bench.variables["PIP_RETRIES"] = "0"
    ini("low", constraint="low<2", installer="latest")
    index.dead = True
    said = bench.fails().said
    assert "InstallFailedError: the index could not be asked" in said
    assert f"{index.simple}low/: " in said
    assert "503" in said


def test_a_cut_off_needs_an_index_that_answers(bench, index, ini):
    """With a cut-off the pages are had by us, and what fails is told in the same words."""
    path = ini("low", constraint="low<2", installer="latest")
    path.write_text(path.read_text("utf-8") + "cutoff = 2021-01-01\n", "utf-8")
    index.dead = True
    said = bench.fails().said
    assert "InstallFailedError: the index could not be asked" in said
    assert f"{index.simple}low/: the server answered 503" in said


def test_no_index_for_what_makes_an_environment_of_python_2_7_is_told(bench, ini):
    """What makes it is had as releases are: the sentence says what cannot be had, and for what."""
    ini("low", constraint="low<2")
    path = bench.root / "tox.ini"
    path.write_text(path.read_text("utf-8") + "set_env = PIP_NO_INDEX=1\n", "utf-8")
    said = bench.fails().said
    assert "virtualenv 20.21.1, which makes environments of Python 2.7, cannot be had" in said
