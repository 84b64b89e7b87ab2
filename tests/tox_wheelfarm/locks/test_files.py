"""Which lock file is meant, and what kind it is."""

import pytest

from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.locks import document, files
from tox_wheelfarm.locks.project import Project

ORDER = (
    "pylock.toml",
    "pylock.ci.toml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "requirements.txt",
)
HASHED = "six==1.0 --hash=sha256:" + "ab" * 32 + "\n"


def _put(root, *names):
    for name in names:
        (root / name).write_text(HASHED)


def test_the_first_that_is_there_is_found(tmp_path):
    """Without a name it is the first of the default order."""
    _put(tmp_path, *ORDER)
    for name in ORDER:
        assert files.find(tmp_path).name == name
        (tmp_path / name).unlink()


@pytest.mark.parametrize(
    "names", [("pylock.a.toml", "pylock.b.toml"), ("requirements.txt", "requirements-dev.txt")]
)
def test_several_of_one_kind_are_refused_by_name(tmp_path, names):
    """Several that could be meant are an error that names them and says to choose; one that is named is taken."""
    _put(tmp_path, *names)
    with pytest.raises(LockFileError, match=r"several lock files of one kind: .*lockfile = ") as refused:
        files.find(tmp_path)
    assert all(name in str(refused.value) for name in names)
    assert files.find(tmp_path, names[1]).name == names[1]


def test_requirements_without_hashes_are_no_lock(tmp_path):
    """A requirements file without a hash is only taken when it is named."""
    _put(tmp_path, "requirements-lock.txt")
    (tmp_path / "requirements.txt").write_text("six==1.0\n")
    assert files.find(tmp_path).name == "requirements-lock.txt"
    assert files.find(tmp_path, "requirements.txt").name == "requirements.txt"


def test_none_is_refused_with_what_it_can_be(tmp_path):
    """Without a lock file, or without the named one, the error says what there is or what it can be."""
    with pytest.raises(LockFileError, match=r"has no lock file; it can be one of pylock\.toml, "):
        files.find(tmp_path)
    with pytest.raises(LockFileError, match=r"uv\.lock is not there; it can be one of"):
        files.find(tmp_path, "uv.lock")
    _put(tmp_path, "poetry.lock")
    with pytest.raises(LockFileError, match=r"uv\.lock is not there; .* has poetry\.lock"):
        files.find(tmp_path, "uv.lock")


def test_a_lock_above_counts_only_if_it_holds_the_folder(tmp_path):
    """A uv.lock in a folder above is taken where this folder is a member of it, and has no other lock of its own."""
    member = tmp_path / "member"
    member.mkdir()
    (tmp_path / "uv.lock").write_text('source = { editable = "other" }\n')
    with pytest.raises(LockFileError, match="has no lock file"):
        files.find(member)
    (tmp_path / "uv.lock").write_text('source = { editable = "member" }\n')
    _put(member, "requirements.txt")
    assert files.find(member) == tmp_path / "uv.lock"
    _put(member, "poetry.lock")
    assert files.find(member) == member / "poetry.lock"


@pytest.mark.parametrize(
    ("project", "name", "kind"),
    [
        ("uv_web", "uv.lock", "uv"),
        ("pylock_pdm", "pylock.toml", "pylock"),
        ("pylock_uv", "pylock.dev.toml", "pylock"),
        ("requirements_uv", "requirements.txt", "requirements"),
    ],
)
def test_a_file_is_known_by_its_name_and_by_its_content(copied, project, name, kind):
    """The format is told by the usual name, and by what stands in a file that is called otherwise."""
    root = copied(project)
    there = Project.read(root)
    usual = files.read(root / name, there)
    (root / name).rename(root / "ci.lock")
    other = files.read(root / "ci.lock", there)
    assert usual.format == other.format == kind
    assert usual.sha256 == other.sha256


@pytest.mark.parametrize("text", ["", "[a]\nb = 1\n", "{}", "{", "\x00", "[" * 100_000])
def test_what_is_no_lock_file_is_refused(tmp_path, text):
    """A file of no known format is an error that names it."""
    (tmp_path / "x.lock").write_text(text)
    with pytest.raises(LockFileError, match=r"x\.lock is no"):
        files.read(tmp_path / "x.lock", Project(tmp_path))


def test_a_file_has_a_bound(tmp_path, monkeypatch):
    """What is larger than any lock file is not read, and neither is a folder, or bytes that are no text."""
    monkeypatch.setattr(document, "MOST_BYTES", 1 << 20)
    path = tmp_path / "uv.lock"
    path.write_bytes(b"#" * ((1 << 20) + 1))
    with pytest.raises(LockFileError, match="more than 1 MiB"):
        files.read(path, Project(tmp_path))
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    with pytest.raises(LockFileError, match="line 2: not UTF-8"):
        files.read(path, Project(tmp_path))
    with pytest.raises(LockFileError, match="is no file"):
        files.read(tmp_path, Project(tmp_path))
