"""uv.lock: what is asked of it, what it refuses, and what a hostile one cannot do."""

import pytest

from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks import files, platforms
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.uv_lock import UvLock
from tox_wheelfarm.locks.wish import Wish

LINUX = platforms.target("3.12")
SHA = "ab" * 32
LOCK = f"""
version = 1
requires-python = ">=3.9"

[[package]]
name = "toy"
version = "1.0"
source = {{ virtual = "." }}
dependencies = [{{ name = "six" }}]

[[package]]
name = "six"
version = "1.17.0"
source = {{ registry = "https://pypi.org/simple" }}
wheels = [{{ url = "https://example.org/six-1.17.0-py2.py3-none-any.whl", hash = "sha256:{SHA}" }}]
"""


def _names(pins):
    return {pin.name for pin in pins}


def _select(tmp_path, text):
    return UvLock.read(tmp_path / "uv.lock", text.encode()).select(LINUX, Wish())


def test_a_name_brings_what_it_needs(committed, read):
    """A locked dependency comes with everything below it, and without the project's other dependencies."""
    pins = read(committed("uv_web")).select(LINUX, Wish(project=False, names=("requests",)))
    assert _names(pins) == {"requests", "certifi", "charset-normalizer", "idna", "urllib3"}


def test_a_name_is_found_in_a_group_that_is_not_asked_for(committed, read):
    """A locked dependency that only a dependency group has is taken from there."""
    pins = read(committed("uv_web")).select(LINUX, Wish(project=False, names=("pytest",)))
    assert {"pytest", "pluggy", "iniconfig", "packaging", "pygments"} == _names(pins)


def test_a_name_follows_the_extra_that_is_asked_for(committed, read):
    """Of two conflicting versions a name is the one that the chosen extra brings."""
    lock = read(committed("uv_conflicts"))
    for extra, version in (("cpu", "23.1.0"), ("gpu", "24.1.0")):
        pins = lock.select(LINUX, Wish(extras=frozenset({extra}), names=("attrs",)))
        assert [pin.version for pin in pins if pin.name == "attrs"] == [version]


def test_a_misspelt_name_is_not_found(committed, read):
    """A name that is not in the lock is an error with the nearest ones."""
    with pytest.raises(LockedDepNotFoundError, match=r"locked_deps: reqests .*near: requests"):
        read(committed("uv_web")).select(LINUX, Wish(names=("reqests",)))


def test_a_name_of_another_platform_is_not_found(committed, read):
    """A release that is only for Windows is not found on Linux, and the message says why."""
    wish = Wish(names=("pywin32",))
    with pytest.raises(LockedDepNotFoundError, match="not for this interpreter and platform"):
        read(committed("uv_web")).select(LINUX, wish)
    assert "pywin32" in _names(read(committed("uv_web")).select(platforms.target("3.12", "windows"), wish))


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        (Wish(extras=frozenset({"wbe"})), "no extra 'wbe'; it has all, docs, empty, web"),
        (Wish(project=False, extras=frozenset({"wbe"})), "no extra 'wbe'"),
        (Wish(groups=frozenset({"tests"})), "no group 'tests'; it has dev, lint, nothing-at-all, self"),
    ],
)
def test_an_unknown_extra_or_group_is_refused(committed, read, wish, told):
    """An extra or group that the project has not is an error that names those that it has."""
    with pytest.raises(ExtraNotFoundError, match=told):
        read(committed("uv_web")).select(LINUX, wish)


def test_dev_is_every_group(committed, read):
    """Every development dependency is every dependency group."""
    lock = read(committed("uv_web"))
    assert lock.select(LINUX, Wish(dev=True)) == lock.select(LINUX, Wish(groups=lock.groups))


def test_nothing_asked_for_is_nothing(committed, read):
    """Without the project, groups and names the set is empty."""
    assert read(committed("uv_web")).select(LINUX, Wish(project=False)) == ()


@pytest.mark.parametrize(
    ("project", "target", "told"),
    [
        ("uv_web", platforms.target("3.8"), "is for Python >=3.9, and this is 3.8.0"),
        ("uv_forks", platforms.target("3.15"), "is for Python >=3.10, <3.15"),
        ("uv_forks", platforms.target("3.12", "macos"), "is not for this platform"),
    ],
)
def test_a_target_that_the_lock_is_not_for_is_refused(committed, read, project, target, told):
    """A Python or platform outside of what was locked is an error that says what the lock is for."""
    with pytest.raises(LockFileError, match=told):
        read(committed(project)).select(target, Wish())


def test_declared_conflicts_are_refused(committed, read):
    """Two extras that the lock declares to conflict cannot be asked for together."""
    with pytest.raises(LockFileError, match=r"'cpu' of either-or and the extra 'gpu' of either-or conflict"):
        read(committed("uv_conflicts")).select(LINUX, Wish(extras=frozenset({"cpu", "gpu"})))


def test_every_kind_of_source_has_its_form(committed, read):
    """Folders, files, archives, repositories and flat indexes become what an installer can take."""
    root = committed("uv_sources")
    pins = {pin.name: pin for pin in read(root).select(LINUX, Wish())}
    editable, folder = pins["toy-editable"], pins["toy-folder"]
    assert (editable.reference, editable.editable, editable.version) == (str(root / "editable"), True, "")
    assert (folder.reference, folder.editable, folder.version) == (str(root / "folder"), False, "1.5")
    wheel = pins["toy-wheel"]
    assert wheel.reference == (root / "wheels/toy_wheel-1.0-py3-none-any.whl").as_uri()
    assert len(wheel.hashes) == 1
    assert pins["toy-flat"].reference == (root / "flat/toy_flat-2.0-py3-none-any.whl").as_uri()
    assert pins["idna"].reference.startswith("https://files.pythonhosted.org/")
    assert pins["toy-repository"].reference.startswith("git+file:///tmp/wheelfarm-locks/repository@739c299c")
    assert pins["toy-repository"].subdirectory == "below"
    assert pins["attrs"].index == "https://pypi.org/simple"
    assert {file.name for file in pins["attrs"].files} == {
        "attrs-25.4.0.tar.gz",
        "attrs-25.4.0-py3-none-any.whl",
    }


