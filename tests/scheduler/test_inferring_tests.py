"""Without tox configuration: which runner the files speak of, what the tests need, and the check without tests."""

import shlex
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.inference import Inferred, infer, inferred_ini
from farm_scheduler.interpreters import system_image
from farm_scheduler.other_tools import nox_sessions, other_notes
from farm_scheduler.plan import Narrowing, Plan
from farm_scheduler.planning import make_plan
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.project_metadata import ProjectMetadata, read_metadata
from farm_scheduler.requirement_sources import find_needs
from farm_scheduler.runners import find_runner
from farm_scheduler.smoke import COMMANDS, IMPORT

CASE = "import unittest\n\nclass Tests(unittest.TestCase):\n    pass\n"


def files(**texts: str) -> ProjectFiles:
    """A project; `_DOT_` and `_IN_` stand for a dot and a slash in a name."""
    named = {name.replace("_DOT_", ".").replace("_IN_", "/"): text for name, text in texts.items()}
    return ProjectFiles(texts=named, names=frozenset(named))


@pytest.mark.parametrize(
    ("project", "runner", "reason"),
    [
        (files(test_x_DOT_py="import pytest\n"), "pytest", "test_x.py imports pytest"),
        (files(test_x_DOT_py="def test_it(): ...\n"), "pytest", "test_x.py has test functions"),
        (
            files(tests_IN_conftest_DOT_py="", tests_IN_test_x_DOT_py=CASE),
            "pytest",
            "it has tests/conftest.py",
        ),
        (files(pytest_DOT_ini="", tests_IN_test_x_DOT_py=CASE), "pytest", "it has pytest.ini"),
        (files(setup_DOT_cfg="[tool:pytest]\n", test_x_DOT_py=CASE), "pytest", "setup.cfg has [tool:pytest]"),
        (
            files(pyproject_DOT_toml="[tool.pytest.ini_options]\n", test_x_DOT_py=CASE),
            "pytest",
            "pyproject.toml has [tool.pytest]",
        ),
        (files(test_x_DOT_py=CASE), "unittest", "test_x.py has classes of unittest"),
        (files(tests_DOT_py=CASE), "unittest", "tests.py has classes of unittest"),
        (files(manage_DOT_py="", app_IN_tests_DOT_py=CASE), "django", "it has manage.py"),
        (files(setup_DOT_py="", demo_DOT_py=""), "none", "it has no file of tests"),
        (files(docs_IN_test_x_DOT_py="import pytest\n"), "none", "it has no file of tests"),
        (files(demo_IN_testing_DOT_py="def check(): ...\n"), "none", "none of its files looks like a test"),
        (files(tests_IN_test_x_DOT_py="x = 1\n"), "pytest", "nothing names their runner"),
        (files(pyproject_DOT_toml="[tool.pytest.ini_options]\n"), "none", "it has no file of tests"),
    ],
)
def test_the_runner_is_told_by_the_files(project: ProjectFiles, runner: str, reason: str) -> None:
    """Configuration, imports and classes say which runner it is; without a file of tests there is none."""
    found = find_runner(project)
    assert found.name == runner
    assert reason in found.reason


@pytest.mark.parametrize(
    ("project", "command"),
    [
        (
            files(
                python_IN_tests_IN_test_x_DOT_py=CASE,
                python_IN_tests_IN___init___DOT_py="",
                more_IN_test_y_DOT_py=CASE,
            ),
            "python -m unittest discover -v -s more; python -m unittest discover -v -s python",
        ),
        (files(test_x_DOT_py=CASE), "python -m unittest discover -v"),
        (files(tests_IN_test_x_DOT_py=CASE), "python -m unittest discover -v -s tests"),
        (files(tests_IN_test_x_DOT_py=CASE, tests_IN___init___DOT_py=""), "python -m unittest discover -v"),
        (
            files(
                src_IN_x_IN_tests_IN_test_x_DOT_py=CASE,
                src_IN_x_IN_tests_IN___init___DOT_py="",
                src_IN_x_IN___init___DOT_py="",
            ),
            "python -m unittest discover -v -s src",
        ),
    ],
)
def test_unittest_starts_where_the_tests_are(project: ProjectFiles, command: str) -> None:
    """Discovery starts at the top for packages, and in the folder of the tests otherwise."""
    assert "; ".join(find_runner(project).commands) == command


def test_long_files_are_looked_at_quickly() -> None:
    """A file of blanks, or a path of thousands of folders, does not keep the farm busy."""
    names = {f"{'test/' * 800}{number}.txt" for number in range(200)}
    texts = {f"test_{number}.py": "\n" * 32_000 + " " * 30_000 for number in range(50)}
    started = time.monotonic()
    find_runner(ProjectFiles(texts=texts, names=frozenset({*names, *texts})))
    assert time.monotonic() - started < 5


