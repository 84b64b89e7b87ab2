"""poetry.lock beyond what its export can tell: names, places, refusals, staleness, and hostile files."""

import re
import shutil
import tomllib
from dataclasses import replace

import pytest

from tox_wheelfarm.errors import (
    ExtraNotFoundError,
    LockedDepNotFoundError,
    LockFileError,
    RequiresUnsafeDepError,
)
from tox_wheelfarm.locks.pin import PinnedFile
from tox_wheelfarm.locks.poetry import PoetryLock
from tox_wheelfarm.locks.wish import Wish

from . import recorded

FOLDERS = ["poetry-1.0", "poetry-1.1", "poetry-1.8", "poetry-2.1", "poetry-2.1-standard"]
NAMES = Wish(project=False)
HEAD = '[metadata]\nlock-version = "2.1"\npython-versions = ">=3.9"\ncontent-hash = "0"\n'


@pytest.fixture(params=FOLDERS)
def lock(request):
    """A lock of each generation."""
    return recorded.lock(PoetryLock, request.param, "poetry.lock")


def read(tmp_path, text, project="[project]\nname = 'me'\n"):
    """A poetry.lock of this text, beside this pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text(project)
    return PoetryLock.read(tmp_path / "poetry.lock", text.encode())


def package(name, version, more="", groups='["main"]'):
    """A `[[package]]` of generation 2.1."""
    return (
        f'[[package]]\nname = "{name}"\nversion = "{version}"\noptional = false\npython-versions = ">=3.9"\n'
        f"groups = {groups}\nfiles = []\n{more}\n"
    )


def test_a_name_brings_what_it_needs_and_nothing_else(lock):
    """A locked dependency comes with its own dependencies, without the project's."""
    pins = lock.select(recorded.target("3.10"), replace(NAMES, names=("pytest",)))
    found = {pin.name for pin in pins}
    assert {"pytest", "pluggy", "iniconfig", "packaging", "tomli" if "tomli" in found else "toml"} <= found
    assert not {"requests", "platformdirs", "click"} & found


def test_a_misspelt_name_is_refused_with_the_nearest(lock):
    """A name that is not in the lock is an error that names what is near, never skipped."""
    with pytest.raises(LockedDepNotFoundError, match=r"no pytst; did you mean .*pytest"):
        lock.select(recorded.target(), replace(NAMES, names=("pytst",)))


def test_a_name_for_another_platform_is_refused(lock):
    """A name that the lock has only for other platforms is told from one that it does not have."""
    with pytest.raises(
        LockedDepNotFoundError, match=r"has appnope, but not for this interpreter and platform"
    ):
        lock.select(recorded.target(), replace(NAMES, names=("appnope",)))


def test_an_unknown_extra_is_refused(lock):
    """An extra that the project does not have is an error that lists those it has."""
    with pytest.raises(ExtraNotFoundError, match=r"no extra 'clo'; it has: .*cli"):
        lock.select(recorded.target(), Wish(extras=frozenset({"clo"})))


def test_an_unknown_group_is_refused(lock):
    """A dependency group that the project does not have is an error that lists those it has."""
    with pytest.raises(ExtraNotFoundError, match=r"no dependency group 'devel'; it has: .*dev"):
        lock.select(recorded.target(), Wish(groups=frozenset({"devel"})))


def test_development_dependencies_are_all_groups(lock):
    """`dev` selects every group beside the project's own dependencies."""
    every = frozenset(lock.contents.groups - {"main"})
    assert lock.select(recorded.target(), Wish(dev=True)) == lock.select(
        recorded.target(), Wish(groups=every)
    )


def test_one_version_of_several_is_selected(lock):
    """Of two versions for different Pythons each environment gets its own."""
    old = recorded.versions(lock.select(recorded.target("3.9"), Wish()))
    new = recorded.versions(lock.select(recorded.target("3.13"), Wish()))
    assert old["platformdirs"] < new["platformdirs"]


def test_an_extra_of_a_dependency_is_on_its_pin(lock):
    """What is asked of a dependency (`requests[socks]`) is told, with what it needs for that."""
    pin = {one.name: one for one in lock.select(recorded.target(), Wish())}["requests"]
    assert pin.extras == {"socks"}
    assert {"pysocks", "urllib3"} <= set(pin.requires)


def test_every_pin_has_hashes_of_its_own_version(lock):
    """Each pin has files with SHA-256, none of another version of its name."""
    for python in ("3.9", "3.12"):
        for pin in lock.select(recorded.target(python), Wish(dev=True)):
            assert pin.hashes
            assert all(pin.version in file.name for file in pin.files)


def test_it_is_fresh_for_its_own_project(lock):
    """The hash that each poetry wrote is the hash of its pyproject.toml."""
    assert lock.differences(recorded.project(lock.path.parent.name)) == ()


