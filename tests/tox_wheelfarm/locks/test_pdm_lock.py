"""pdm.lock beyond what its export can tell: names, places, targets, refusals, staleness, and hostile files."""

import tomllib
from dataclasses import replace

import pytest

from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks.pdm import PdmLock
from tox_wheelfarm.locks.wish import Wish

from . import recorded

FOLDERS = ["pdm", "pdm-graph", "pdm-targets", "pdm-2.0"]
NAMES = Wish(project=False)
HEAD = (
    '[metadata]\ngroups = ["default"]\nstrategy = ["inherit_metadata"]\n'
    'lock_version = "4.5.0"\ncontent_hash = "sha256:0"\n'
)


@pytest.fixture(params=FOLDERS)
def lock(request):
    """A lock of each kind."""
    return recorded.lock(PdmLock, request.param, "pdm.lock")


def read(tmp_path, text, project="[project]\nname = 'me'\n"):
    """A pdm.lock of this text, beside this pyproject.toml."""
    (tmp_path / "pyproject.toml").write_text(project)
    return PdmLock.read(tmp_path / "pdm.lock", text.encode())


def package(name, more="", groups='["default"]', version='version = "1.0"'):
    """A `[[package]]` of a flat lock."""
    return f'[[package]]\nname = "{name}"\n{version}\ngroups = {groups}\n{more}\n'


def test_a_name_brings_what_it_needs_and_nothing_else(lock):
    """A locked dependency comes with its own dependencies, without the project's."""
    found = {pin.name for pin in lock.select(recorded.target(), replace(NAMES, names=("pytest",)))}
    assert {"pytest", "pluggy", "iniconfig", "packaging"} <= found
    assert not {"requests", "platformdirs", "click"} & found


def test_a_misspelt_name_is_refused_with_the_nearest(lock):
    """A name that is not in the lock is an error that names what is near, never skipped."""
    with pytest.raises(LockedDepNotFoundError, match=r"no pytst; did you mean .*pytest"):
        lock.select(recorded.target(), replace(NAMES, names=("pytst",)))


def test_a_name_for_another_platform_is_refused(lock):
    """A name that the lock has only for other platforms is told from one that it does not have."""
    with pytest.raises(
        LockedDepNotFoundError, match="has appnope, but not for this interpreter and platform"
    ):
        lock.select(recorded.target(), replace(NAMES, names=("appnope",)))


def test_an_unknown_extra_or_group_is_refused(lock):
    """An extra or group that the lock was not made for is an error that lists those it has."""
    with pytest.raises(ExtraNotFoundError, match=r"no extra 'clo'; it has: .*cli"):
        lock.select(recorded.target(), Wish(extras=frozenset({"clo"})))
    with pytest.raises(ExtraNotFoundError, match=r"no dependency group 'devel'; it has: .*test"):
        lock.select(recorded.target(), Wish(groups=frozenset({"devel"})))


def test_development_dependencies_are_no_extras(lock):
    """`dev` selects every development group, and no extra."""
    found = recorded.versions(lock.select(recorded.target(), Wish(dev=True)))
    assert "pytest" in found
    assert not {"click", "rich", "h2"} & set(found)


def test_an_extra_of_a_dependency_brings_its_own(lock):
    """An entry with extras (`requests[socks]`) is the release itself, with what it needs for that."""
    pins = lock.select(recorded.target(), Wish())
    assert len({pin.name for pin in pins}) == len(pins)
    pin = {one.name: one for one in pins}["requests"]
    assert pin.extras == {"socks"}
    assert {"pysocks", "urllib3"} <= set(pin.requires)


def test_every_pin_has_hashes_of_its_own_version(lock):
    """Each pin has files with SHA-256, none of another version of its name."""
    for pin in lock.select(recorded.target(), Wish(dev=True)):
        assert pin.hashes
        assert all(pin.version in file.name for file in pin.files)


def test_it_is_fresh_for_its_own_project(lock):
    """The hash that each pdm wrote is the hash of its pyproject.toml."""
    assert lock.differences(recorded.project(lock.path.parent.name)) == ()


def test_urls_of_files_are_kept(lock):
    """Where a lock has URLs of its files (`static_urls`), they are on the pins."""
    urls = [file.url for pin in lock.select(recorded.target(), Wish()) for file in pin.files]
    assert all(urls) if lock.path.parent.name in {"pdm-targets", "pdm-2.0"} else not any(urls)


