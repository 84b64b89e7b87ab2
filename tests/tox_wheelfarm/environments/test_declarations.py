"""Without a lock file a name stays within everything that pyproject.toml says of it, in whichever tool's words."""

import shutil
import subprocess

import pytest

SEVERAL = {
    "markers": (
        "[dependency-groups]\n"
        "t = [\"low<1.5; python_version<'3'\", \"low<2.5; python_version>='3'\", \"low; os_name == 'x'\"]\n"
    ),
    "groups": "[dependency-groups]\na = ['low']\nb = ['low<2.5']\nz = ['low>1']\n",
    "poetry": (
        "[tool.poetry.dependencies]\n"
        "low = [{version = '1.0', python = '<3'}, {version = '2.0', python = '>=3'}]\n"
    ),
    "extras": (
        "[project]\nname = 'x'\nversion = '1'\ndependencies = ['low']\n"
        "[project.optional-dependencies]\nslow = ['low<3']\n"
    ),
    "two tables": (
        "[dependency-groups]\ndev = ['low']\n[tool.pdm.dev-dependencies]\ndev = ['low<3']\n"
        "[tool.poetry.group.dev.dependencies]\nlow = '*'\n"
    ),
}


@pytest.fixture
def index(index):
    """Three releases of a package."""
    for version in ("1.0", "2.0", "3.0"):
        index.release("low", version)
    return index


@pytest.mark.parametrize("where", SEVERAL)
def test_every_declaration_of_a_name_counts(bench, where):
    """`locked_deps` takes a release that all of the ranges allow whose markers hold for this interpreter."""
    bench.write("pyproject.toml", SEVERAL[where])
    bench.ini("skip_install = true", "installer = latest", "locked_deps = low")
    assert bench.passes().packages() == ["low==2.0"]


def test_declarations_that_exclude_one_another_are_told(bench):
    """As where a lock would be made, there is no release for groups of which each excludes the other."""
    bench.write("pyproject.toml", "[dependency-groups]\na = ['low<2']\nb = ['low>2']\n")
    bench.ini("skip_install = true", "installer = latest", "locked_deps = low")
    said = bench.fails().said
    assert "ResolutionError" in said
    assert "low<2" in said
    assert "low>2" in said


UNION = "[tool.poetry.group.p.dependencies]\nlow = '<1.5 || ^2.0'\n"


@pytest.mark.parametrize("line", ["poetry_dep_groups = p", "dependency_groups = p", "locked_deps = low"])
@pytest.mark.parametrize(("installer", "wanted"), [("latest", "2.0"), ("lowest", "1.0")])
def test_a_union_of_ranges_is_kept(bench, line, installer, wanted):
    """Of Poetry's `<1.5 || ^2.0` the newest part is taken, with `lowest` the oldest, and nothing beside them."""
    bench.write("pyproject.toml", UNION)
    bench.ini("skip_install = true", f"installer = {installer}", line)
    assert bench.passes().packages() == [f"low=={wanted}"]


@pytest.mark.parametrize(
    ("union", "wanted"),
    [("'<1.5 || ^2.5'", "1.0"), ("'^2.5 || ~=1.0 || ==4.*'", "1.0"), ("'1.0 || 2.0 || 2.5'", "2.0")],
)
def test_a_part_of_a_union_without_a_release_is_passed_over(bench, union, wanted):
    """The next older part is taken."""
    bench.write("pyproject.toml", UNION.replace("'<1.5 || ^2.0'", union))
    bench.ini("skip_install = true", "installer = latest", "poetry_dep_groups = p")
    assert bench.passes().packages() == [f"low=={wanted}"]


@pytest.mark.parametrize(
    ("installer", "union", "wanted"),
    [
        ("latest", "~=3.0 || ==1.* || <=2", "3.0"),
        ("latest", "==2 || <2.0", "2.0"),
        ("latest", "1.* || !=3.0", "2.0"),
        ("latest", "* || ==1.0", "3.0"),
        ("latest", "==1.* || >=2,<3 || ~=1.0", "2.0"),
        ("lowest", "==3.* || ~=2.0 || >=1,<2", "1.0"),
        ("lowest", ">1 || ==1.0", "1.0"),
        ("lowest", "===2.0 || ~=3.0", "2.0"),
    ],
)
def test_the_parts_of_a_union_are_tried_in_the_order_of_versions(bench, installer, union, wanted):
    """However a part is written, and wherever it stands."""
    bench.write("pyproject.toml", UNION.replace("<1.5 || ^2.0", union))
    bench.ini("skip_install = true", f"installer = {installer}", "poetry_dep_groups = p")
    assert bench.passes().packages() == [f"low=={wanted}"]


def test_a_constraint_chooses_the_part_of_a_union(bench):
    """What a constraint excludes is passed over as well; where it leaves none, the union is in the message."""
    bench.write("pyproject.toml", UNION)
    bench.write("bounds.txt", "low==1.0\n")
    bench.ini(
        "skip_install = true", "installer = constraints", "constraints = bounds.txt", "locked_deps = low"
    )
    assert bench.passes().packages() == ["low==1.0"]
    bench.write("bounds.txt", "low==3.0\n")
    said = bench.fails().said
    assert "ConstraintsError" in said
    assert "low <1.5 || ^2.0" in said


