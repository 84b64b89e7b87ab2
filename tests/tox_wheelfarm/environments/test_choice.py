"""What decides where several things could, and what is said where that is not clear."""

import pytest


@pytest.fixture
def index(index):
    """A package in two releases, and what a linter's environment has."""
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("top", "1.0", "low")
    index.release("linter", "1.0")
    return index


def _requirements(bench):
    bench.requirements("low==1.0")
    bench.requirements("linter==1.0", name="requirements-dev.txt")
    return "requirements-dev.txt, requirements.txt"


def _pylocks(bench):
    bench.pylock(("low", "1.0"), name="pylock.a.toml")
    bench.pylock(("low", "2.0"), name="pylock.b.toml")
    return "pylock.a.toml, pylock.b.toml"


def _link(bench):
    (bench.root / "uv.lock").symlink_to("nowhere")
    return "uv.lock is a link that leads nowhere"


def _folder(bench):
    (bench.root / "uv.lock").mkdir()
    return "uv.lock is a folder"


def _link_of_requirements(bench):
    (bench.root / "requirements-dev.txt").symlink_to("nowhere")
    return "requirements-dev.txt is a link that leads nowhere"


def _link_beside_requirements(bench):
    bench.requirements("low==1.0")
    (bench.root / "requirements-dev.txt").symlink_to("nowhere")
    return "requirements-dev.txt, requirements.txt"


@pytest.mark.parametrize(
    "make",
    [_requirements, _pylocks, _link, _folder, _link_of_requirements, _link_beside_requirements],
)
def test_a_lock_file_that_is_not_clear_is_refused(bench, make):
    """What could be meant is named, with what to set; the newest releases are never taken instead silently."""
    told = make(bench)
    bench.ini("skip_install = true", "deps = top")
    said = bench.fails().said
    assert "a: failed with LockFileError: " in said
    assert told in said
    assert "(lockfile = …)" in said
    assert "installer = latest" in said
    bench.ini("skip_install = true", "deps = top", "installer = latest")
    assert bench.passes().packages() == ["low==2.0", "top==1.0"]


