"""Hashed requirements files: the format as people and tools write it, and what is refused by line."""

import pytest

from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks import platforms
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.requirements import RequirementsLock
from tox_wheelfarm.locks.wish import Wish

LINUX = platforms.target("3.12")
ONE, TWO = "sha256:" + "1a" * 32, "sha256:" + "2b" * 32
COMMIT = "0123456789" * 4


@pytest.fixture
def lock(tmp_path):
    """Reads a text as requirements.txt."""

    def read(text):
        path = tmp_path / "requirements.txt"
        path.write_text(text)
        return RequirementsLock.read(path, path.read_bytes())

    return read


def _selected(lock, target=LINUX):
    return {pin.name: pin for pin in lock.select(target, Wish())}


def test_a_line_goes_on_after_a_backslash(lock):
    """Hashes on continued lines, behind comments and in either spelling belong to their requirement."""
    text = f"# made by a tool\nSix[Fast]==1.0 ; os_name == 'posix' \\\n  --hash={ONE} \\\n  --hash {TWO}  # via x\n"
    (pin,) = _selected(lock(text)).values()
    assert (pin.name, pin.version, pin.extras, pin.hashes) == ("six", "1.0", {"fast"}, (ONE, TWO))


def test_markers_choose_between_lines(lock):
    """Of two lines of one name the one is taken whose marker holds."""
    text = "six==1.0 ; sys_platform == 'win32'\nsix==2.0 ; sys_platform != 'win32'\n"
    assert _selected(lock(text))["six"].version == "2.0"
    assert _selected(lock(text), platforms.target("3.12", "windows"))["six"].version == "1.0"


def test_two_lines_that_both_hold_are_refused(lock):
    """Two versions of one name for one interpreter are no set; the same one twice is, with all its hashes."""
    with pytest.raises(LockFileError, match=r"six twice for this interpreter: 1\.0 and 2\.0"):
        _selected(lock("six==1.0\nsix==2.0\n"))
    assert _selected(lock(f"six==1.0 --hash={ONE}\nsix==1.0 --hash={TWO}\n"))["six"].hashes == (ONE, TWO)


def test_files_include_each_other(lock, tmp_path):
    """`-r` reads a file from its own folder, once, and its bytes count for the hash of the lock."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/more.txt").write_text("-r ../requirements.txt\nattrs===23.1.0\n")
    text = "-r deep/more.txt\nsix==1.0\n"
    before = lock(text)
    assert set(_selected(before)) == {"six", "attrs"}
    (tmp_path / "deep/more.txt").write_text("attrs===23.2.0\n")
    assert lock(text).sha256 != before.sha256


def test_direct_references_keep_what_they_say(lock, tmp_path):
    """Repositories, archives, wheels and folders, named or not, become references with what is known of them."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/pyproject.toml").write_text('[project]\nname = "My_Lib"\n')
    lines = [
        f"one @ git+https://example.org/one@{COMMIT}#subdirectory=below",
        f"git+ssh://git@example.org/two.git@{COMMIT}#egg=two",
        f"three @ https://example.org/three-3.0-py3-none-any.whl#{ONE.replace(':', '=')}",
        f"https://example.org/four-4.0.tar.gz --hash={TWO}",
        "./lib",
        "-e file:///elsewhere/five",
        f"-e git+https://example.org/six@{COMMIT}#egg=six",
    ]
    pins = _selected(lock("\n".join(lines)))
    assert (pins["one"].reference, pins["one"].subdirectory) == (
        f"git+https://example.org/one@{COMMIT}",
        "below",
    )
    assert pins["two"].reference == f"git+ssh://git@example.org/two.git@{COMMIT}"
    assert (pins["three"].reference, pins["three"].version, pins["three"].hashes) == (
        "https://example.org/three-3.0-py3-none-any.whl",
        "3.0",
        (ONE,),
    )
    assert (pins["four"].version, pins["four"].hashes) == ("4.0", (TWO,))
    assert pins["my-lib"].reference == str(tmp_path / "lib")
    assert (pins["five"].reference, pins["five"].editable) == ("/elsewhere/five", True)
    assert (pins["six"].editable, pins["six"].reference) == (True, f"git+https://example.org/six@{COMMIT}")


def test_the_project_itself_is_no_pin(lock, tmp_path):
    """`-e .` in a file of the project, or of a folder below, is left to tox."""
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "own"\n')
    (tmp_path / "locks").mkdir()
    path = tmp_path / "locks/ci.txt"
    spelt = [".", "./", ".[test]", "./[test]", "file:.", "file:./", tmp_path.as_uri(), str(tmp_path)]
    lines = [*spelt, *(f"-e {each}" for each in spelt), "own @ file:.", f"own[test] @ {tmp_path.as_uri()}/"]
    for line in lines:
        assert set(_selected(lock(f"{line}\nsix==1.0\n"))) == {"six"}, line
        path.write_text(f"{line}\nsix==1.0\n")
        below = RequirementsLock.read(path, path.read_bytes()).of(Project.read(tmp_path))
        assert set(_selected(below)) == {"six"}, line


