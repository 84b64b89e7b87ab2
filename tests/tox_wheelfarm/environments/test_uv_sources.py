"""`[tool.uv.sources]` where no lock file decides: what has a source is never taken from a stranger of that name."""

import subprocess
import tomllib

import pytest

from .toy_index import serving

PRIVATE = "[[tool.uv.index]]\nname = 'own'\nurl = '{url}'\nexplicit = true\n"


@pytest.fixture
def index(index):
    """Strangers with the names of the project's folders, and a release that is nobody's."""
    for name in ("loc", "other", "low"):
        for version in ("0.1", "99"):
            index.release(name, version)
    return index


@pytest.fixture
def private():
    """Another index, which no variable names."""
    with serving() as toy:
        yield toy


def member(bench, folder, name, *dependencies, more="", version="5.0", **told):
    """Make a folder of the project a project of its own."""
    bench.project(*dependencies, name=name, version=version, code=f"VERSION = 'mine {version}'\n", **told)
    (bench.root / folder).mkdir(parents=True, exist_ok=True)
    for file in ("pyproject.toml", "backend.py", f"{name}.py"):
        (bench.root / file).replace(bench.root / folder / file)
    add(bench, more, folder)


def add(bench, text, folder="."):
    """Add lines to a pyproject.toml."""
    path = bench.root / folder / "pyproject.toml"
    path.write_text(path.read_text("utf-8") + text, "utf-8")


def sources(*lines, more=""):
    """A table of sources."""
    return "\n".join(["[tool.uv.sources]", *lines, more, ""])


def releases(run):
    """What is installed, as the record has it: version by name, without the project."""
    return {
        file["name"]: file["version"]
        for file in run.environment()["wheelfarm"]["files"]
        if file["name"] != "app"
    }


@pytest.fixture
def folder(bench):
    """A project with `loc` in a folder of its own."""
    member(bench, "lib/loc", "loc", "low<9")
    bench.project("loc")
    add(bench, sources("Loc = {path = 'lib/loc'}"))
    return bench


@pytest.mark.parametrize("installer", ["latest", "lowest", "constraints"])
def test_a_folder_is_the_release_that_is_meant(folder, index, installer):
    """Every installer builds the folder and takes what that needs from the index, which never gives its stranger."""
    folder.ini("package = wheel", f"installer = {installer}", "constraints = low>0")
    run = folder.passes()
    assert releases(run) == {"loc": "5.0", "low": "0.1"}
    held = tomllib.loads(run.environment()["wheelfarm"]["set"])["packages"]
    assert next(each["directory"]["path"] for each in held if each["name"] == "loc") == str(
        folder.root / "lib/loc"
    )
    assert not [path for path in index.asked if "/loc" in path]


@pytest.mark.parametrize(
    "lines",
    [
        ["package = deps-only"],
        ["package = editable"],
        ["skip_install = true", "install_project_deps = true"],
        ["skip_install = true", "locked_deps = loc"],
        ["skip_install = true", "poetry_dep_groups = dev"],
        ["skip_install = true", "install_dev_deps = true"],
        ["skip_install = true", "dependency_groups = dev"],
        ["package = wheel", "extras = more", "install_project_deps = true"],
        ["package = wheel", "deps = low<9 --no-deps"],
        ["package = wheel", "deps = loc>1"],
        ["skip_install = true", "deps = ."],
    ],
)
def test_the_source_counts_however_the_project_is_asked(bench, lines):
    """The project's dependencies, extras and groups and the names of `locked_deps` are from their source."""
    member(bench, "lib/loc", "loc")
    bench.project(
        *(() if "extras" in str(lines) else ["loc"]), extras={"more": ["loc"]}, groups={"dev": ["loc"]}
    )
    add(bench, sources("loc = {path = 'lib/loc'}"))
    lines = [each.replace("deps = low<9 --no-deps", "deps =\n  --no-deps\n  low<9") for each in lines]
    bench.ini("installer = latest", *lines)
    assert releases(bench.passes())["loc"] == "5.0"


