"""The project itself in its environment: built, installed with what it needs, by each kind of package."""

import pytest


@pytest.fixture
def index(index):
    """What a project needs, and what its extras bring."""
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("more", "1.0", "low")
    index.release("tool", "1.0")
    return index


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable", "sdist-wheel"])
def test_the_project_is_installed_with_what_it_needs(bench, kind):
    """Each kind of package brings the project's dependencies and those of its extras."""
    bench.project("low", extras={"fast": ["more"], "slow": ["tool"]})
    bench.ini(f"package = {kind}", "extras = fast", "commands = python -c 'import app, low, more'")
    run = bench.passes()
    names = [line.split("==")[0].split(" @")[0] for line in run.packages() if "==" in line]
    assert [name for name in names if name != "app"] == ["low", "more"]
    assert any("app" in line for line in run.packages())


def test_usedevelop_is_an_editable_install(bench):
    """A change of the sources is there without another install."""
    bench.project("low")
    bench.ini("usedevelop = true", "commands = python -c 'import app; print(app.VERSION)'")
    bench.passes()
    bench.write("app.py", "VERSION = 77\n")
    assert "77" in bench.passes("-vv").said


def test_only_the_dependencies_are_installed_on_wish(bench):
    """`package = deps-only` installs what the project needs, and not the project."""
    bench.project("low", extras={"fast": ["more"]})
    bench.ini("package = deps-only", "extras = fast")
    assert bench.passes().packages() == ["low==2.0", "more==1.0"]


def test_a_package_from_elsewhere_is_installed(bench, index):
    """`--installpkg` takes a wheel that is there, with what it needs."""
    index.release("other", "3.0", "low<2")
    file, (body, _) = next(iter(index.files["other"].items()))
    (bench.root / file).write_bytes(body)
    bench.project()
    bench.ini("commands = python -c 'import other, low'")
    run = bench.passes("--installpkg", str(bench.root / file))
    assert "low==1.0" in run.packages()


def test_the_lock_decides_for_the_project_too(bench):
    """With a lock file the project's own dependencies come from it."""
    bench.project("low")
    bench.pylock(("low", "1.0"))
    bench.ini("package = wheel")
    assert "low==1.0" in bench.passes().packages()


def test_an_unchanged_project_is_not_installed_again(bench):
    """The same sources built again change nothing; other sources are installed, the rest stays."""
    bench.project("low")
    bench.ini("package = wheel", "commands = python -c 'import app; print(app.VERSION)'")
    bench.passes()
    module = bench.site() / "app.py"
    before = module.stat().st_mtime_ns, (bench.site() / "low.py").stat().st_ino
    bench.passes()
    assert (module.stat().st_mtime_ns, (bench.site() / "low.py").stat().st_ino) == before
    bench.write("app.py", "VERSION = 'other'\n")
    assert "other" in bench.passes("-vv").said
    assert (bench.site() / "low.py").stat().st_ino == before[1]


def test_a_dependency_that_goes_is_taken_out(bench):
    """What the project no longer needs is gone after the next run, without a rebuild."""
    bench.project("low", "tool")
    bench.ini("package = wheel")
    bench.passes()
    born = bench.born()
    bench.project("low")
    run = bench.passes()
    assert [line for line in run.packages() if "app" not in line] == ["low==2.0"]
    assert bench.born() == born


def test_a_circle_through_the_project_ends_at_this_build(bench, index):
    """A dependency that needs the project itself gets the one that was built here."""
    index.release("plugin", "1.0", "app>=1")
    bench.project("plugin")
    bench.ini("package = wheel")
    run = bench.passes()
    assert "plugin==1.0" in run.packages()
    assert any(line.startswith("app @ file://") for line in run.packages())


def test_a_build_needs_what_it_says_under_the_same_constraints(bench, index):
    """Constraints hold for the environment that builds the project as well."""
    index.release("builder", "1.0", code="import sys\nsys.path.insert(0, '.')\nfrom backend import *\n")
    index.release("builder", "2.0", code="raise SystemExit('too new')\n")
    bench.project("low")
    text = (bench.root / "pyproject.toml").read_text("utf-8")
    text = text.replace("requires = []", "requires = ['builder']").replace("'backend'", "'builder'")
    bench.write("pyproject.toml", text.replace("backend-path = ['.']\n", ""))
    bench.write("upper.txt", "builder===1.0\nlow===1.0\n")
    bench.ini("package = wheel", "constraints = upper.txt")
    assert "low==1.0" in bench.passes().packages()
    bench.ini("package = wheel")
    bench.variables |= {"WHEELFARM_INSTALLER": "constraints", "WHEELFARM_CONSTRAINTS": "builder===1.0"}
    assert "low==2.0" in bench.passes().packages()


