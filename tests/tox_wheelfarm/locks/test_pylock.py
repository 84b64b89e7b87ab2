"""pylock.toml: what is asked of it, what it refuses, and when it is stale."""

import pytest

from tox_wheelfarm.errors import ExtraNotFoundError, LockedDepNotFoundError, LockFileError
from tox_wheelfarm.locks import platforms
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.pylock import Pylock
from tox_wheelfarm.locks.wish import Wish

LINUX = platforms.target("3.12")
SHA = "ab" * 32
WHEEL = f'wheels = [{{ url = "https://example.org/six-1.17.0-py3-none-any.whl", hashes = {{ sha256 = "{SHA}" }} }}]'
LOCK = f"""
lock-version = "1.0"
created-by = "a test"
requires-python = ">=3.9"

[[packages]]
name = "six"
version = "1.17.0"
{WHEEL}
"""


def _read(tmp_path, text):
    return Pylock.read(tmp_path / "pylock.toml", text.encode())


def test_groups_without_the_project_are_only_theirs(committed, read):
    """Without the project a lock with default groups gives the asked groups only; nothing asked for gives nothing."""
    lock = read(committed("pylock_pdm"))
    lint = lock.select(LINUX, Wish(project=False, groups=frozenset({"lint"})))
    assert {"mypy", "mypy-extensions"} <= {pin.name for pin in lint}
    assert "requests" not in {pin.name for pin in lint}
    assert lock.select(LINUX, Wish(project=False)) == ()
    assert lock.select(LINUX, Wish(dev=True)) == lock.select(LINUX, Wish(groups=lock.groups))


def test_names_follow_the_edges_that_pdm_tells(committed, read):
    """A locked dependency brings what it needs, from a group or extra that is not asked for, with markers decided."""
    lock = read(committed("pylock_pdm"))
    pins = lock.select(LINUX, Wish(project=False, names=("pytest",)))
    assert {pin.name for pin in pins} == {"pytest", "iniconfig", "packaging", "pluggy", "pygments"}
    assert {pin.name: set(pin.requires) for pin in pins}["pytest"] == {pin.name for pin in pins} - {"pytest"}
    old = lock.select(platforms.target("3.9"), Wish(project=False, names=("pytest",)))
    assert {"tomli", "exceptiongroup", "typing-extensions"} <= {pin.name for pin in old}


def test_names_are_refused_where_no_edges_are_told(committed, read):
    """A file of pip or uv cannot say what a name needs; a misspelt one is not found all the same."""
    lock = read(committed("pylock_pip"))
    with pytest.raises(LockFileError, match="does not say what requests needs"):
        lock.select(platforms.target("3.13"), Wish(names=("requests",)))
    with pytest.raises(LockedDepNotFoundError, match="near: requests"):
        lock.select(platforms.target("3.13"), Wish(names=("request",)))


def test_the_pep_own_edges_are_followed(tmp_path):
    """`dependencies` of PEP 751 bring what a name needs."""
    other = LOCK.rpartition("[[packages]]")[2].replace("six", "seven")
    text = LOCK.replace(WHEEL, WHEEL + '\ndependencies = [{ name = "seven" }]') + "\n[[packages]]" + other
    pins = _read(tmp_path, text).select(LINUX, Wish(project=False, names=("six",)))
    assert [(pin.name, pin.requires) for pin in pins] == [("seven", ()), ("six", ("seven",))]


def test_unknown_extras_and_groups_are_refused(committed, read):
    """An extra or group that the file was not made with is an error that names those that it has."""
    lock = read(committed("pylock_pdm"))
    with pytest.raises(ExtraNotFoundError, match="no extra 'wbe'; it has web"):
        lock.select(LINUX, Wish(extras=frozenset({"wbe"})))
    with pytest.raises(ExtraNotFoundError, match="no group 'tests'; it has dev, lint"):
        lock.select(LINUX, Wish(groups=frozenset({"tests"})))