def test_a_changed_folder_or_source_is_seen(folder):
    """A file of the folder, another version in it and another source are each a change; nothing new is none."""
    member(folder, "lib/second", "loc", version="6.0")
    folder.project("loc")
    add(folder, sources("loc = {path = 'lib/loc'}"))
    folder.ini(
        "package = wheel", "installer = latest", "commands = python -c 'import loc; print(loc.VERSION)'"
    )
    assert "mine 5.0" in folder.passes().said
    folder.write("lib/loc/loc.py", "VERSION = 'changed'\n")
    assert "changed" in folder.passes().said
    asked = len(folder.index.asked)
    folder.passes()
    assert len(folder.index.asked) == asked
    folder.project("loc")
    add(folder, sources("loc = {path = 'lib/second'}"))
    assert releases(folder.passes()) == {"loc": "6.0"}


WORKSPACE = "[tool.uv.workspace]\nmembers = ['lib/*']\nexclude = ['lib/old']\n"


@pytest.fixture
def workspace(bench):
    """A workspace in which `loc` needs `other`, with a folder that is no member."""
    member(bench, "lib/old", "loc", version="1.0")
    member(bench, "lib/other", "other")
    member(bench, "lib/loc", "loc", "other", more=sources("other = {workspace = true}"))
    bench.project("loc")
    add(bench, sources("loc = {workspace = true}", more=WORKSPACE))
    bench.ini("package = wheel", "installer = latest")
    return bench


def test_members_of_the_workspace_are_in_place(workspace):
    """A member and what that needs of the workspace are installed in place, as uv does."""
    assert releases(workspace.passes()) == {"loc": "5.0", "other": "5.0"}
    assert (workspace.site() / "loc.pth").read_text("utf-8").strip() == str(workspace.root / "lib/loc")


def test_a_member_has_the_sources_of_the_root(workspace):
    """The workspace's sources count for a member that is tested alone; its own win."""
    member(workspace, "lib/loc", "loc")
    member(workspace, "lib/app", "app", "loc", "other", more=sources("other = {path = '../../own'}"))
    member(workspace, "own", "other", version="7.0")
    workspace.project(name="top")
    add(workspace, sources("loc = {workspace = true}", "other = {path = 'nowhere'}", more=WORKSPACE))
    (workspace.root / "tox.ini").replace(workspace.root / "lib/app/tox.ini")
    workspace.root /= "lib/app"
    assert releases(workspace.passes()) == {"loc": "5.0", "other": "7.0"}


def test_a_member_may_need_the_project_itself(workspace):
    """What tox built of the project is the project, though a member names its folder."""
    member(workspace, "lib/loc", "loc", "app", "low<9", more=sources("app = {workspace = true}"))
    workspace.project("loc")
    add(workspace, sources("loc = {workspace = true}", more=WORKSPACE))
    assert releases(workspace.passes()) == {"loc": "5.0", "low": "0.1"}


def test_a_member_that_is_not_there_is_an_error(workspace):
    """Nothing is taken in its stead; who does not ask for it is none the worse."""
    workspace.project("loc")
    add(workspace, sources("loc = {workspace = true}"))
    said = workspace.fails().said
    workspace.ini("skip_install = true", "installer = latest", "deps = low", envs="b")
    assert workspace.passes().packages("b") == ["low==99"]
    assert "ResolutionError: loc is a member of the workspace by tool.uv.sources of" in said