def needs(**texts: str) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """What the tests of a project need: extras, requirements, files."""
    project = files(**texts)
    found = find_needs(project, read_metadata(project))
    return found.extras, found.requirements, found.files


def test_extras_groups_and_files_are_found() -> None:
    """Extras of every place, groups with what they include, and requirement files under their usual names."""
    pyproject = (
        '[project]\nname = "x"\n[project.optional-dependencies]\ntest = ["a"]\ndocs = ["b"]\n'
        '[dependency-groups]\nbase = ["six>=1"]\ntests = ["attrs", {include-group = "base"}]\ndev = ["ruff"]\n'
    )
    assert needs(
        pyproject_DOT_toml=pyproject,
        setup_DOT_cfg="[options.extras_require]\ntesting = y\n",
        requirements_IN_test_DOT_txt="",
        requirements_DOT_txt="",
    ) == (("test", "testing"), ("attrs", "six>=1"), ("requirements/test.txt",))


@pytest.mark.parametrize(
    "name",
    ["requirements-test.txt", "requirements_tests.txt", "test-requirements.txt", "tests/requirements.txt"],
)
def test_requirement_files_have_many_names(name: str) -> None:
    """Each of the usual names is one."""
    assert find_needs(ProjectFiles(texts={name: ""}), ProjectMetadata()).files == (name,)


def test_dev_is_taken_where_nothing_else_is() -> None:
    """What is for developers counts only without anything for tests; PKG-INFO names extras as well."""
    assert needs(PKG_INFO="") == ((), (), ())
    assert find_needs(
        ProjectFiles(texts={"PKG-INFO": "Name: x\nProvides-Extra: dev\n\n"}), ProjectMetadata(extras=("dev",))
    ).extras == ("dev",)
    both = ProjectMetadata(extras=("dev", "testing"))
    assert find_needs(ProjectFiles(texts={}), both).extras == ("testing",)


BOMB = [
    f"g{number} = [{{include-group = 'g{number + 1}'}}, {{include-group = 'g{number + 1}'}}]"
    for number in range(40)
]
CHAIN = [f"g{number} = [{{include-group = 'g{number + 1}'}}]" for number in range(2000)]


@pytest.mark.parametrize(
    "groups",
    [
        'test = [{include-group = "test"}]',
        'test = [{include-group = "nowhere"}]',
        'test = ["not a requirement !"]',
        "test = 3",
        'test = [{other = "x"}]',
        'test = ["a"]\nTEST = ["b"]',
        "test = [{include-group = 'g0'}]\n" + "\n".join(BOMB) + "\ng40 = ['six']",
        "test = [{include-group = 'g0'}]\n" + "\n".join(CHAIN) + "\ng2000 = ['six']",
    ],
)
def test_a_malformed_group_counts_for_nothing(groups: str) -> None:
    """A group that cannot be resolved is no reason to refuse the project."""
    assert needs(pyproject_DOT_toml=f"[dependency-groups]\n{groups}\n")[1] == ()


def test_the_configuration_has_it_all() -> None:
    """Dependencies, extras and files go into the tox.ini, and what tox 3 calls otherwise."""
    project = files(test_x_DOT_py="import pytest\n", requirements_test_DOT_txt="six\n").texts | {
        "requirements-test.txt": "six\n"
    }
    found = infer(ProjectFiles(texts=project, names=frozenset(project)), ProjectMetadata(extras=("test",)))
    assert inferred_ini("3.12", found).splitlines()[3:] == [
        "[testenv]",
        "deps =",
        "    pytest",
        "    -r{tox_root}/requirements-test.txt",
        "    -r{tox_root}/requirements_test.txt",
        "extras = test",
        "commands = pytest {posargs}",
    ]
    assert "-r{[tox]setupdir}/requirements-test.txt" in inferred_ini("2.7", found)
    assert found.reasons == (
        "pytest, as test_x.py imports pytest, with the extra test, requirements-test.txt, requirements_test.txt",
    )


def test_the_runner_is_not_named_twice() -> None:
    """Where a group or a file names pytest already, the line of the project stands alone."""
    groups = {"pyproject.toml": '[dependency-groups]\ntest = ["pytest>=8"]\n', "test_x.py": "import pytest\n"}
    assert infer(ProjectFiles(texts=groups, names=frozenset(groups)), ProjectMetadata()).deps == (
        "pytest>=8",
    )
    lines = {"requirements-test.txt": "# a\n-r x\nPyTest<9  # b\n", "test_x.py": "import pytest\n"}
    found = infer(ProjectFiles(texts=lines, names=frozenset(lines)), ProjectMetadata())
    assert found.deps == ("-r{tox_root}/requirements-test.txt",)
    lines["requirements-test.txt"] = "pytest; python_version < '3'\n"
    assert infer(ProjectFiles(texts=lines, names=frozenset(lines)), ProjectMetadata()).deps[0] == "pytest"


