"""`wheelfarm plan`: what it shows, and what it says to targets and projects that cannot be used."""

import json
import zipfile

import pytest
from tests.stored_image import image_row

from farm_cli import main
from farm_cli.plan_view import python_range
from farm_scheduler.database import Database
from farm_scheduler.sources import get_source
from farm_scheduler.states import QuestionState
from farm_scheduler.tables import Question
from farm_scheduler.targets import read_target

VERSIONS = ("2.7.18", "3.7.16", "3.9.18", "3.10.13", "3.11.2", "3.12.1")


@pytest.fixture
def farm(database, capsys, monkeypatch):
    """A farm with an image and an index that is away; runs a command line: (exit code, stdout, stderr)."""
    monkeypatch.setenv("WHEELFARM_INDEX_URL", "http://127.0.0.1:9/simple/")
    monkeypatch.setenv("WHEELFARM_INDEX_SECONDS", "2")
    with database.write() as session:
        session.merge(image_row(*VERSIONS))

    def run(*arguments):
        code = main.outcome(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture
def project(tmp_path):
    """A folder to put files into."""
    folder = tmp_path / "project"
    folder.mkdir()

    def write(**texts):
        for name, text in texts.items():
            (folder / name.replace("_DOT_", ".")).write_text(text)
        return str(folder)

    return write


def test_a_plan_tells_an_inferred_configuration_once(farm, project):
    """The tox.ini that is common to most is shown once, and of the others what is different."""
    folder = project(setup_DOT_py="", test_demo_DOT_py="import pytest\n", requirements_DOT_txt="x\n")
    code, out, _ = farm("plan", folder)
    assert code == 0
    assert out.splitlines() == [
        "project: 5 cells",
        "  py3.7 · debian-12   tox: py37",
        "  py3.9 · debian-12   tox: py39",
        "  py3.10 · debian-12  tox: py310",
        "  py3.11 · debian-12  tox: py311",
        "  py3.12 · debian-12  tox: py312",
        "the inferred tox configuration, for Python 3.9 to 3.12:",
        "  │ [tox]",
        "  │ env_list = pyXY",
        "  │",
        "  │ [testenv]",
        "  │ deps = pytest",
        "  │ commands = pytest {posargs}",
        "different for Python 3.7:",
        "  │ + virtualenv_spec = virtualenv<20.22",
        "note: inferred: pytest, as test_demo.py imports pytest",
        "note: inferred: every Python of the image, as the project does not say which it needs",
        "left out: py27 — no classifier names it",
    ]


def test_a_plan_shows_what_is_declared_and_what_cannot_be(farm, project):
    """Unsupported cells, expected failures, limits, other tools and reasons are all there."""
    folder = project(
        tox_DOT_ini="[tox]\nenv_list = py311, py312, py314, docs\n[testenv:docs]\ndeps = https://x/y.zip\n",
        noxfile_DOT_py="import nox\n@nox.session(python=['3.11'])\ndef tests(session): ...\n",
        pyproject_DOT_toml=(
            "[tool.wheelfarm]\ntimeout = 60\n[[tool.wheelfarm.expected-failures]]\npython = '3.12'\n"
            "reason = 'not yet'\n[tool.cibuildwheel]\nskip = 'pp*'\n"
        ),
    )
    code, out, _ = farm("plan", folder)
    assert code == 0
    assert out.splitlines() == [
        "project: 2 cells, and 1 unsupported",
        "  py3.11 · debian-12  tox: py311 · at most 60 s",
        "  py3.12 · debian-12  tox: py312 · expected to fail: not yet · at most 60 s",
        "  py3.14 · debian-12  unsupported: no interpreter in debian-12 fits py314",
        "note: nox sessions, which are not run: tests (3.11)",
        "note: cibuildwheel's settings: skip pp*; they are for building wheels",
        "left out: docs — unsupported: needs network (https://x/y.zip)",
    ]


def test_a_plan_as_json_is_one_object(farm, project):
    """`--json` gives one documented object with all of it."""
    folder = project(tox_DOT_ini="[tox]\nenv_list = py311, py314\n")
    code, out, _ = farm("plan", folder, "--json")
    assert code == 0
    document = json.loads(out)
    assert (document["schema_version"], document["type"], document["inferred"]) == (1, "plan", False)
    assert [cell["python"] for cell in document["cells"]] == ["3.11", "3.14"]
    assert document["cells"][1]["unsupported"] == "no interpreter in debian-12 fits py314"


def test_the_object_is_documented(farm, project, root):
    """Each field of the object stands in docs/json-lines.md."""
    _, out, _ = farm("plan", project(tox_DOT_ini="[tox]\nenv_list = py311\n"), "--json")
    page = (root / "docs/json-lines.md").read_text("utf-8").partition("### `plan`")[2]
    document = json.loads(out)
    fields = {*document, *document["cells"][0]} - {"schema_version", "type"}
    assert [field for field in sorted(fields) if f"`{field}`" not in page] == []


@pytest.mark.parametrize(
    ("texts", "options", "said"),
    [
        ({"readme_DOT_md": ""}, (), "no Python project"),
        ({"pyproject_DOT_toml": "= 1"}, (), "pyproject.toml is not TOML"),
        (
            {"pyproject_DOT_toml": "[project]\nname = 'x'\nrequires-python = 'banana'"},
            (),
            "pyproject.toml: requires-python 'banana' is no version specifier; write it like >=3.9",
        ),
        (
            {"setup_DOT_cfg": "[metadata]\nname = x\n[options]\npython_requires = 3.9 or so"},
            (),
            "setup.cfg: python_requires '3.9 or so' is no version specifier; write it like >=3.9",
        ),
        ({"tox_DOT_ini": "env_list = x"}, (), "tox.ini cannot be read"),
        ({"setup_DOT_cfg": "[tox:tox]\nx = 1\nx = 2\n"}, (), "setup.cfg cannot be read"),
        ({"pyproject_DOT_toml": "[tool.wheelfarm]\nnope = 1"}, (), "line 2: [tool.wheelfarm] nope"),
        ({"tox_DOT_ini": "[tox]\nenv_list = py311"}, ("--python", "3.12"), "nothing is left to run"),
        ({"tox_DOT_ini": "[tox]\nenv_list = py311"}, ("--python", "3.99"), "no image has Python 3.99"),
        ({"tox_DOT_ini": "[tox]\nenv_list = py311"}, ("--os", "beos"), "no system is called beos"),
    ],
)
def test_a_project_that_cannot_be_planned_is_one_sentence(farm, project, texts, options, said):
    """Whatever is wrong with the project or the narrowing is wrong use, and one line on stderr."""
    code, out, err = farm("plan", project(**texts), *options)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert said in err


def test_an_index_that_is_away_is_the_farms_fault(farm):
    """A name cannot be looked up without an index: exit code 3, and what to check."""
    code, out, err = farm("plan", "demo")
    assert (code, out) == (3, "")
    assert len(err.splitlines()) == 1
    assert "WHEELFARM_INDEX_URL" in err


def test_a_wheel_is_planned_where_it_fits(farm, tmp_path):
    """A wheel gets the smoke check on the Pythons that its tags and its metadata allow."""
    path = tmp_path / "demo-1.0-cp311-abi3-manylinux_2_17_x86_64.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("demo-1.0.dist-info/METADATA", "Name: demo\nVersion: 1.0\n\n")
    code, out, _ = farm("plan", str(path), "--json")
    assert code == 0
    document = json.loads(out)
    assert [cell["python"] for cell in document["cells"]] == ["3.11", "3.12"]
    assert {cell["expected"] for cell in document["cells"]} == {"no-tests"}
    assert f"deps = {{tox_root}}/{path.name}" in document["cells"][0]["inferred_config"]
    reasons = {note["environment"]: note["reason"] for note in document["notes"]}
    assert reasons["py310"] == f"{path.name} is not for Python 3.10 on Linux x86_64"


def test_rows_of_pythons_are_told_as_ranges():
    """Three and more in a row are a range; a gap ends it."""
    assert python_range(["2.7", "3.6", "3.7", "3.9", "3.10", "3.11"]) == "Python 2.7, 3.6, 3.7, 3.9 to 3.11"
    assert python_range(["3.12"]) == "Python 3.12"


def test_a_plan_says_what_only_a_build_knows(farm, project):
    """What no file tells is named, with what would tell it; nothing is asked."""
    folder = project(setup_DOT_py="from setuptools import setup\nsetup(python_requires=compute())\n")
    code, out, _ = farm("plan", folder)
    assert code == 0
    assert (
        "note: requires-python, classifiers, extras: only a build tells; a run asks a machine for it, "
        "and so does --ask-guest" in out.splitlines()
    )


def test_a_plan_uses_what_a_guest_told(farm, project, settings):
    """An answer that is known from before is used, and said."""
    folder = project(setup_DOT_py="from setuptools import setup\nsetup(python_requires=compute())\n")
    sha256 = get_source(read_target(folder), settings).sha256
    database = Database(settings.record_url)
    tells = {"name": "Demo", "version": "2", "requires_python": ">=3.12", "classifiers": [], "extras": []}
    with database.write() as session:
        session.add(
            Question(source_sha256=sha256, system="debian-12", state=QuestionState.ANSWERED, answer=tells)
        )
    database.close()
    code, out, err = farm("plan", folder, "--ask-guest", "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert (document["project"], document["version"]) == ("Demo", "2")
    assert [cell["python"] for cell in document["cells"]] == ["3.12"]
    assert "a machine of debian-12 was asked for requires-python" in document["notes"][0]["reason"]


def test_installers_are_words_with_commas(farm, project):
    """Each word has its cells, the constraints and the day stand beside them, and a program reads the same."""
    folder = project(tox_DOT_ini="[tox]\nenv_list = py312\n", c_DOT_txt="six==1.17.0\n", uv_DOT_lock="")
    options = ["--installer", "latest, constraints", "--installer", "lockfile", "--constraints", "c.txt"]
    options += ["--cutoff", "2026-01-31"]
    code, out, _ = farm("plan", folder, *options)
    assert (code, out.splitlines()[1:]) == (
        0,
        [
            "  py3.12 · debian-12 · lockfile     tox: py312 · from the index as of 2026-02-01 00:00 UTC",
            "  py3.12 · debian-12 · constraints  tox: py312 · by c.txt · from the index as of 2026-02-01 00:00 UTC",
            "  py3.12 · debian-12 · latest       tox: py312 · from the index as of 2026-02-01 00:00 UTC",
        ],
    )
    (line,) = farm("plan", folder, *options, "--json")[1].splitlines()
    cell = json.loads(line)["cells"][1]
    assert (cell["installer"], cell["constraints"]) == ("constraints", ["c.txt"])
    assert cell["cutoff"] == "2026-02-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ("--installer", "lockfile,pip"),
            "--installer pip is none of project, lockfile, constraints, latest, lowest",
        ),
        (("--cutoff", "soon"), "the cut-off 'soon' is no day; write it as 2026-01-31"),
        (("--constraints", "../c.txt"), "is no file below the project's folder"),
        (("--constraints", "c.txt"), "put them into the project's folder and name them from there"),
        (("--constraints", "http://example.org/c.txt"), "the farm asks over https only"),
        (("--cutoff", "2199-01-01"), "still to come"),
        (("--installer", "lockfile"), "nothing can be installed by lockfile: the source has no lock file"),
        (("--installer", ","), "--installer names none; there are project, lockfile"),
    ],
)
def test_installers_that_cannot_be_are_wrong_use(farm, project, options, sentence):
    """A word that is none, a day that is none, and what the source does not have are one sentence each."""
    code, out, err = farm("plan", project(tox_DOT_ini="[tox]\nenv_list = py312\n"), *options)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert sentence in err