@pytest.fixture
def repository(bench):
    """A repository with `loc` below its root, one commit of it tagged, and a later one."""
    member(bench, "repo/below", "loc", "other", more=sources("other = {path = '../other'}"))
    member(bench, "repo/other", "other")

    def git(*words):
        who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
        command = ["git", *who, *words]
        done = subprocess.run(
            command, cwd=bench.root / "repo", check=True, timeout=60, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init")
    git("add", ".")
    git("commit", "-m", "one")
    git("tag", "first")
    member(bench, "repo/below", "loc", version="6.0")
    git("commit", "-am", "two")
    return bench, git("rev-parse", "first")


@pytest.mark.parametrize(
    ("which", "found"),
    [
        ("tag = 'first'", {"loc": "5.0", "other": "5.0"}),
        ("rev = '{commit}'", {"loc": "5.0", "other": "5.0"}),
        ("branch = 'main'", {"loc": "6.0"}),
    ],
)
def test_a_repository_is_a_source(repository, which, found):
    """The commit of a tag, a revision or a branch is installed, with what its own sources name, and recorded."""
    bench, commit = repository
    told = which.format(commit=commit)
    bench.project("loc")
    add(bench, sources(f"loc = {{git = '{(bench.root / 'repo').as_uri()}', {told}, subdirectory = 'below'}}"))
    bench.ini("package = wheel", "installer = latest")
    run = bench.passes()
    assert releases(run) == found
    origins = {file["name"]: file["hash"] for file in run.environment()["wheelfarm"]["files"]}
    assert ("branch" in which) != (origins["loc"] == f"git:{commit}")


def test_a_url_is_a_source(bench, private):
    """The file of that URL is installed, whatever the index has."""
    private.release("loc", "5.0")
    bench.project("loc")
    add(bench, sources(f"loc = {{url = '{private.url}/files/loc/loc-5.0-py3-none-any.whl'}}"))
    bench.ini("package = wheel", "installer = latest")
    assert releases(bench.passes()) == {"loc": "5.0"}


@pytest.fixture
def indexed(bench, private):
    """A project with a release of an index of its own, whose other releases are nobody's."""
    private.release("loc", "5.0", "low<99")
    private.release("low", "50")
    bench.project("loc")
    add(bench, sources("loc = {index = 'own'}", more=PRIVATE.format(url=private.simple)))
    bench.ini("package = wheel", "installer = latest")
    return bench


@pytest.mark.parametrize("installer", ["latest", "lowest"])
def test_a_release_is_from_its_index_and_the_others_are_not(indexed, index, installer):
    """Only the name with that source comes from there; what it needs comes from where all is from."""
    indexed.ini("package = wheel", f"installer = {installer}")
    run = indexed.passes()
    assert releases(run) == {"loc": "5.0", "low": "0.1"}
    assert not [path for path in index.asked if "/loc" in path]
    held = tomllib.loads(run.environment()["wheelfarm"]["set"])["packages"]
    assert next(each for each in held if each["name"] == "loc")["archive"]["hashes"]["sha256"]


def test_the_set_of_an_index_source_can_be_had_again(indexed):
    """The recorded set, as the lock file, gives the same releases."""
    held = indexed.passes().environment()["wheelfarm"]["set"]
    indexed.write("pylock.toml", held)
    indexed.ini("package = wheel", "installer = lockfile", envs="b")
    told = indexed.passes().environment("b")["wheelfarm"]["files"]
    assert [file["version"] for file in told if file["name"] == "loc"] == ["5.0"]


def test_nothing_is_asked_where_nothing_changed(indexed, private):
    """A second run with a source asks no index and installs nothing."""
    indexed.passes()
    asked = len(private.asked)
    made = (indexed.site() / "loc.py").stat().st_ino
    indexed.passes()
    assert (len(private.asked), (indexed.site() / "loc.py").stat().st_ino) == (asked, made)


def test_a_folder_of_files_is_an_index(indexed, private):
    """A flat index is one too, relative to the pyproject.toml that names it."""
    (indexed.root / "wheels").mkdir()
    private.put("loc-5.0-py3-none-any.whl", indexed.root / "wheels")
    indexed.project("loc")
    add(indexed, sources("loc = {index = 'own'}", more=PRIVATE.format(url="wheels") + "format = 'flat'\n"))
    assert releases(indexed.passes()) == {"loc": "5.0", "low": "0.1"}


def test_the_index_of_a_folder_is_held_as_well(indexed, private):
    """A folder that is needed has sources of its own, which count for what it needs."""
    member(indexed, "lib/other", "other", "loc")
    add(indexed, sources("loc = {index = 'own'}", more=PRIVATE.format(url=private.simple)), "lib/other")
    indexed.project("other")
    add(indexed, sources("other = {path = 'lib/other'}"))
    assert releases(indexed.passes()) == {"loc": "5.0", "low": "0.1", "other": "5.0"}


def test_an_index_that_is_named_nowhere_is_an_error(indexed):
    """The other indexes are not asked for the name."""
    indexed.project("loc")
    add(indexed, sources("loc = {index = 'own'}"))
    said = indexed.fails().said
    assert "ResolutionError: loc is from the index 'own' by tool.uv.sources, and no [[tool.uv.index]]" in said


@pytest.mark.parametrize(("extras", "found"), [("", "5.0"), ("extras = fast", "6.0")])
def test_a_source_may_be_for_a_system_or_an_extra(bench, extras, found):
    """Of several sources the one counts whose marker holds and whose extra is asked for."""
    member(bench, "lib/plain", "loc")
    member(bench, "lib/fast", "loc", version="6.0")
    bench.project("other", extras={"fast": ["loc"], "plain": ["loc"]})
    lines = [
        "{path = 'lib/fast', extra = 'fast'}",
        "{path = 'lib/plain', extra = 'plain'}",
        "{path = 'nowhere', marker = 'sys_platform == \"none\"'}",
    ]
    two = "{path = 'lib/plain', marker = 'os_name != \"none\"'}, {path = 'nowhere', marker = 'os_name == \"none\"'}"
    add(bench, sources(f"loc = [{', '.join(lines[:2])}]"))
    if not extras:
        bench.project("loc")
        add(bench, sources(f"loc = [{two}]"))
    bench.ini("package = wheel", "installer = latest", extras)
    assert releases(bench.passes())["loc"] == found


def test_a_source_may_be_for_a_group_that_another_includes(bench):
    """A group counts as asked for where one that includes it is."""
    member(bench, "lib/loc", "loc")
    bench.project(groups={"inner": ["loc"]})
    text = (bench.root / "pyproject.toml").read_text("utf-8") + "outer = [{include-group = 'inner'}]\n"
    bench.write("pyproject.toml", text + sources("loc = [{path = 'lib/loc', group = 'inner'}]"))
    bench.ini("skip_install = true", "installer = latest", "dependency_groups = outer")
    assert releases(bench.passes()) == {"loc": "5.0"}


def test_an_entry_that_is_no_source_is_an_error(bench):
    """What uv does not understand is told, and not passed over."""
    bench.project("loc")
    add(bench, sources("loc = ['index']"))
    bench.ini("package = wheel", "installer = latest")
    assert "a: failed with InstallFailedError: " in bench.fails().said


@pytest.mark.parametrize("source", ["{path = 'lib/loc'}", "{index = 'own'}"])
def test_what_builds_the_project_has_its_source_too(bench, private, source):
    """A requirement of the build is from its source, with a lock file as well, and its change is seen."""
    private.release("loc", "5.0", code="VERSION = 'mine 5.0'\n")
    member(bench, "lib/loc", "loc")
    bench.project("low")
    add(bench, sources(f"loc = {source}", more=PRIVATE.format(url=private.simple)))
    path = bench.root / "pyproject.toml"
    path.write_text(
        path.read_text("utf-8").replace("requires = []", "requires = ['loc', 'other']", 1), "utf-8"
    )
    text = (bench.root / "backend.py").read_text("utf-8")
    read, built = 'source = open(name + ".py").read()', "source = 'BUILT = ' + repr(loc.VERSION)"
    bench.write("backend.py", f"import loc\n{text.replace(read, built)}")
    bench.pylock(("low", "99"))
    bench.ini("package = wheel", "commands = python -I -c 'import app; print(app.BUILT)'")
    assert "mine 5.0" in bench.passes().said
    made = (bench.root / ".tox/.pkg/pyvenv.cfg").stat().st_ino
    bench.passes()
    assert (bench.root / ".tox/.pkg/pyvenv.cfg").stat().st_ino == made
    if "path" in source:
        bench.write("lib/loc/loc.py", "VERSION = 'changed'\n")
        assert "changed" in bench.passes().said


def test_a_constraint_against_a_folder_is_told(folder):
    """A constraint that the folder does not meet is an error; no other release takes its place."""
    folder.ini("package = wheel", "installer = constraints", "constraints = loc==99")
    assert "ConstraintsError: " in folder.fails().said