def test_a_file_beside_the_lock_is_a_reference(tmp_path):
    """A wheel that is only a path is installed from there, with its hash."""
    text = LOCK.replace('url = "https://example.org/', 'path = "wheels/')
    (pin,) = _read(tmp_path, text).select(LINUX, Wish())
    assert pin.reference == (tmp_path / "wheels/six-1.17.0-py3-none-any.whl").as_uri()
    assert pin.hashes == (f"sha256:{SHA}",)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('lock-version = "1.0"', 'lock-version = "2.0"', "is no valid pylock.toml"),
        ('created-by = "a test"', "", "Missing required value in 'created-by'"),
        ('name = "six"', 'name = "Six"', "is not normalized"),
        ('"https://example.org/', '"https://example.org/\\n--pre/', "is no URL"),
        (SHA, SHA + "\\n--pre", "is no hash"),
        ("-py3-none-any", "-cp39-cp39-win_amd64", "does not fit this interpreter: No wheel found"),
        (">=3.9", ">=3.13", "does not fit this interpreter"),
        (WHEEL, 'directory = { path = "a\\nb" }', "is no path"),
        (WHEEL, 'vcs = { type = "git", url = "ext::sh", commit-id = "' + "a" * 40 + '" }', "is no URL"),
        (WHEEL, 'vcs = { type = "git", url = "https://x.org", commit-id = "main" }', "is no whole commit"),
        (
            WHEEL,
            'vcs = { type = "svn", url = "https://x.org", commit-id = "12" }',
            "cannot be installed from",
        ),
        (WHEEL, WHEEL + '\nmarker = "' + "(" * 5000 + '"', "is no valid pylock.toml"),
        (
            "[[packages]]",
            "environments = [\"sys_platform == 'win32'\"]\n[[packages]]",
            "does not satisfy any",
        ),
    ],
)
def test_a_lock_that_cannot_be_trusted_is_refused(tmp_path, old, new, told):
    """Whatever is malformed, for another target, or could smuggle something in is one error that names the file."""
    assert old in LOCK
    with pytest.raises(LockFileError, match=told) as refused:
        _read(tmp_path, LOCK.replace(old, new)).select(LINUX, Wish())
    assert str(refused.value).startswith(str(tmp_path / "pylock.toml"))


def test_two_releases_of_one_name_are_refused(tmp_path):
    """A file that selects a name twice is ambiguous."""
    other = LOCK.rpartition("[[packages]]")[2].replace("1.17.0", "1.16.0")
    with pytest.raises(LockFileError, match="Multiple packages with the name 'six'"):
        _read(tmp_path, LOCK + "\n[[packages]]" + other).select(LINUX, Wish())


@pytest.mark.parametrize("project", ["pylock_pdm", "pylock_pip", "pylock_uv"])
def test_an_untouched_project_is_fresh(project, committed, read):
    """A file that a tool made for the project as it is contradicts nothing of it."""
    folder = committed(project)
    assert read(folder, "pylock.toml").differences(Project.read(folder)) == ()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            'requires-python = ">=3.9"',
            'requires-python = "<3.9"',
            "requires-python: pylock.toml was made for >=3.9",
        ),
        ("web = [", "net = [", "pylock.toml has the extra 'web', which the project has not"),
        ("web = [", "net = [", "the extra 'net' is not in pylock.toml"),
        (
            'lint = ["mypy',
            'style = ["ruff"]\nlint = ["mypy',
            "the dependency group 'style' is not in pylock.toml",
        ),
        ('"click"', '"click>=99"', "pylock.toml has click 8.1.8, the project asks for click>=99"),
        ('"click"', '"click", "six"', "six is not in pylock.toml"),
    ],
)
def test_a_contradiction_is_told(copied, read, old, new, told):
    """What the file cannot be for any more is named in one sentence."""
    folder = copied("pylock_pdm")
    path = folder / "pyproject.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    assert any(told in each for each in read(folder).differences(Project.read(folder)))


def test_a_record_that_lacks_releases_is_refused(tmp_path):
    """A set that was recorded without some of its releases does not install the rest as if it were whole."""
    told = '[tool.wheelfarm]\nincomplete = ["pear==2.0 --hash=sha256:11"]\n'
    with pytest.raises(LockFileError, match=r"without releases that it had.*: 'pear==2\.0';"):
        _read(tmp_path, LOCK + told)
    assert _read(tmp_path, LOCK + "[tool.wheelfarm]\nincomplete = []\n")