def test_another_target_is_refused():
    """A lock that was made for some targets selects for those, and refuses the others by name."""
    lock = recorded.lock(PdmLock, "pdm-targets", "pdm.lock")
    old = recorded.versions(lock.select(recorded.target("3.9", "darwin"), Wish()))
    new = recorded.versions(lock.select(recorded.target("3.13"), Wish()))
    assert old["platformdirs"] < new["platformdirs"]
    assert "colorama" in recorded.versions(lock.select(recorded.target("3.12", "win32"), Wish(dev=True)))
    with pytest.raises(
        LockFileError, match=r"other environments than Python 3\.13\.0 on win32 .*windows_amd64"
    ):
        lock.select(recorded.target("3.13", "win32"), Wish())


EDITS = [
    ("requests[socks]>=2.28", "requests[socks]>=99", "asks for requests >=99; pdm.lock has 2."),
    (
        "dependencies = [",
        'dependencies = [\n"nowhere>=1",',
        "asks for nowhere >=1, which pdm.lock does not have",
    ),
    ("appnope; sys_platform == 'darwin'", "idna", "pdm.lock has appnope, which nothing asks for any more"),
    ("cli = [", "terminal = [", "made for the group 'cli', which pyproject.toml does not have"),
    ('requires-python = ">=3.9"', 'requires-python = ">=3.10"', "its content_hash differs"),
]


@pytest.mark.parametrize(("before", "after", "told"), EDITS)
def test_a_stale_lock_says_what_differs(before, after, told):
    """A change of pyproject.toml is told as what it changes, one sentence each."""
    lock = recorded.lock(PdmLock, "pdm", "pdm.lock")
    text = (recorded.FILES / "pdm/pyproject.toml").read_text()
    assert before in text
    project = replace(recorded.project("pdm"), document=tomllib.loads(text.replace(before, after, 1)))
    assert any(told in line for line in lock.differences(project)), lock.differences(project)


def test_places_become_direct_references():
    """Repositories, archives, files and folders are references."""
    lock = recorded.lock(PdmLock, "pdm-sources", "pdm.lock")
    pins = {pin.name: pin for pin in lock.select(recorded.target(), Wish(dev=True))}
    root = recorded.FILES / "pdm-sources"
    assert pins["toy-archive"].reference == "http://127.0.0.1:8765/toy_archive-1.0-py3-none-any.whl"
    assert pins["toy-archive"].hashes
    assert pins["toy-file"].reference == str(root / "lib/toy_file-1.0-py3-none-any.whl")
    assert (pins["toy-folder"].reference, pins["toy-folder"].editable) == (str(root / "lib/toy_folder"), True)
    repository = pins["toy-repository"]
    assert repository.reference.startswith("git+http://127.0.0.1:8765/toy_repository.git@")
    assert (len(repository.reference.rpartition("@")[2]), repository.subdirectory) == (40, "below")
    assert lock.differences(recorded.project("pdm-sources")) == ()


HOSTILE = [
    ("[metadata", "pdm.lock is not TOML"),
    ("[metadata]\n", "lock_version is none"),
    (HEAD.replace("4.5.0", "9.0"), "lock_version is '9.0'"),
    (package("a", 'files = [{file = "a.whl; x"}]') + HEAD, "is no file name"),
    (package("a", "marker = \"os.system('x')\"") + HEAD, "is no marker"),
    (package("a", 'dependencies = ["b @ "]') + HEAD, "is no requirement"),
    (package("a", version="") + HEAD, "neither a version nor a place"),
    (package("a", 'git = "https://h/r"\nrevision = "v1"') + HEAD, "'v1' is not a full commit"),
    (package("a", 'git = "--upload-pack=x"\nrevision = "' + "0" * 40 + '"') + HEAD, "is no path"),
    (package("a", 'hg = "https://h/r"') + HEAD, "a repository of hg"),
    (package("a", 'url = "https://h/a.whl --index-url=x"') + HEAD, "is no URL"),
    (package("a", 'requires_python = "old"') + HEAD, "is no range of Python versions"),
]


@pytest.mark.parametrize(("text", "told"), HOSTILE)
def test_a_hostile_lock_is_one_sentence(tmp_path, text, told):
    """What pdm would not write is refused with one short sentence that says where."""
    with pytest.raises(LockFileError, match=told) as caught:
        read(tmp_path, text)
    assert "pdm.lock" in str(caught.value)
    assert len(str(caught.value)) < 400
