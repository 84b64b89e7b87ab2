"""cibuildwheel's settings of a project without tox configuration: which Pythons, which tests, and what they need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.cibuildwheel import WheelSettings, wheel_settings
from farm_scheduler.errors import PlanError
from farm_scheduler.inference import infer, inferred_ini
from farm_scheduler.interpreters import Interpreter, system_image
from farm_scheduler.plan import Narrowing, Plan
from farm_scheduler.planning import make_plan
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import read_metadata

VERSIONS = ("3.8.18", "3.9.18", "3.10.13", "3.11.2", "3.12.1", "3.13.0", "3.15.0a2")
PROJECT = "[project]\nname = 'x'\nversion = '1'\n"
CLAIMS_PYPY = "classifiers = ['Programming Language :: Python :: Implementation :: PyPy']\n"
DEFAULT = ["3.8", "3.9", "3.10", "3.11", "3.12", "3.13"]


def project(settings: str, head: str = PROJECT, **texts: str) -> ProjectFiles:
    """A project with these settings of cibuildwheel; `_DOT_` and `_IN_` stand for a dot and a slash."""
    named = {name.replace("_DOT_", ".").replace("_IN_", "/"): text for name, text in texts.items()}
    named["pyproject.toml"] = f"{head}[tool.cibuildwheel]\n{settings}"
    return ProjectFiles(texts=named, names=frozenset(named))


def plan(files: ProjectFiles, *more: str, **narrowing: tuple[str, ...]) -> Plan:
    """Its plan on an image with many Pythons, and these."""
    rows: list[dict[str, object]] = [
        {"version": version, "implementation": "CPython", "works": True} for version in VERSIONS
    ]
    rows += [{"version": version, "implementation": "PyPy", "works": True} for version in more]
    return make_plan(files, [system_image("debian-12", rows)], Narrowing(**narrowing))


def pythons(files: ProjectFiles, *more: str, **narrowing: tuple[str, ...]) -> list[str | None]:
    """The Pythons that run."""
    return [cell.python for cell in plan(files, *more, **narrowing).runnable]


@pytest.mark.parametrize(
    ("settings", "wanted"),
    [
        ("build = 'cp311-* cp312-*'", ["3.11", "3.12"]),
        ("build = ['cp311-*', 'cp312-*']", ["3.11", "3.12"]),
        ("build = 'cp3{8,9}-* cp3{12..13}-manylinux*'", ["3.8", "3.9", "3.12", "3.13"]),
        ("build = 'cp3?-*'", ["3.8", "3.9"]),
        ("skip = 'cp3[89]-* *musllinux* pp*'", ["3.10", "3.11", "3.12", "3.13"]),
        ("skip = '*-manylinux*'", DEFAULT),
        ("skip = '*-manylinux* *-musllinux*'", [*DEFAULT, "3.15"]),
        ("build = 'cp312-macosx_*'", [*DEFAULT, "3.15"]),
        ("build = 'cp313-*'\ntest-skip = '*-macosx_arm64 *i686'", ["3.13"]),
        ("test-skip = 'cp313-*'", DEFAULT[:-1]),
        ("skip = ''\nenable = 'cpython-prerelease'", [*DEFAULT, "3.15"]),
        ("build = 'cp3{12,15}-*'\nenable = ['all']", ["3.12", "3.15"]),
        ("build = 'cp3{12,15}-*'", ["3.12"]),
        ("test-command = 'true'", [*DEFAULT, "3.15"]),
        ("build = 3", [*DEFAULT, "3.15"]),
        ("build = 'cp3{1..100000}-*'", [*DEFAULT, "3.15"]),
    ],
)
def test_build_and_skip_choose_the_pythons(settings: str, wanted: list[str]) -> None:
    """Patterns count for Linux on x86_64 as cibuildwheel matches them; what speaks of other systems only does not."""
    assert pythons(project(settings)) == wanted


def test_requires_python_holds_as_well() -> None:
    """What requires-python forbids is not run because a pattern names it."""
    head = PROJECT + "requires-python = '>=3.12'\n"
    assert pythons(project("build = 'cp311-* cp312-*'", head)) == ["3.12"]


@pytest.mark.parametrize(
    ("settings", "head", "there"),
    [
        ("build = 'cp312-* pp*'\nenable = ['pypy']", PROJECT, True),
        ("build = 'cp312-* pp*'\nenable = ['pypy-eol']", PROJECT, True),
        ("build = 'cp312-*'\nenable = ['pypy']", PROJECT, False),
        ("build = 'cp312-* pp*'", PROJECT, False),
        ("build = 'cp312-* pp*'", PROJECT + CLAIMS_PYPY, False),
    ],
)
def test_pypy_runs_where_its_group_is_enabled(settings: str, head: str, *, there: bool) -> None:
    """A group that is enabled claims PyPy, and one that is not leaves it out."""
    assert pythons(project(settings, head), "3.10.1") == (["3.12", "pypy3.10"] if there else ["3.12"])


def test_a_free_threaded_build_is_named_with_its_letter() -> None:
    """`cp314t` is another Python than `cp314`, and 3.13's was built on demand only."""
    settings = wheel_settings(project("build = 'cp314t-* cp313t-*'"))
    threaded = Interpreter(python="3.14", version="3.14.0", threaded=True)
    assert settings.leaves_out(threaded) is None
    assert settings.enables(threaded)
    assert settings.leaves_out(Interpreter(python="3.14", version="3.14.0")) is not None
    older = settings.leaves_out(Interpreter(python="3.13", version="3.13.0", threaded=True))
    assert older == "[tool.cibuildwheel] builds no wheel for it: enable does not name cpython-freethreading"


