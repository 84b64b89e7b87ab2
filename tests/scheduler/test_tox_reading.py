"""The static reader of tox configuration says what tox itself says, on configurations written here."""

import contextlib
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tox.config.loader.ini.factor import filter_for_env
from tox.config.loader.str_convert import StrConvert
from tox.run import setup_state
from tox.tox_env.python.api import Python

from farm_scheduler.errors import PlanError
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.tox_condition import holds
from farm_scheduler.tox_configuration import read_configuration
from farm_scheduler.tox_environment import ToxConfiguration
from farm_scheduler.tox_factors import expand_names, filter_lines, named_python

from .tox_cases import CASES


class Said(NamedTuple):
    """What one reader says of one environment."""

    base_python: tuple[str, ...]
    depends: tuple[str, ...]
    deps: tuple[str, ...]


@pytest.fixture(autouse=True)
def no_overrides(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of this host are not those of the tests."""
    for name in ("TOX_OVERRIDE", "TOX_TESTENV_PASSENV", "TOX_ENV"):
        monkeypatch.delenv(name, raising=False)


def read(folder: Path) -> ToxConfiguration | None:
    """What the farm reads."""
    return read_configuration(ProjectFiles(texts={path.name: path.read_text() for path in folder.iterdir()}))


def ours(folder: Path) -> dict[str, Said]:
    """What the farm reads, by environment."""
    found = read(folder)
    assert found is not None
    return {
        name: Said(each.base_python, each.depends, tuple(_normal(line, folder) for line in each.deps))
        for name, each in ((name, found.environments[name]) for name in found.env_list)
    }


def toxs(folder: Path) -> dict[str, Said]:
    """What tox reads, by environment; base_python only where it is set."""
    state = setup_state(["config", "--workdir", str(folder / ".tox"), "-c", str(folder)])
    said = {}
    for name in state.conf.core["env_list"].envs:
        conf = state.envs[name].conf
        explicit = not state.envs[name].conf["base_python"] or state.envs[name]._base_python_explicitly_set
        said[name] = Said(
            tuple(conf["base_python"]) if explicit else (),
            tuple(conf["depends"].envs),
            tuple(_normal(line, folder) for line in conf["deps"].lines() if line.strip()),
        )
    return said


def _normal(line: str, folder: Path) -> str:
    for root in ("{toxinidir}", "{tox_root}", str(folder.resolve())):
        line = line.replace(root, "ROOT")
    return " ".join(line.replace("-r", "-r ", 1).split())


@pytest.mark.parametrize("case", CASES)
def test_a_configuration_is_read_as_tox_reads_it(case: str, tmp_path: Path) -> None:
    """The list of environments, and of each its Python, dependencies and order, are those of tox."""
    for name, text in CASES[case].items():
        (tmp_path / name).write_text(text)
    assert ours(tmp_path) == toxs(tmp_path)


NAMES = st.sampled_from(["py310", "py311", "py3", "docs", "a", "b", "py", "3.12", "pypy310", "x_1", "py2.7"])
BRACES = st.lists(st.sampled_from(["310", "311", "a", "b", "", "py3", "c-d"]), min_size=1, max_size=3).map(
    lambda items: "{" + ",".join(items) + "}"
)
ENTRIES = st.lists(
    st.one_of(NAMES, BRACES, st.just("-"), st.just("py{3,}"), st.just("{9-11}")), min_size=1, max_size=4
)
LISTS = st.lists(ENTRIES.map("".join), min_size=1, max_size=4).flatmap(
    lambda entries: st.sampled_from([", ", ",", "\n", " ,\n "]).map(lambda separator: separator.join(entries))
)


@given(LISTS)
@settings(max_examples=300, deadline=None)
def test_names_expand_as_tox_expands_them(text: str) -> None:
    """Any list of generative names gives the names that tox gives, or is refused by both."""
    try:
        expected = StrConvert.to_env_list(text).envs
    except ValueError:
        with pytest.raises(PlanError):
            expand_names(text)
        return
    assert expand_names(text) == expected


CONDITIONS = st.sampled_from(["a", "b", "a,b", "a-b", "!a", "py311", "py3{10,11}", "!a-b", "linux", "win32"])
LINES = st.lists(
    st.one_of(
        st.tuples(CONDITIONS, st.sampled_from(["six", "attrs", "x \\"])).map(": ".join),
        st.sampled_from(["plain", "more", "url:x", "a:b", "", "y \\"]),
    ),
    min_size=1,
    max_size=6,
).map("\n".join)


@given(LINES, st.sampled_from(["a", "b", "a-b", "py311", "py310-a", "c"]))
@settings(max_examples=300, deadline=None)
def test_conditions_hold_as_in_tox(text: str, name: str) -> None:
    """The lines that hold for an environment are those that tox keeps."""
    assert filter_lines(text, name) == filter_for_env(text, name)


@given(
    st.lists(
        st.sampled_from(["py", "py3", "py312", "3.12", "pypy310", "docs", "a", "py39", "2.7"]), min_size=1
    )
)
@settings(max_examples=200, deadline=None)
def test_a_name_asks_for_the_python_that_tox_takes(factors: list[str]) -> None:
    """The Python of a name is the one that tox extracts, and what tox refuses is refused."""
    name = "-".join(factors)
    try:
        expected = Python.extract_base_python(name)
    except ValueError:
        with pytest.raises(PlanError):
            named_python(name)
        return
    assert named_python(name) == expected


@given(
    st.lists(ENTRIES.map("".join), min_size=1, max_size=3),
    st.sampled_from(["six", "a: six", "!a: six\nb: attrs"]),
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whole_files_agree(tmp_path: Path, entries: list[str], deps: str) -> None:
    """A random tox.ini is read as tox reads it."""
    indented = deps.replace("\n", "\n    ")
    listed = "\n    ".join(entries)
    (tmp_path / "tox.ini").write_text(f"[tox]\nenv_list =\n    {listed}\n[testenv]\ndeps =\n    {indented}\n")
    try:
        expected = toxs(tmp_path)
    except Exception:  # noqa: BLE001 - whatever tox does with a configuration that it cannot use
        assume(False)
    assert ours(tmp_path) == expected


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"tox.ini": "no section"}, "tox.ini cannot be read"),
        ({"tox.ini": "[tox]\nenvlist = a\nenvlist = b\n"}, "tox.ini cannot be read"),
        ({"pyproject.toml": "= nothing"}, "pyproject.toml is not TOML"),
        ({"tox.toml": "env_list = 3"}, "list of strings"),
        ({"pyproject.toml": "x = " + "[" * 50_000}, "nested deeper"),
        (
            {"tox.toml": 'env_list = [{ replace = "if", condition = "1 < 2", then = ["a"] }]'},
            "'1 < 2' is nothing",
        ),
        ({"tox.toml": 'env_list = [{ replace = "if", condition = "env.X" }]'}, "needs a condition and then"),
        (
            {"tox.toml": f'env_list = [{{ replace = "if", condition = "{"(" * 900}", then = [] }}]'},
            "is no condition",
        ),
        (
            {"tox.toml": f'env_list = [{{ replace = "if", condition = "{"not " * 490}x", then = [] }}]'},
            "'x' is nothing",
        ),
        ({"tox.ini": "[tox]\nenv_list = py{1-99999999}\n"}, "too long"),
        ({"tox.ini": "[tox]\nenv_list = " + "{a,b,c,d,e,f,g,h,i,j}" * 9 + "\n"}, "more than 10000"),
        ({"tox.ini": "[tox]\nenv_list = {[x]y}\n[x]\ny = {[x]z}\nz = {[x]y}\n"}, "round in circles"),
        ({"tox.toml": "env_list = [{ product = [[1,2,3]] }]\n[env_base]\nx = 3\n"}, None),
    ],
)
def test_broken_files_are_told_in_one_sentence(
    files: dict[str, str], message: str | None, tmp_path: Path
) -> None:
    """What tox would refuse, or a bomb, is a PlanError and nothing else."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    if message is None:
        read(tmp_path)
        return
    with pytest.raises(PlanError, match=message):
        read(tmp_path)


@pytest.mark.parametrize(
    "condition",
    ["-" * 1900 + "1", "a" + ".b" * 990, "a" + "[0]" * 660, "1+" * 990 + "1", "a\0b", "\ud800", "(" * 1999],
)
def test_a_condition_that_is_none_is_refused(condition: str) -> None:
    """However deep or odd, what is no condition of tox is a ValueError and nothing else."""
    with pytest.raises(ValueError, match=r"condition|null bytes|surrogates"):
        holds(condition, name=None)


def test_the_parser_says_nothing_of_a_condition(recwarn: pytest.WarningsRecorder) -> None:
    """An odd escape in a project's text is no warning of the farm's."""
    assert holds(r"'\d'", name=None)
    assert not recwarn.list


def test_no_configuration_is_none(tmp_path: Path) -> None:
    """A project without any of the files, or with others' settings only, has no tox configuration."""
    (tmp_path / "pyproject.toml").write_text("[tool.black]\nline-length = 88\n")
    assert read(tmp_path) is None


@pytest.mark.parametrize("section", ["pytest", "flake8", "isort", "coverage:run"])
def test_a_file_of_other_tools_is_none(section: str) -> None:
    """A tox.ini with the settings of other tools only, as old projects have it, configures no tox."""
    assert read_configuration(ProjectFiles(texts={"tox.ini": f"[{section}]\nx = y\n"})) is None


@pytest.mark.parametrize("section", ["tox", "testenv", "testenv:docs", "pkgenv"])
def test_one_section_of_tox_is_enough(section: str) -> None:
    """Any section of tox makes the file its configuration."""
    assert read_configuration(ProjectFiles(texts={"tox.ini": f"[{section}]\nx = y\n"})) is not None


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever stands in a tox.ini, the reader answers or raises PlanError."""
    for file, content in (("tox.ini", "[tox]\nenv_list = " + text), ("tox.toml", text)):
        with contextlib.suppress(PlanError):
            read_configuration(ProjectFiles(texts={file: content}))