def test_without_tests_a_project_is_imported() -> None:
    """The check is built, installed, imported, and pip asked; the reason says so."""
    found = infer(files(setup_DOT_py=""), ProjectMetadata())
    assert found == Inferred(commands=COMMANDS, reasons=found.reasons)
    assert "no tests, as it has no file of tests" in found.reasons[0]


def test_the_check_is_free_of_what_tox_reads_for_itself() -> None:
    """No brace, hash, backslash, percent or condition of a factor: tox 3 and 4 hand it on as it is."""
    assert not set("{}#\\%\n$").intersection(IMPORT)
    assert ": " not in IMPORT
    assert len(shlex.split(IMPORT)) == 3


def wheel(folder: Path, **modules: str) -> Path:
    """A wheel of these modules."""
    path = folder / "demo-1.0-py3-none-any.whl"
    contents = {name.replace("_IN_", "/") + ".py": text for name, text in modules.items()} | {
        "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n",
        "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in contents.items():
            archive.writestr(name, text)
        record = "".join(f"{name},,\n" for name in [*contents, "demo-1.0.dist-info/RECORD"])
        archive.writestr("demo-1.0.dist-info/RECORD", record)
    return path


@pytest.mark.parametrize(
    ("modules", "code", "said"),
    [
        ({"one": "", "two_IN___init__": "", "two_IN_sub": ""}, 0, "importing one two"),
        ({"one": "import nowhere_to_be_found\n"}, 1, "importing one"),
        ({"one": "import sys\nsys.exit(0)\n", "two": ""}, 1, "importing one two"),
        ({"one": "import os\nos._exit(0)\n", "two": ""}, 1, "importing one two"),
        ({}, 0, "importing nothing, as no module is installed"),
    ],
)
def test_the_check_imports_what_was_installed(
    tmp_path: Path, modules: dict[str, str], code: int, said: str
) -> None:
    """In a real environment every top-level module of the installed wheel is imported, and no other."""
    import venv

    venv.create(tmp_path / "env", with_pip=False)
    python = tmp_path / "env/bin/python"
    uv = Path(sys.executable).with_name("uv")
    install = [
        uv,
        "pip",
        "install",
        "-q",
        "--offline",
        "--no-index",
        "--python",
        python,
        wheel(tmp_path, **modules),
    ]
    subprocess.run(install, check=True, timeout=120, capture_output=True)
    (tmp_path / "here").mkdir()
    (tmp_path / "here/one.py").write_text("raise SystemExit('the source was imported')\n")
    argv = [str(python), *shlex.split(IMPORT)[1:]]
    done = subprocess.run(
        argv, cwd=tmp_path / "here", timeout=60, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (code, said), done.stderr


def plan(texts: dict[str, str], *versions: str) -> Plan:
    """The plan on an image with these Pythons, PyPy among them as `pypy3.10.1`."""
    rows = [
        {
            "version": version.removeprefix("pypy"),
            "implementation": "PyPy" if version.startswith("pypy") else "CPython",
            "works": True,
        }
        for version in versions
    ]
    return make_plan(
        ProjectFiles(texts=texts, names=frozenset(texts)), (system_image("debian-12", rows),), Narrowing()
    )


def claims(*classifiers: str, required: str = "") -> dict[str, str]:
    """A project with these classifiers and nothing else."""
    lines = [f"Classifier: Programming Language :: Python :: {each}" for each in classifiers]
    if required:
        lines.append(f"Requires-Python: {required}")
    return {"PKG-INFO": "Metadata-Version: 2.1\nName: x\n" + "\n".join(lines) + "\n\n", "setup.py": ""}


@pytest.mark.parametrize(
    ("texts", "runs", "unsupported"),
    [
        (claims("3.11", "3.12", "3.14"), ["3.11", "3.12", "3.13"], ["3.14"]),
        (claims("3.9", "3.12", required=">=3.12"), ["3.12", "3.13"], []),
        (claims("2.7", "3"), ["2.7", "3.11", "3.12", "3.13"], []),
        (claims("3.12", "Implementation :: PyPy"), ["3.12", "3.13"], ["pypy3"]),
        (claims("3.5", "3.12"), ["3.11", "3.12", "3.13"], ["3.5"]),
    ],
)
def test_classifiers_and_requires_python_decide_together(
    texts: dict[str, str], runs: list[str], unsupported: list[str]
) -> None:
    """From the oldest that is named, nothing that is forbidden; what is named and not there is unsupported."""
    found = plan(texts, "2.7.18", "3.11.2", "3.12.1", "3.13.0")
    assert [cell.python for cell in found.runnable] == runs
    assert [cell.python for cell in found.cells if cell.unsupported] == unsupported


def test_an_sdists_strange_requires_python_is_ignored_with_a_note() -> None:
    """What was built with a requires-python that is no specifier runs where the classifiers say, as pip installs it."""
    found = plan(claims("3.12", required="banana"), "2.7.18", "3.11.2", "3.12.1")
    assert [cell.python for cell in found.runnable] == ["3.12"]
    said = [note.reason for note in found.notes]
    sentence = (
        "requires-python 'banana' of PKG-INFO is no version specifier and is ignored, as pip ignores it"
    )
    assert sentence in said
    assert not any("allow" in each for each in said)


def test_pypy_is_a_cell_where_an_image_has_it() -> None:
    """An image with PyPy runs it for projects that claim it, and tox environments that name it."""
    texts = claims("3.12", "Implementation :: PyPy")
    assert [cell.label for cell in plan(texts, "3.12.1", "pypy3.10.1").cells] == ["py3.12 · debian-12"]
    texts = claims("3.10", "Implementation :: PyPy")
    found = plan(texts, "3.12.1", "pypy3.10.1")
    assert [(cell.label, cell.environments) for cell in found.runnable] == [
        ("py3.12 · debian-12", ("py312",)),
        ("pypy3.10 · debian-12", ("pypy310",)),
    ]
    found = plan({"tox.ini": "[tox]\nenv_list = pypy3, pypy39, py312\n"}, "3.12.1", "pypy3.10.1")
    assert {cell.label: cell.environments for cell in found.runnable} == {
        "py3.12 · debian-12": ("py312",),
        "pypy3.10 · debian-12": ("pypy3",),
    }
    assert [cell.python for cell in found.cells if cell.unsupported] == ["pypy3.9"]


def test_what_requires_python_forbids_is_left_out_of_tox() -> None:
    """An environment that installs the project is not run on a Python that the project forbids."""
    old = "[testenv:old]\nbase_python = py311\nskip_install = true\n"
    texts = claims(required=">=3.12") | {"tox.ini": f"[tox]\nenv_list = py311, py312, old, py35\n{old}"}
    found = plan(texts, "3.11.2", "3.12.1")
    assert {cell.python: cell.environments for cell in found.cells} == {"3.11": ("old",), "3.12": ("py312",)}
    reasons = {note.environment: note.reason for note in found.notes}
    assert reasons["py311"] == "requires-python >=3.12 does not allow it"
    assert reasons["py35"] == "requires-python >=3.12 does not allow it"


def test_a_claim_without_an_environment_is_noted() -> None:
    """A Python that a classifier names, and tox has no environment for, is told."""
    found = plan(claims("3.11", "3.12") | {"tox.ini": "[tox]\nenv_list = py311\n"}, "3.11.2", "3.12.1")
    assert [(note.environment, note.reason) for note in found.notes] == [
        ("py312", "a classifier names Python 3.12, and the tox configuration has no environment for it")
    ]


def test_other_tools_are_named() -> None:
    """Sessions of nox, environments of hatch and the settings of cibuildwheel are in the notes."""
    project = files(
        noxfile_DOT_py=(
            "import nox\nPYTHONS = ['3.9']\n@nox.session(python=['3.11', '3.12'])\ndef tests(s): ...\n"
            "@nox.session(name='lint-all', python='3.12')\ndef lint(s): ...\n"
            "@nox.session\ndef docs(s): ...\n@nox.session(python=PYTHONS)\ndef old(s): ...\ndef no(s): ...\n"
        ),
        pyproject_DOT_toml=(
            "[tool.hatch.envs.test]\n[[tool.hatch.envs.test.matrix]]\npython = ['3.11', '3.12']\n"
            "[tool.cibuildwheel]\nbuild = ['cp311-*', 'cp312-*']\nskip = '*musllinux*'\n"
        ),
        hatch_DOT_toml="[envs.docs]\n",
    )
    assert [note.reason for note in other_notes(project)] == [
        "nox sessions, which are not run: tests (3.11, 3.12), lint-all (3.12), docs, old",
        "hatch environments, which are not run: test (3.11, 3.12), docs",
        "cibuildwheel's settings: build cp311-* cp312-*; skip *musllinux*; they are for building wheels",
    ]


@pytest.mark.parametrize(
    "source",
    ["def (", "(" * 5000, "x = " + "-" * 50_000 + "1", "\0", "@nox.session\n", "x\n" * 200_000, "'\\d'\n"],
)
def test_a_hostile_noxfile_has_no_sessions(source: str) -> None:
    """What is no Python, or too much of it, is nothing that is worth an error."""
    assert list(nox_sessions(source)) == []


@given(st.text(max_size=200))
def test_any_noxfile_is_read(source: str) -> None:
    """Whatever stands in it, the reader answers."""
    assert isinstance(list(nox_sessions(source)), list)
