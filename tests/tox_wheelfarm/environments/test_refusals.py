"""What is refused in a run of tox with one sentence that says what it is, and shows nothing of other people's files."""

import hashlib

import pytest

SECRET = "root:x:0:0:secret:/root:/bin/sh\n"


@pytest.fixture
def bench(bench, index):
    """A bench with one release."""
    index.release("low", "1.0")
    return bench


def test_a_scheme_that_is_not_known_is_named(bench):
    """Constraints at ftp:// are no file of that name."""
    bench.ini("skip_install = true", "deps = low", "constraints = ftp://example.org/c.txt")
    said = bench.fails().said
    assert "ConstraintsError: the constraints ftp://example.org/c.txt: ftp is not a scheme" in said


def test_a_lock_file_in_utf_16_is_told(bench):
    """A requirements file as some shells write it is one sentence that says what to do."""
    bench.requirements("low==1.0")
    path = bench.root / "requirements.txt"
    path.write_bytes(path.read_text("utf-8").encode("utf-16"))
    bench.ini("skip_install = true", "lockfile = requirements.txt")
    said = bench.fails().said
    assert "LockFileError" in said
    assert "requirements.txt is UTF-16 (as some shells write it); save it as UTF-8" in said


def test_constraints_in_utf_16_are_told(bench):
    """So are constraints."""
    (bench.root / "c.txt").write_bytes("low===1.0\n".encode("utf-16"))
    bench.ini("skip_install = true", "deps = low", "constraints = c.txt")
    assert (
        "ConstraintsError: c.txt is UTF-16 (as some shells write it); save it as UTF-8" in bench.fails().said
    )


def test_constraints_of_a_lock_file_are_refused(bench):
    """`-c` in a file with hashes would be passed over, so it is refused by its line."""
    path = bench.requirements("low==1.0")
    path.write_text("-c limits.txt\n" + path.read_text("utf-8"), "utf-8")
    bench.ini("skip_install = true", "lockfile = requirements.txt")
    said = bench.fails().said
    assert "requirements.txt, line 1: a lock file decides versions itself" in said


@pytest.mark.parametrize("kind", ["lock", "constraints"])
def test_the_content_of_a_file_is_not_shown(bench, kind):
    """A file from elsewhere that a setting or a lock file leads to is named by file and line alone."""
    (bench.root.parent / "passwd").write_text(SECRET, "utf-8")
    bench.ini("skip_install = true", "deps = low", "constraints = ../passwd")
    if kind == "lock":
        path = bench.requirements("low==1.0")
        path.write_text("-r ../passwd\n" + path.read_text("utf-8"), "utf-8")
        bench.ini("skip_install = true", "lockfile = requirements.txt")
    said = bench.fails().said
    assert "passwd" in said
    assert "line 1" in said
    assert "secret" not in said
    assert "root:x" not in said


def test_an_environment_that_was_opened_to_the_system_is_made_anew(bench):
    """A pyvenv.cfg that was edited to let in the interpreter's own packages is seen."""
    bench.ini("skip_install = true", "deps = low")
    bench.passes()
    path = bench.env() / "pyvenv.cfg"
    text = path.read_text("utf-8")
    assert "include-system-site-packages = false" in text
    path.write_text(text.replace("packages = false", "packages = true"), "utf-8")
    assert "its pyvenv.cfg says include-system-site-packages = true" in bench.passes().said
    assert "include-system-site-packages = false" in path.read_text("utf-8")


@pytest.mark.parametrize("end", ["", " --hash=md5:d41d8cd98f00b204e9800998ecf8427e"])
def test_a_file_of_this_disk_needs_a_hash_that_holds(bench, index, end):
    """A wheel beside the lock file with a weak hash, or none, is refused as one from elsewhere is."""
    index.release("low", "1.0")
    name, (body, _) = next(iter(index.files["low"].items()))
    (bench.root / name).write_bytes(body)
    digest = hashlib.sha256(body).hexdigest()
    bench.ini("skip_install = true", "installer = lockfile", "lockfile = requirements-x.txt")
    place = (bench.root / name).as_uri()
    bench.write("requirements-x.txt", f"low @ {place} --hash=sha256:{digest}\n")
    assert bench.passes().packages() == [f"low @ {place}"]
    bench.write("requirements-x.txt", f"low @ {place}{end}\n")
    assert "HashMissingError: " in bench.fails().said
