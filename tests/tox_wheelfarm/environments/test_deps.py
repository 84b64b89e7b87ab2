"""What stands in `deps`, sorted; and the lines that a set is installed from."""

import pytest
from packaging.markers import default_environment
from tox.tox_env.python.pip.req_file import PythonDeps

from tox_wheelfarm.deps import sort
from tox_wheelfarm.errors import LockFileError
from tox_wheelfarm.lines import Lines
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.release_set import by_index, pin_line


def sorted_of(tmp_path, *lines):
    """The content of deps with these lines."""
    return sort(PythonDeps("\n".join(lines), tmp_path), tmp_path, default_environment(), {"VERSION": "1.0"})


def test_folders_are_told_from_names(tmp_path):
    """A folder with extras, in place or not, is a folder; a name is a requirement."""
    (tmp_path / "sub").mkdir()
    told = sorted_of(tmp_path, "six>=1", "-e .[Fast,slow]", "./sub")
    assert told.requirements == ("six>=1",)
    found = {(each.path.name, each.extras, each.editable) for each in told.folders}
    assert found == {(tmp_path.name, frozenset({"fast", "slow"}), True), ("sub", frozenset(), False)}


def test_archives_become_direct_references(tmp_path):
    """A wheel on the disk is required by name and place."""
    (tmp_path / "six-1.0-py3-none-any.whl").write_bytes(b"")
    told = sorted_of(tmp_path, "./six-1.0-py3-none-any.whl")
    assert told.requirements == (f"six @ {(tmp_path / 'six-1.0-py3-none-any.whl').as_uri()}",)


def test_urls_stay_as_written(tmp_path):
    """What the resolver knows better is left to it."""
    url = "https://example.org/six-1.0-py3-none-any.whl"
    told = sorted_of(tmp_path, f"six @ {url}", "git+https://example.org/a@b#egg=c")
    assert told.requirements == (f"six @ {url}", "c @ git+https://example.org/a@b#egg=c")


def test_flags_are_kept_apart(tmp_path):
    """Indexes are places, formats stay lines, and the others are what they mean."""
    told = sorted_of(
        tmp_path, "--index-url https://a/", "--extra-index-url https://b/", "--no-binary six", "--pre", "six"
    )
    assert told.places == {"UV_DEFAULT_INDEX": "https://a/", "UV_INDEX": "https://b/"}
    assert told.formats == ("--no-binary six",)
    assert told.prereleases
    assert not told.no_deps


def test_hashes_of_a_nested_file_are_promises(tmp_path):
    """A hash in a file of -r is kept by name."""
    digest = "0" * 64
    (tmp_path / "r.txt").write_text(f"six==1.0 --hash=sha256:{digest}\n", "utf-8")
    assert sorted_of(tmp_path, "-r r.txt").hashes == {"six": (f"sha256:{digest}",)}


def test_lines_of_both_kinds_of_configuration():
    """Lines of tox.ini and lists of TOML are the same, and a comma divides nothing."""
    assert Lines.of("\n  a>=1,<2\n# no\n b \n") == Lines.of(["a>=1,<2", "b"]) == ("a>=1,<2", "b")


def test_a_release_is_a_line_with_all_its_hashes():
    """Every file's hash stands behind the name."""
    files = (PinnedFile("", ("sha256:aa",)), PinnedFile("", ("sha256:bb",)))
    assert pin_line(Pin("six", "1.0", files)) == "six==1.0 --hash=sha256:aa --hash=sha256:bb"


def test_direct_references_are_lines(tmp_path):
    """Repositories, folders and folders in place are each written as uv reads them."""
    git = Pin("a", "", reference="git+https://x/a@0123", subdirectory="sub")
    assert pin_line(git) == "a @ git+https://x/a@0123#subdirectory=sub"
    assert pin_line(Pin("a", "", reference=str(tmp_path), editable=True)) == f"-e {tmp_path.as_uri()}"


@pytest.mark.parametrize(
    "pin",
    [
        Pin("six", "1.0 --index-url http://evil"),
        Pin("six\n--index-url http://evil", "1.0"),
        Pin("six", "1.0", (PinnedFile("", ("sha256:aa\n-e /tmp/evil",)),)),
        Pin("six", "", reference="https://x/\n-e /tmp/evil"),
        Pin("-e", "1.0"),
    ],
)
def test_nothing_in_a_pin_can_become_an_option(pin):
    """A name, version, hash or reference with a blank in it is refused."""
    with pytest.raises(LockFileError):
        pin_line(pin)


def test_the_index_of_a_lock_is_used_where_nobody_said_another():
    """An index that the person or the farm names is the only one that is asked."""
    pins = [Pin("a", "1", index="https://mine/simple"), Pin("b", "1", index="https://pypi.org/simple/")]
    assert by_index(pins, {}) == {("--extra-index-url https://mine/simple",): pins[:1], (): pins[1:]}
    assert by_index(pins, {"UV_DEFAULT_INDEX": "https://farm/"}) == {(): pins}


@pytest.mark.parametrize("how", ["deps", "variable"])
def test_no_index_means_that_none_is_used(bench, index, how):
    """With `--no-index` what stands in no folder is not had, neither from an index nor from the cache of one."""
    index.release("low", "1.0")
    bench.ini("skip_install = true", "deps = low")
    assert bench.passes().packages() == ["low==1.0"]
    index.asked.clear()
    (bench.root / "wheels").mkdir()
    if how == "deps":
        bench.ini("skip_install = true", "deps =", "  --no-index", "  --find-links wheels", "  low")
    else:
        bench.ini("skip_install = true", "set_env =", "  PIP_NO_INDEX = 1", "deps = low")
    assert "low" in bench.fails("--recreate").said
    assert index.asked == []
    name, (body, _) = next(iter(index.files["low"].items()))
    (bench.root / "wheels" / name).write_bytes(body)
    bench.ini("skip_install = true", "deps =", "  --no-index", "  --find-links wheels", "  low")
    run = bench.passes("--recreate")
    assert run.packages() == ["low==1.0"]
    (origin,) = run.environment()["wheelfarm"]["files"]
    assert origin["url"] == (bench.root / "wheels" / name).as_uri()
    assert origin["hash"].startswith("sha256:")