def test_a_python_that_the_lock_is_not_for_is_refused(lock):
    """An interpreter outside of the lock's range is an error with both sides."""
    old = recorded.target("3.9")
    environment = {**old.environment, "python_version": "3.8", "python_full_version": "3.8.18"}
    with pytest.raises(
        LockFileError, match=r"is for python .*3\.9.*, and this environment has Python 3\.8\.18"
    ):
        lock.select(replace(old, environment=environment), Wish())


EDITS = [
    ('version = "^2.28"', 'version = "^99"', "asks for requests ^99; poetry.lock has 2."),
    (
        "[tool.poetry.extras]",
        'nowhere = "*"\n[tool.poetry.extras]',
        "asks for nowhere, which poetry.lock does not have",
    ),
    ('Jinja2 = "^3.1"', "", "poetry.lock has jinja2, which nothing asks for any more"),
    (
        'cli = ["click", "rich"]',
        'terminal = ["click", "rich"]',
        "has the extra 'terminal', which poetry.lock does not",
    ),
    ('python = ">=3.9"', 'python = ">=3.10"', "is for Python >=3.10; poetry.lock was made for >=3.9"),
    ('priority = "primary"', 'priority = "supplemental"', "its content-hash differs"),
    ('priority = "primary"', 'priority = "supplemental"', "what poetry hashes (tool.poetry.dependencies, "),
]


@pytest.mark.parametrize(("before", "after", "told"), EDITS)
@pytest.mark.parametrize("folder", ["poetry-1.8", "poetry-2.1"])
def test_a_stale_lock_says_what_differs(folder, before, after, told):
    """A change of pyproject.toml is told as what it changes, one sentence each."""
    lock = recorded.lock(PoetryLock, folder, "poetry.lock")
    text = (recorded.FILES / folder / "pyproject.toml").read_text()
    assert before in text
    project = replace(recorded.project(folder), document=tomllib.loads(text.replace(before, after)))
    assert any(told in line for line in lock.differences(project)), lock.differences(project)


def test_places_become_direct_references():
    """Repositories, archives, files and folders are references; an index of one's own is a release like others."""
    lock = recorded.lock(PoetryLock, "poetry-2.1-sources", "poetry.lock")
    pins = {pin.name: pin for pin in lock.select(recorded.target(), Wish())}
    root = recorded.FILES / "poetry-2.1-sources"
    assert pins["toy-archive"].reference == "http://127.0.0.1:8765/toy_archive-1.0-py3-none-any.whl"
    assert pins["toy-archive"].hashes
    assert pins["toy-file"].reference == str(root / "lib/toy_file-1.0-py3-none-any.whl")
    assert (pins["toy-folder"].reference, pins["toy-folder"].editable) == (str(root / "lib/toy_folder"), True)
    repository = pins["toy-repository"]
    # The host is poetry's own invention, for a URL that has none.
    assert re.fullmatch(
        r"git\+file://None/tmp/wheelfarm-toys/toy_repository@[0-9a-f]{40}", repository.reference
    )
    assert repository.subdirectory == "below"
    assert (pins["toy-private"].reference, pins["toy-private"].version) == ("", "1.0")


def test_an_old_lock_without_a_project_is_refused(tmp_path):
    """A lock that needs pyproject.toml to be followed says so when there is none."""
    shutil.copy(recorded.FILES / "poetry-1.8/poetry.lock", tmp_path)
    lock = PoetryLock.read(tmp_path / "poetry.lock", (tmp_path / "poetry.lock").read_bytes())
    with pytest.raises(LockFileError, match=r"no pyproject\.toml beside it"):
        lock.select(recorded.target(), Wish())


def test_setuptools_that_is_not_locked_is_told_by_name(tmp_path):
    """Poetry 1.1 leaves setuptools out of its lock: what needs it is refused, not installed with any version."""
    text = (
        '[[package]]\nname = "a"\nversion = "1"\ncategory = "main"\noptional = false\npython-versions = "*"\n'
        '[package.dependencies]\nsetuptools = ">=40"\n[metadata]\nlock-version = "1.1"\n'
        'python-versions = "*"\ncontent-hash = "0"\n[metadata.files]\na = []\n'
    )
    lock = read(
        tmp_path, text, '[tool.poetry]\nname = "me"\n[tool.poetry.dependencies]\npython = "*"\na = "*"\n'
    )
    with pytest.raises(RequiresUnsafeDepError, match=r"a needs setuptools \(>=40\), and gives no version"):
        lock.select(recorded.target(), Wish())


def test_two_versions_that_no_requirement_decides_are_refused(tmp_path):
    """Two versions of one name for one environment are an error that names both."""
    project = "[project]\nname = 'me'\ndependencies = ['a<2']\n[dependency-groups]\ndev = ['a>=2']\n"
    lock = read(tmp_path, package("a", "1.0") + package("a", "2.0", groups='["dev"]') + HEAD, project)
    assert recorded.versions(lock.select(recorded.target(), Wish())) == {"a": "1.0"}
    with pytest.raises(LockFileError, match=r"two versions of a, 1\.0 and 2\.0, and no single one satisfies"):
        lock.select(recorded.target(), Wish(dev=True))