def test_what_is_named_runs_all_the_same() -> None:
    """--python and [tool.wheelfarm] are more than what is inferred."""
    files = project("build = 'cp312-*'")
    assert pythons(files, pythons=("3.11",)) == ["3.11"]
    declared = project("build = 'cp312-*'", PROJECT + "[tool.wheelfarm]\npythons = ['3.11']\n")
    assert pythons(declared) == ["3.11"]


def test_the_notes_say_what_was_inferred() -> None:
    """The patterns stand beside requires-python, and each Python that they leave out has its reason."""
    found = {note.environment: note.reason for note in plan(project("build = 'cp312-*'")).notes[1:]}
    notes = [note.reason for note in plan(project("build = 'cp312-*'")).notes if note.environment is None]
    assert notes[1] == (
        "inferred: every Python of the image, as the project does not say which it needs, "
        "of those that [tool.cibuildwheel] builds for (build cp312-*)"
    )
    assert found["py311"] == "[tool.cibuildwheel] builds and tests no wheel for it on Linux x86_64"
    assert "without tox configuration they count" in notes[2]


def test_patterns_that_leave_nothing_are_told() -> None:
    """A pattern for a Python that no image has is named in the error."""
    with pytest.raises(
        PlanError, match=r"builds and tests no wheel .*; correct \[tool.cibuildwheel\] or name"
    ):
        plan(project("build = 'cp399-* cp320-*'"))


def test_tox_decides_where_it_is_configured() -> None:
    """With tox configuration the settings are a note, and leave no cell out."""
    found = plan(project("build = 'cp312-*'", tox_DOT_ini="[tox]\nenv_list = py311, py312\n"))
    assert [cell.python for cell in found.runnable] == ["3.11", "3.12"]
    assert [note.reason for note in found.notes] == [
        "cibuildwheel's settings: build cp312-*; they are for building wheels"
    ]