def test_unions_of_too_many_parts_are_refused(bench):
    """Each choice would be a resolution: a clear sentence comes instead of an hour."""
    union = " || ".join(f"1.{number}" for number in range(40))
    bench.write("pyproject.toml", UNION.replace("<1.5 || ^2.0", union))
    bench.ini("skip_install = true", "installer = latest", "locked_deps = low")
    assert "ResolutionError: pyproject.toml has too many ranges with `||` to try: low" in bench.fails().said


@pytest.fixture
def below(bench):
    """A project with a folder below it, named in the words of PDM, and the lines of groups."""
    bench.project(name="mem")
    (bench.root / "lib").mkdir()
    for name in ("pyproject.toml", "backend.py", "mem.py"):
        shutil.move(bench.root / name, bench.root / "lib" / name)

    def write(line):
        groups = f'dev = ["{line}"]\ntest = ["low<2"]\n'
        bench.write("pyproject.toml", f"[tool.pdm.dev-dependencies]\n{groups}")

    write("-e file:///${PROJECT_ROOT}/lib#egg=mem")
    return write


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("poetry_dep_groups = test", ["low"]),
        ("dependency_groups = test", ["low"]),
        ("locked_deps = low", ["low"]),
        ("locked_deps = mem", ["mem"]),
        ("install_dev_deps = true", ["low", "mem"]),
    ],
)
@pytest.mark.usefixtures("below")
def test_a_folder_in_the_words_of_pdm_is_that_folder(bench, line, wanted):
    """`-e file:///${PROJECT_ROOT}/…` hinders no other name, and is the folder where it is asked for."""
    bench.index.release("mem", "9.0")
    bench.ini("skip_install = true", "installer = latest", line)
    packages = bench.passes().packages()
    assert [each.partition(" @")[0].partition("==")[0] for each in packages] == wanted
    assert "mem==9.0" not in packages
    assert not any("low" in each and each != "low==1.0" for each in packages)


@pytest.mark.parametrize("line", ["-e ./lib", "--editable=file://${PROJECT_ROOT}/lib", "-e lib#egg=mem"])
def test_a_folder_of_pdm_may_be_written_otherwise(bench, below, line):
    """A path, or a folder whose name only its own pyproject.toml tells; a change in it is seen."""
    below(line)
    bench.ini(
        "skip_install = true", "installer = latest", "locked_deps = mem", "commands = python -c 'import mem'"
    )
    assert bench.passes().packages()[0].startswith("mem @ file://")
    bench.write("lib/mem.py", "raise SystemExit('changed')\n")
    assert "changed" in bench.fails().said


def test_a_line_of_pdm_that_tells_no_name_is_told(bench, below):
    """One clear sentence."""
    below("-e git+https://127.0.0.1:1/x.git")
    bench.ini("skip_install = true", "installer = latest", "poetry_dep_groups = test")
    assert "LockFileError: " in (said := bench.fails().said)
    assert "-e git+https://127.0.0.1:1/x.git: it tells no name; write #egg=NAME behind it" in said


@pytest.fixture
def repository(bench):
    """A repository of a project: its first commit has a tag, and its folder another project."""
    bench.project(name="loc", version="1.0")
    where = bench.root.parent / "loc"
    shutil.copytree(bench.root, where / "part")
    shutil.copytree(bench.root, where, dirs_exist_ok=True)
    part = where / "part/pyproject.toml"
    part.write_text(part.read_text("utf-8").replace("1.0", "5.0"), "utf-8")

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main"]
        subprocess.run(["git", *who, *words], cwd=where, check=True, timeout=60, capture_output=True)

    for version, more in (("1.0", ("tag", "one")), ("2.0", ("branch", "two"))):
        path = where / "pyproject.toml"
        path.write_text(path.read_text("utf-8").replace("1.0", version), "utf-8")
        git("init")
        git("add", ".")
        git("commit", "--allow-empty", "-m", version)
        git(*more)
    return where.as_uri()


@pytest.mark.parametrize(
    ("more", "version"),
    [
        ("", "2.0"),
        ("tag = 'one'", "1.0"),
        ("rev = 'one'", "1.0"),
        ("branch = 'two'", "2.0"),
        ("subdirectory = 'part'", "5.0"),
        ("tag = 'one', subdirectory = 'part'", "5.0"),
    ],
)
@pytest.mark.parametrize("tool", ["poetry", "pipenv"])
def test_a_revision_of_a_repository_is_the_one_that_is_meant(bench, repository, tool, more, version):
    """Not what the repository has at its head, and not the project at its top if another folder is named."""
    told = f"git = '{repository}', {more}".rstrip(", ")
    if tool == "poetry":
        bench.write("pyproject.toml", f"[tool.poetry.group.p.dependencies]\nloc = {{ {told} }}\n")
    else:
        (bench.root / "pyproject.toml").unlink()
        ref = told.replace("tag =", "ref =").replace("rev =", "ref =").replace("branch =", "ref =")
        bench.write("Pipfile", f"[p]\nloc = {{ {ref} }}\n")
    bench.ini("skip_install = true", "installer = latest", "dependency_groups = p")
    (line,) = bench.passes().packages()
    assert line.startswith("loc @ git+file://")
    assert list(bench.site().glob(f"loc-{version}.dist-info"))