@pytest.mark.parametrize("package", ["wheel", "skip"])
def test_constraints_that_a_build_cannot_have_are_named(bench, index, package):
    """A constraint that excludes what a build needs, of the project or of a dependency, is named with its file."""
    index.release("setuptools", "40.0.0")
    index.release("setuptools", "70.0.0")
    bench.project()
    text = (bench.root / "pyproject.toml").read_text("utf-8")
    bench.write("pyproject.toml", text.replace("requires = []", "requires = ['setuptools>=64']"))
    bench.write("other/pyproject.toml", "[build-system]\nrequires = ['setuptools>=64']\n")
    bench.write("upper.txt", "setuptools===40.0.0\n")
    bench.ini(
        f"package = {package}", "constraints = upper.txt", "deps = ./other" if package == "skip" else ""
    )
    said = bench.fails().said
    assert "ConstraintsError: constraints exclude what is needed" in said
    assert "setuptools===40.0.0` (upper.txt line 1)" in said
    assert (
        "A folder cannot be built" if package == "skip" else "The project is built with setuptools>=64"
    ) in said


@pytest.mark.parametrize("written", [True, False])
def test_a_folder_in_place_has_its_projects_name(bench, written):
    """`editable-legacy` is the project, whatever its folder is called and wherever its name stands."""
    bench.project("low")
    if not written:
        text = (bench.root / "pyproject.toml").read_text("utf-8")
        bench.write("pyproject.toml", text.replace("[project", "[tool.toy"))
        backend = (bench.root / "backend.py").read_text("utf-8")
        bench.write("backend.py", backend.replace('["project"]', '["tool"]["toy"]'))
    bench.ini("package = editable-legacy", "commands = python -c 'import app, low'")
    run = bench.passes()
    assert any(line.startswith(("-e file:", "app @ file:")) for line in run.packages())
    born = bench.born()
    assert "recreate" not in bench.passes().said
    assert bench.born() == born


def test_what_an_extra_of_the_project_needs_is_held_too(bench):
    """A release that an extra excludes is a conflict, where a lock that is not for it is let through."""
    bench.project(extras={"fancy": ["low"]})
    bench.lock()
    text = (bench.root / "pyproject.toml").read_text("utf-8")
    bench.write("pyproject.toml", text.replace('["low"]', '["low>=9"]'))
    bench.ini("package = wheel", "installer = lockfile", "extras = fancy", "stale_lock = warn")
    assert "app 1.0 -> low>=9" in bench.fails().said


def test_an_interpreter_that_is_not_there_is_told(bench):
    """Without a traceback, and the other environments go on."""
    bench.project()
    ini = "[tox]\nenv_list = a,b\n[testenv]\nrunner = wheelfarm\npackage = wheel\ncommands = python -c pass\n"
    bench.write("tox.ini", f"{ini}[testenv:a]\nbase_python = python3.99\n")
    run = bench.fails()
    assert "a: failed with could not find python interpreter matching any of the specs python3.99" in run.said
    assert "b: OK" in run.said


def test_skipping_the_package_leaves_what_is_there(bench):
    """`--skip-pkg-install` neither installs the project nor takes it out."""
    bench.project("low")
    bench.ini("package = wheel")
    before = bench.passes().packages()
    assert bench.passes("--skip-pkg-install").packages() == before


def test_exec_runs_in_the_environment_as_it_is(bench):
    """`tox exec` finds the project and changes nothing."""
    bench.project("low")
    bench.ini("package = wheel")
    bench.passes()
    born = bench.born()
    bench.tox("exec", "-e", "a", "--", "python", "-c", "import app, low; open('seen', 'w').close()")
    assert (bench.root / "seen").exists()
    assert bench.born() == born


def test_an_extra_that_is_not_there_is_named(bench):
    """A misspelt extra is one sentence with what there is."""
    bench.project(extras={"fast": ["more"]})
    bench.ini("package = wheel", "extras = fats")
    assert "fats" in bench.fails().said


def test_what_builds_for_two_environments_is_made_anew_once(bench):
    """`--recreate` is for all of them; the run after that finds what builds the project whole."""
    bench.project()
    bench.ini("package = wheel", envs="a,b")
    bench.passes("--recreate")
    bench.passes("--recreate")
    assert "recreate env" not in bench.passes().said
