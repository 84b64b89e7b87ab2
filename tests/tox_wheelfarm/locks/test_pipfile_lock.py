"""Pipfile.lock: what pipenv exports and installs, what is refused, what a changed Pipfile is told, hostile files."""

import json
import tomllib
from dataclasses import replace

import pytest
from hypothesis import given, strategies

from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks.pipfile import PipfileLock
from tox_wheelfarm.locks.wish import Wish

from . import recorded

FOLDERS = ["pipfile", "pipfile-2022", "pipfile-2026", "pipfile-sources"]
LOCKS = {folder: recorded.lock(PipfileLock, folder, "Pipfile.lock") for folder in FOLDERS}
EXPORTS = [(folder, name) for folder in ("pipfile", "pipfile-2026") for name in recorded.wishes(folder)]
INSTALLS = [one for one in recorded.installs() if one[0] in FOLDERS]
UNMARKED = {"appnope"}
"""What pipenv 2026 could not pin on Linux; its lock lost the marker, its Pipfile has it."""


@given(strategies.sampled_from(EXPORTS), recorded.targets)
def test_it_selects_what_pipenv_exports(export, target):
    """For any environment, the set is what pipenv exports, or a refusal of what it would leave out or not pin."""
    folder, name = export
    said = recorded.exported(folder, name, target.environment)
    loose = {one for one, versions in said.items() if versions == {""}}
    found, refused = {}, ""
    try:
        found = recorded.versions(LOCKS[folder].select(target, recorded.wish(name, set())))
    except LockFileError as error:
        refused = str(error)
    left_out = UNMARKED if folder == "pipfile-2026" else set()
    # The newer one was made with 3.12, and leaves out what has no release for these.
    gaps = target.environment["python_version"] in {"3.9", "3.10"} and folder == "pipfile-2026"
    if refused:
        assert gaps or any(f": {one} has no exact version" in refused for one in loose)
    else:
        assert {one: {version} for one, version in found.items()} == {
            one: versions for one, versions in said.items() if one not in left_out
        }


@pytest.mark.parametrize(("folder", "python", "name"), INSTALLS)
def test_it_selects_what_pipenv_installs(folder, python, name):
    """On Linux, the set is what pipenv's sync put into an environment."""
    had = recorded.installed(folder, python, name)
    found = recorded.versions(LOCKS[folder].select(recorded.target(python), recorded.wish(name, set())))
    left_out = UNMARKED if folder == "pipfile-2026" else set()
    assert found == {one: version for one, version in had.items() if one not in left_out}


def test_every_folder_was_recorded():
    """There are exports and installs to agree with."""
    assert (
        {folder for folder, _ in EXPORTS}
        == {folder for folder, _, _ in INSTALLS}
        == {"pipfile", "pipfile-2026"}
    )


def test_what_has_no_version_is_refused_where_it_is_needed():
    """`"version": "*"` is an error on a platform that needs it, and none elsewhere."""
    lock = LOCKS["pipfile-2026"]
    assert lock.select(recorded.target("3.12"), Wish())
    with pytest.raises(LockFileError, match="appnope has no exact version, and this environment needs it"):
        lock.select(recorded.target("3.12", "darwin"), Wish())


def test_what_the_lock_would_leave_out_is_refused():
    """A Python that the locked releases are not for is an error, where pipenv leaves them out without a word."""
    with pytest.raises(LockFileError, match=r"platformdirs is locked only where python_version >= '3\.11'"):
        LOCKS["pipfile-2026"].select(recorded.target("3.10"), Wish())


def test_another_python_than_required_is_refused():
    """A lock for one Python (`requires`) is refused on another."""
    lock = LOCKS["pipfile-2022"]
    assert lock.select(recorded.target("3.9"), Wish())
    with pytest.raises(LockFileError, match=r"is for Python 3\.9, and this environment has 3\.12"):
        lock.select(recorded.target("3.12"), Wish())


@pytest.mark.parametrize("groups", [{"develop"}, {"dev"}, {"dev-packages"}])
def test_the_development_category_has_several_names(groups):
    """`develop`, `dev` and the Pipfile's own `dev-packages` are one category; `dev` selects all but the default."""
    lock = LOCKS["pipfile"]
    found = recorded.versions(
        lock.select(recorded.target("3.9"), Wish(project=False, groups=frozenset(groups)))
    )
    assert "pytest" in found
    assert "requests" not in found
    every = recorded.versions(lock.select(recorded.target("3.9"), Wish(project=False, dev=True)))
    assert {"pytest", "markdown-it-py"} <= set(every)