def test_groups_that_include_each_other_end(tmp_path):
    """Groups and extras that include each other, many times over, are read once each."""
    names = [f"g{number}" for number in range(200)]
    groups = "".join(
        f"{name} = ['a', {{include-group = '{other}'}}, {{include-group = '{other}'}}]\n"
        for name, other in zip(names, [*names[1:], names[0]], strict=True)
    )
    extras = "".join(
        f"{name} = ['a', 'me[{other}]', 'me[{other}]']\n"
        for name, other in zip(names, [*names[1:], names[0]], strict=True)
    )
    project = (
        f"[project]\nname = 'me'\n[project.optional-dependencies]\n{extras}[dependency-groups]\n{groups}"
    )
    lock = read(tmp_path, package("a", "1.0", groups='["g0"]') + HEAD, project)
    wish = Wish(groups=frozenset({"g0"}), extras=frozenset({"g5"}))
    assert recorded.versions(lock.select(recorded.target(), wish)) == {"a": "1.0"}


def test_the_project_may_be_given(tmp_path):
    """A pyproject.toml that is given is used instead of the one beside the lock."""
    text = (recorded.FILES / "poetry-1.8/poetry.lock").read_bytes()
    lock = PoetryLock.read(tmp_path / "poetry.lock", text, recorded.project("poetry-1.8").document)
    assert "requests" in recorded.versions(lock.select(recorded.target(), Wish()))


def test_a_name_may_ask_for_extras(lock):
    """`requests[socks]` as a locked dependency brings what the extra needs; `requests` does not."""
    with_socks = lock.select(recorded.target(), replace(NAMES, names=("requests[socks]",)))
    without = lock.select(recorded.target(), replace(NAMES, names=("requests",)))
    assert set(recorded.versions(with_socks)) - set(recorded.versions(without)) == {"pysocks"}


def test_a_weak_hash_is_no_hash(tmp_path):
    """An md5, which no installer takes, leaves the file without hashes."""
    more = f'files = [{{file = "a-1.0.tar.gz", hash = "md5:{"0" * 32}"}}]'
    lock = read(tmp_path, package("a", "1.0").replace("files = []", more) + HEAD)
    assert lock.select(recorded.target(), Wish())[0].files == (PinnedFile("a-1.0.tar.gz", ()),)


SOURCE = '[package.source]\ntype = "{}"\nurl = "{}"\nreference = "main"\nresolved_reference = "{}"\n'
COMMIT = "0123456789" * 4
HOSTILE = [
    ("[metadata", "poetry.lock is not TOML"),
    ("a = " + "[" * 100_000, "poetry.lock is not TOML"),
    ("[metadata]\n", "poetry did not write it"),
    (HEAD.replace("2.1", "9.0"), "lock-version '9.0' is not known"),
    (package("a --pre", "1") + HEAD, "'a --pre' is no name"),
    (package("a", "1; rm -rf /") + HEAD, "is no version"),
    (package("a", "") + HEAD, "has no version"),
    (package("a", "1", 'markers = "__import__(1)"') + HEAD, "is no marker"),
    (package("a", "1", 'markers = "' + "(" * 5000 + '"') + HEAD, "is no marker"),
    (package("a", "1").replace("files = []", 'files = [{file = "../../x.whl"}]') + HEAD, "is no file name"),
    (package("a", "1").replace("files = []", 'files = [{file = "a.whl", hash = "x"}]') + HEAD, "is no hash"),
    (package("a", "1", SOURCE.format("git", "https://h/r", "main")) + HEAD, "'main' is not a full commit"),
    (package("a", "1", SOURCE.format("git", "ext::sh -c x", COMMIT)) + HEAD, "is no URL"),
    (package("a", "1", SOURCE.format("git", "ssh://-oProxyCommand=x/r", COMMIT)) + HEAD, "is no URL"),
    (package("a", "1", SOURCE.format("url", "javascript:x", "")) + HEAD, "is no URL"),
    (package("a", "1", SOURCE.format("directory", "-e x", "")) + HEAD, "is no path"),
    (package("a", "1", SOURCE.format("hg", "https://h", "")) + HEAD, "source type 'hg' is not known"),
    (
        package("a", "1").replace("optional = false", "groups = 1").replace('groups = ["main"]\n', "") + HEAD,
        "not a list",
    ),
]


@pytest.mark.parametrize(("text", "told"), HOSTILE)
def test_a_hostile_lock_is_one_sentence(tmp_path, text, told):
    """What poetry would not write is refused with one short sentence that says where."""
    with pytest.raises(LockFileError, match=told) as caught:
        read(tmp_path, text)
    assert "poetry.lock" in str(caught.value)
    assert len(str(caught.value)) < 400