def test_the_lock_of_a_workspace_is_found_from_its_member(committed):
    """A member without a lock of its own has that of its workspace, and is the project that is meant."""
    member = committed("uv_workspace") / "libs/a"
    path = files.find(member)
    assert path == committed("uv_workspace") / "uv.lock"
    pins = files.read(path, Project.read(member)).select(LINUX, Wish())
    assert {"lib-b", "click", "orjson"} <= _names(pins)
    assert "lib-a" not in _names(pins)
    assert "idna" not in _names(pins)


def test_members_are_installed_where_the_root_is_no_package(committed, read):
    """Of a workspace whose root is no package all members are in the set, in place."""
    pins = {pin.name: pin for pin in read(committed("uv_workspace")).select(LINUX, Wish())}
    assert pins["lib-a"].editable
    assert pins["lib-b"].extras == {"fast"}
    assert "lib-c" not in pins  # virtual: its dependencies only


def test_a_project_outside_of_the_workspace_is_refused(committed, tmp_path):
    """The lock of a workspace is no lock of a project that is no member."""
    path = committed("uv_workspace") / "uv.lock"
    with pytest.raises(LockFileError, match="does not hold the project"):
        files.read(path, Project(tmp_path))


def test_the_small_lock_is_good(tmp_path):
    """The lock that the next tests spoil is well-formed."""
    (pin,) = _select(tmp_path, LOCK)
    assert (pin.name, pin.version, pin.hashes) == ("six", "1.17.0", (f"sha256:{SHA}",))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("version = 1\n", "version = 2\n", "no uv.lock of version 1"),
        ("version = 1\n", "version = \n", "is not TOML: .*line 2"),
        ('name = "six"\n', 'name = "six --index-url"\n', "is no name of a package"),
        ('version = "1.17.0"', 'version = "1.17.0 --pre"', "is no version"),
        ('version = "1.17.0"', "version = 1.17", "must be a string"),
        ("sha256:" + SHA, "sha256:abc", "is no hash"),
        ("sha256:" + SHA, f"sha256:{SHA}\\n--index-url x", "is no hash"),
        ("https://example.org/", "https://example.org/ --pre/", "is no URL"),
        ("https://example.org/", "ftp://example.org/", "is no URL"),
        (
            "-py2.py3-none-any.whl",
            "-py3-none-win_amd64.whl",
            "has no file of six 1.17.0 for Python 3.12.0 on linux",
        ),
        ("-py2.py3-none-any.whl", "-any.whl", "is no name of a wheel"),
        ('registry = "https://pypi.org/simple"', 'git = "ext::sh -c id#' + "a" * 40 + '"', "is no URL"),
        ('registry = "https://pypi.org/simple"', 'git = "https://x.org/y#main"', "is no whole commit"),
        (
            'registry = "https://pypi.org/simple"',
            'git = "https://x.org/y?subdirectory=../..#' + "a" * 40 + '"',
            "no folder inside",
        ),
        ('registry = "https://pypi.org/simple"', 'directory = "a\\nb"', "is no path"),
        ('registry = "https://pypi.org/simple"', 'moon = "x"', "is of a kind that is not known: moon"),
        ('source = { registry = "https://pypi.org/simple" }', "", "has no source"),
        ('{ name = "six" }', '{ name = "sex" }', "needs sex and holds 0 of it"),
        ('{ name = "six" }', '{ name = "six", marker = "os_name ==" }', "cannot be decided"),
        ('{ name = "six" }', '{ name = "six", marker = "' + "(" * 5000 + '" }', "cannot be decided"),
        ('{ name = "six" }', '{ name = "six", extra = "a" }', "must be a list"),
        ('[{ name = "six" }]', '["six"]', "must be a list of tables"),
        (">=3.9", "three", "is no SpecifierSet"),
    ],
)
def test_a_lock_that_cannot_be_trusted_is_refused(tmp_path, old, new, told):
    """Whatever is malformed or could smuggle something in is one clear error that names the file."""
    assert old in LOCK
    with pytest.raises(LockFileError, match=told) as refused:
        _select(tmp_path, LOCK.replace(old, new))
    assert str(refused.value).startswith(str(tmp_path / "uv.lock"))


def test_two_releases_of_one_name_are_refused(tmp_path):
    """A set with one name twice is no set."""
    other = LOCK.rpartition("[[package]]")[2].replace("1.17.0", "1.16.0")
    twice = '[{ name = "six", version = "1.17.0" }, { name = "six", version = "1.16.0" }]'
    with pytest.raises(LockFileError, match=r"selects six twice for this interpreter: 1\.16\.0 and 1\.17\.0"):
        _select(tmp_path, LOCK.replace('[{ name = "six" }]', twice) + "\n[[package]]" + other)


def test_a_cycle_ends(tmp_path):
    """Releases that need each other are selected once."""
    text = LOCK.replace(
        "wheels = [", 'dependencies = [{ name = "toy" }, { name = "six", extra = ["x"] }]\nwheels = ['
    )
    assert [pin.name for pin in _select(tmp_path, text)] == ["six"]