def test_unknown_categories_extras_and_names_are_refused():
    """What is not in it is named, with what is; a name that is there cannot be followed, and the message says why."""
    lock = LOCKS["pipfile"]
    with pytest.raises(ExtraNotFoundError, match=r"no category 'doc'; it has: default, develop, docs"):
        lock.select(recorded.target(), Wish(groups=frozenset({"doc"})))
    with pytest.raises(ExtraNotFoundError, match="no extra 'cli'; it knows none"):
        lock.select(recorded.target(), Wish(extras=frozenset({"cli"})))
    with pytest.raises(LockedDepNotFoundError, match="no pytst; did you mean pytest"):
        lock.select(recorded.target(), Wish(names=("pytst",)))
    with pytest.raises(LockedDepNotFoundError, match="has appnope, but not for this"):
        lock.select(recorded.target(), Wish(names=("appnope",)))
    with pytest.raises(LockFileError, match="does not tell what pytest needs"):
        lock.select(recorded.target(), Wish(names=("pytest",)))


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_is_fresh_for_its_own_pipfile(folder):
    """The hash that each pipenv wrote is the hash of its Pipfile."""
    assert LOCKS[folder].differences(recorded.project(folder)) == ()


EDITS = [
    ('version = ">=2.28"', 'version = ">=99"', "asks for requests >=99 (packages); Pipfile.lock has 2."),
    ("[docs]", '[docs]\nnowhere = "*"', "asks for nowhere (docs), which Pipfile.lock does not have"),
    (
        "[docs]",
        '[requires]\npython_version = "3.12"\n[docs]',
        "requires 3.12 of python_version; Pipfile.lock was made for n",
    ),
    ("verify_ssl = true", "verify_ssl = false", "its hash differs"),
]


@pytest.mark.parametrize(("before", "after", "told"), EDITS)
def test_a_stale_lock_says_what_differs(before, after, told):
    """A change of the Pipfile is told as what it changes, one sentence each."""
    text = (recorded.FILES / "pipfile/Pipfile").read_text()
    assert before in text
    project = replace(recorded.project("pipfile"), pipfile=tomllib.loads(text.replace(before, after, 1)))
    told_now = LOCKS["pipfile"].differences(project)
    assert any(told in line for line in told_now), told_now


def test_places_become_direct_references():
    """Repositories, archives, files and folders are references; an index of one's own is a release like others."""
    pins = {pin.name: pin for pin in LOCKS["pipfile-sources"].select(recorded.target(), Wish())}
    root = recorded.FILES / "pipfile-sources"
    assert pins["toy-archive"].reference == "http://127.0.0.1:8765/toy_archive-1.0-py3-none-any.whl"
    assert pins["toy-file"].reference == str(root / "lib/toy_file-1.0-py3-none-any.whl")
    assert pins["toy-file"].hashes
    assert (pins["toy-folder"].reference, pins["toy-folder"].editable) == (str(root / "lib/toy_folder"), True)
    repository = pins["toy-repository"]
    assert repository.reference.startswith("git+file:///tmp/wheelfarm-toys/toy_repository@")
    assert (len(repository.reference.rpartition("@")[2]), repository.subdirectory) == (40, "below")
    assert (pins["toy-private"].reference, pins["toy-private"].version) == ("", "1.0")


def entry(**keys):
    """A Pipfile.lock with one entry."""
    return json.dumps({"_meta": {"pipfile-spec": 6}, "default": {"a": keys}})


HOSTILE = [
    ("{", "Pipfile.lock is not JSON"),
    ("[" * 100_000, "Pipfile.lock is not JSON"),
    ("[]", "is not a JSON object"),
    ("{}", "pipfile-spec is None"),
    (entry(version=">=1"), "is not exact"),
    (entry(version="==1 --pre"), "is no version"),
    (entry(version=1), "`version` is not a string"),
    (entry(version="==1", hashes="x"), "`hashes` is not a list"),
    (entry(version="==1", hashes=["sha256:zz"]), "is no hash"),
    (entry(version="==1", markers="x = 1"), "is no marker"),
    (entry(git="https://h/r", ref="main"), "'main' is not a full commit"),
    (entry(svn="https://h/r"), "a repository of svn"),
    (entry(path="x\u0007"), "control characters"),
    (entry(git="https://h/r", ref="0" * 40, subdirectory="../.."), "leaves the repository"),
]


@pytest.mark.parametrize(("text", "told"), HOSTILE)
def test_a_hostile_lock_is_one_sentence(tmp_path, text, told):
    """What pipenv would not write is refused with one short sentence that says where."""
    with pytest.raises(LockFileError, match=told) as caught:
        PipfileLock.read(tmp_path / "Pipfile.lock", text.encode())
    assert "Pipfile.lock" in str(caught.value)
    assert len(str(caught.value)) < 400