@pytest.mark.parametrize(
    ("command", "commands"),
    [
        ("'pytest {project}/checks'", ("pytest {tox_root}/checks",)),
        ("'pytest {package}/checks/a.py::test_it -q'", ("pytest {tox_root}/checks/a.py::test_it -q",)),
        ("'python3 -m pytest -k \"a and b\" {project}/checks'", ('python -m pytest -k "a and b" {tox_root}/checks',)),
        ("['pytest {project}/checks', 'python -m unittest {project}/checks/a.py']",
         ("pytest {tox_root}/checks", "python -m unittest {tox_root}/checks/a.py")),
        ("'pytest {project}/gone'", ()),
        ("'pytest --pyargs x'", ()),
        ("'pytest {project}/checks; rm -rf /'", ()),
        ("'pytest {project}/checks && make'", ()),
        ("'pytest {project}/checks > $HOME/x'", ()),
        ("'python {project}/checks/a.py'", ()),
        ("'pytest {wheel}'", ()),
        ("'\"'", ()),
    ],
)  # fmt: skip
def test_a_test_command_is_used_where_no_runner_is_known(command: str, commands: tuple[str, ...]) -> None:
    """Only pytest and unittest on what is there, without a shell; all else is left to what else is inferred."""
    files = project(f"test-command = {command}", checks_IN_a_DOT_py="x = 1\n")
    found = infer(files, read_metadata(files))
    if commands:
        assert (found.commands, found.alone) == (commands, True)
        assert "as [tool.cibuildwheel] has test-command" in found.reasons[0]
    else:
        assert found.reasons[0].startswith("no tests, as it has no file of tests")


def test_the_files_win_over_the_test_command() -> None:
    """A runner that the files name is used as ever, with what cibuildwheel would install."""
    files = project(
        "test-command = 'pytest {project}/checks'\ntest-requires = ['attrs', 'no such thing!']\n",
        tests_IN_test_x_DOT_py="import pytest\n",
        checks_IN_a_DOT_py="",
    )
    found = infer(files, read_metadata(files))
    assert (found.commands, found.alone) == (("pytest {posargs}",), False)
    assert found.deps == ("pytest", "attrs")
    assert found.reasons == ("pytest, as tests/test_x.py imports pytest, with cibuildwheel's test-requires",)


def test_the_command_brings_its_needs() -> None:
    """Requirements, groups and extras, for Linux where it has settings of its own, and before other groups."""
    head = (
        PROJECT + "optional-dependencies = {fast = ['a'], test = ['b']}\n"
        "[dependency-groups]\ncheck = ['six', {include-group = 'more'}]\nmore = ['toml']\n"
    )
    settings = (
        "test-command = 'pytest {project}/checks'\ntest-requires = 'pytest attrs>=20'\ntest-groups = 'check none'\n"
        "test-extras = 'fast,none'\n[tool.cibuildwheel.linux]\ntest-requires = ['pytest', 'attrs>=21']\n"
    )
    files = project(settings, head, checks_IN_a_DOT_py="")
    found = infer(files, read_metadata(files))
    assert (found.deps, found.extras) == (("pytest", "attrs>=21", "six", "toml"), ("fast",))
    assert found.reasons[0].endswith(
        "with cibuildwheel's test-requires, cibuildwheel's test-groups (check), cibuildwheel's test-extras (fast)"
    )


def test_the_tests_run_outside_the_projects_folder() -> None:
    """As in cibuildwheel, so that the installed package is tested; inside of it where it copies sources."""
    files = project("test-command = 'pytest {project}/checks'\n", checks_IN_a_DOT_py="")
    found = infer(files, read_metadata(files))
    new, old = inferred_ini("3.12", found), inferred_ini("2.7", found)
    assert "change_dir = {env_tmp_dir}\n" in new
    assert "commands = pytest {tox_root}/checks\n" in new
    assert "changedir = {envtmpdir}\n" in old
    assert "commands = pytest {[tox]setupdir}/checks\n" in old
    copied = project(
        "test-sources = 'checks'\ntest-command = 'pytest {project}/checks'\n", checks_IN_a_DOT_py=""
    )
    assert "change_dir" not in inferred_ini("3.12", infer(copied, read_metadata(copied)))


@given(
    st.text(alphabet="cp31{,}.*?[]- \\", max_size=60),
    st.text(alphabet="pytes -m{project}/&|\"'$;\\\n", max_size=60),
)
def test_any_settings_are_read(patterns: str, command: str) -> None:
    """Whatever stands there, the reader answers, and a command has no sign of a shell."""
    text = f"build = {_toml(patterns)}\nskip = {_toml(patterns)}\ntest-command = {_toml(command)}\n"
    found = wheel_settings(project(text))
    assert isinstance(found, WheelSettings)
    assert not any(sign in each for each in found.commands for sign in "|;$&\n'")


def _toml(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