def test_a_file_of_requirements_without_hashes_is_no_lock(bench):
    """Lists for people to edit are left alone, however many there are."""
    for name in ("requirements.txt", "requirements-dev.txt"):
        bench.write(name, "low\n")
    bench.ini("skip_install = true", "deps = top")
    assert bench.passes().packages() == ["low==2.0", "top==1.0"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le"])
@pytest.mark.parametrize("name", ["requirements.txt", "base.txt"])
def test_a_lock_in_another_encoding_is_not_overlooked(bench, encoding, name):
    """A list with hashes that a shell wrote as UTF-16 is refused, found or included; one without hashes is no lock."""
    bench.write("requirements.txt", "-r base.txt\n")
    text = bench.requirements("low==1.0", name=name).read_text("utf-8")
    (bench.root / name).write_bytes(text.encode(encoding))
    bench.ini("skip_install = true")
    said = bench.fails().said
    assert "a: failed with LockFileError: " in said
    assert f"{name} is UTF-16" in said or f"{name}, line 1: " in said
    (bench.root / name).write_bytes("low\n".encode(encoding))
    assert bench.passes().packages() == []


@pytest.mark.parametrize(
    "text",
    [
        "-r base.txt\n",
        "\ufeff-rbase.txt # ours\n",
        "--requirement=deep/more.txt\n-e .\nlinter==1.0 --hash=sha256:HASH\n",
    ],
)
def test_a_list_that_includes_hashes_is_a_lock(bench, text):
    """Where no list has hashes of its own, one whose included files have them decides, and is read whole."""
    digest = (
        bench.requirements("linter==1.0", name="other.txt").read_text("utf-8").split("sha256:")[1].strip()
    )
    bench.requirements("low==1.0", name="base.txt")
    bench.write("deep/more.txt", "-r ../base.txt\n-r ../requirements.txt\n")
    bench.write("requirements.txt", text.replace("HASH", digest))
    bench.ini("skip_install = true")
    run = bench.passes()
    assert "low==1.0" in run.packages()
    assert run.environment()["wheelfarm"]["installer"] == "lockfile"


@pytest.mark.parametrize(
    "text", ["-r base.txt\nlinter>=1  # ours\n", "-r nowhere.txt\n", f"-r {'x' * 5000}\n"]
)
def test_a_list_for_people_that_includes_a_file_is_no_lock(bench, text):
    """What leaves something open is no lock, whatever it includes; nor is one whose included files cannot be there."""
    bench.requirements("low==1.0", name="base.txt")
    bench.write("requirements.txt", text)
    bench.ini("skip_install = true", "deps = top")
    assert bench.passes().packages() == ["low==2.0", "top==1.0"]


def test_a_lock_is_found_beside_lists_that_include_it(bench):
    """A list with hashes of its own is the lock, not those that include it."""
    bench.requirements("low==1.0")
    bench.write("requirements-dev.txt", "-r requirements.txt\n")
    bench.ini("skip_install = true")
    assert bench.passes().packages() == ["low==1.0"]


@pytest.mark.parametrize("installer", ["auto", "lockfile"])
def test_a_lock_file_decides_within_the_constraints(bench, installer):
    """Beside constraints a lock still decides, and one that breaks them is refused with both sides."""
    bench.pylock(("low", "1.0"))
    bench.write("upper.txt", "# ours\nlow<2\n")
    bench.ini("skip_install = true", f"installer = {installer}", "constraints = upper.txt")
    run = bench.passes()
    assert run.packages() == ["low==1.0"]
    assert run.environment()["wheelfarm"]["installer"] == "lockfile"
    bench.pylock(("low", "2.0"))
    said = bench.fails().said
    assert "a: failed with ConstraintsError: constraints exclude what the lock file decides:" in said
    assert f"`low == 2.0` ({bench.root / 'pylock.toml'}) against `low<2` (upper.txt line 2)" in said


def test_a_constraint_for_another_python_excludes_nothing(bench):
    """A marker that does not hold here makes a constraint nothing to the lock file."""
    bench.pylock(("low", "2.0"))
    bench.ini("skip_install = true", "constraints = low<2; python_version < '3'")
    assert bench.passes().packages() == ["low==2.0"]


def test_a_hash_of_a_constraint_excludes_what_the_lock_has(bench):
    """A constraint with a hash is held against the files of the lock file."""
    bench.pylock(("low", "2.0"))
    bench.write("upper.txt", f"low===2.0 --hash=sha256:{'0' * 64}\n")
    bench.ini("skip_install = true", "constraints = upper.txt")
    assert "a: failed with ConstraintsError: " in bench.fails().said


@pytest.mark.parametrize("name", ["requirements-lint.txt", "pylock.lint.toml"])
def test_a_lock_for_something_else_need_not_hold_the_project(bench, name):
    """An environment without the project installs its own list; with the project, it would be stale."""
    bench.project("low<2")
    if name.endswith(".txt"):
        bench.requirements("linter==1.0", name=name)
    else:
        bench.pylock(("linter", "1.0"), name=name)
    bench.ini("skip_install = true", "installer = lockfile", f"lockfile = {name}")
    assert bench.passes().packages() == ["linter==1.0"]
    bench.ini("package = wheel", "installer = lockfile", f"lockfile = {name}")
    assert "a: failed with StaleLockError: " in bench.fails().said


def test_the_projects_own_list_is_held_against_it_without_the_project(bench):
    """A pylock.toml is the project's, so that one without what the project needs is stale wherever it decides."""
    bench.project("low<2")
    bench.pylock(("linter", "1.0"))
    bench.ini("skip_install = true")
    assert "a: failed with StaleLockError: " in bench.fails().said


@pytest.mark.parametrize(
    "line", ['low; python_version == "3.10"', "low  # == 1.0", "low>=1  # me@example.org", "low==1.*"]
)
def test_a_list_that_leaves_a_line_open_is_no_lock(bench, index, line):
    """Though a list that it includes has hashes, and it has a `==` or an `@` somewhere."""
    index.release("low", "1.0")
    bench.requirements("low==1.0", name="base.txt")
    bench.write("requirements.txt", f"-r base.txt\n{line}\n")
    bench.ini("skip_install = true", "deps = low")
    assert bench.passes().packages() == ["low==2.0"]


def test_only_requirements_txt_is_a_lock_by_what_it_includes(bench, index):
    """A second list of that kind beside it, for developers, is not a second lock."""
    index.release("low", "1.0")
    bench.requirements("low==1.0", name="base.txt")
    bench.write("requirements.txt", "-r base.txt\n")
    bench.write("requirements-dev.txt", "-r base.txt\nlow==1.0\n")
    bench.ini("skip_install = true")
    assert bench.passes().packages() == ["low==1.0"]