def test_a_folder_of_the_project_is_a_pin_however_it_is_written(lock, tmp_path):
    """A folder below the project, with extras or as `file:`, is one folder, and is no project of tox's."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/pyproject.toml").write_text('[project]\nname = "lib"\n')
    for line in ("./lib[one]", "-e ./lib[one]", "file:lib[one]", "-e file:./lib[one]", "lib[one] @ file:lib"):
        pin = _selected(lock(f"{line}\n"))["lib"]
        assert (pin.reference, pin.extras) == (str(tmp_path / "lib"), {"one"}), line
    below = _selected(lock(f"lib @ {tmp_path.as_uri()}#subdirectory=lib\n"))["lib"]
    assert (below.reference, below.subdirectory) == (str(tmp_path), "lib")


def test_lines_without_a_hash_are_told_exactly(lock):
    """A mixed file says which lines have no hash; a folder or a repository can have none."""
    text = f"six==1.0 --hash={ONE}\n\nattrs==23.1.0\nx @ git+https://example.org/x@{COMMIT}\nidna==3.0 # no hash\n"
    found = lock(text)
    assert [told.partition(", ")[2] for told in found.unhashed] == ["line 3: attrs", "line 5: idna"]
    assert found.hashed
    assert not lock("six==1.0\n").hashed


def test_options_of_where_to_look_are_lines_and_preferences_are_ignored(lock, tmp_path):
    """Indexes, folders and formats are told to the install, the folders absolute; preferences decide nothing."""
    text = "--index-url https://example.org\n-f links\n--no-binary=:all:\n--pre\nsix==1.0\n"
    found = lock(text)
    assert set(_selected(found)) == {"six"}
    assert found.options == (
        "--index-url https://example.org",
        f"--find-links {(tmp_path / 'links').as_uri()}",
        "--no-binary :all:",
    )
    assert len(found.ignored) == 1


@pytest.mark.parametrize("line", ["-i https://a b", "-f", "--no-index=x", "--no-binary -e"])
def test_an_option_that_could_say_more_is_refused(lock, line):
    """What stands behind an option is one word, and of its kind."""
    with pytest.raises(LockFileError):
        lock(f"{line}\nsix==1.0\n")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("six>=1.0", "decides no exact version; write six=="),
        ("six", "decides no exact version"),
        ("six==1.*", "decides no exact version"),
        ("six==1.0,==1.0.0", "decides no exact version"),
        ("six==1.0 --hash=sha256:abc", "is no hash"),
        ("six==1.0 --hash='", "is not understood"),
        ("six==1.0 --config-settings x=y", "--config-settings changes how something is built"),
        ("six==1.0 --global-option=x", "--global-option changes"),
        ("six===1.0/x", "is no version"),
        ("-c limits.txt\nsix==1.0", "its constraints would not be looked at"),
        ("--constraint=limits.txt\nsix==1.0", "its constraints would not be looked at"),
        ("--exec six", "the option '--exec' has no place"),
        ("-r https://example.org/more.txt", "is included from elsewhere"),
        ("-r more.txt", "more.txt is no file"),
        ("${SECRET}", "environment variables"),
        ("x @ https://${TOKEN}@example.org/x-1.0.tar.gz", "environment variables"),
        ("x @ git+https://example.org/x@main", "is no whole commit"),
        ("x @ git+https://example.org/x", "names no commit"),
        ("x @ git+ext::sh@" + COMMIT, "is no URL"),
        ("x @ ftp://example.org/x-1.0.tar.gz", "is no URL"),
        ("https://example.org/archive/main.zip", "does not say which package it is"),
        ("six==1.0 ; os_name", "is no requirement"),
        ("!important", "is no requirement"),
    ],
)
def test_a_line_that_is_no_lock_is_refused(lock, line, told):
    """What is not exact, not understood or could smuggle something in is refused with file and line."""
    with pytest.raises(LockFileError, match=told) as refused:
        lock(f"attrs==23.1.0\n{line}\n").select(LINUX, Wish())
    assert "requirements.txt, line 2: " in str(refused.value) or "more.txt" in str(refused.value)


def test_what_the_format_cannot_have_is_refused(lock):
    """Extras, groups and names cannot be taken from a file that is one set without edges."""
    found = lock("six==1.0\n")
    with pytest.raises(ExtraNotFoundError, match="no extra 'web'; it has none"):
        found.select(LINUX, Wish(extras=frozenset({"web"})))
    with pytest.raises(ExtraNotFoundError, match="no group 'dev'"):
        found.select(LINUX, Wish(groups=frozenset({"dev"})))
    with pytest.raises(LockFileError, match="does not say what six needs"):
        found.select(LINUX, Wish(names=("six",)))
    with pytest.raises(LockedDepNotFoundError, match="near: six"):
        found.select(LINUX, Wish(names=("sixx",)))
    assert found.select(LINUX, Wish(project=False)) == ()


def test_a_requirement_that_no_line_satisfies_is_stale(lock, tmp_path):
    """A dependency of the project that is missing or pinned outside of its range is told, a conditional one is not."""
    needs = '"six>=1", "attrs>=24", "idna", "colorama; sys_platform == \'win32\'", "Flask"'
    (tmp_path / "pyproject.toml").write_text(f'[project]\nname = "own"\ndependencies = [{needs}]\n')
    found = lock("six==1.0\nattrs==23.1.0\nflask @ https://example.org/flask-1.0.tar.gz\n")
    assert found.differences(Project.read(tmp_path)) == (
        "dependencies: requirements.txt has attrs 23.1.0, the project asks for attrs>=24",
        "dependencies: idna is not in requirements.txt",
    )
