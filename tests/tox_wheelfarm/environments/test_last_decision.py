"""What a lock file decided is kept for an environment that is made anew, and counts for the same question only."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import pytest

from tox_wheelfarm import uv_cache

PASSWORD = "swordfish"


@pytest.fixture
def index(index):
    """Two releases of a package, and one that needs it."""
    for version in ("1.0", "2.0"):
        index.release("low", version)
    index.release("high", "1.0", "low")
    return index


@pytest.fixture
def kept(bench):
    """The files of decisions that are kept."""
    return lambda: sorted((bench.cache / "tox-wheelfarm").glob("decision-*.json"))


@pytest.fixture
def bench(bench):
    """A project with a lock file and an environment, made twice: now the decision is kept, with all that is known."""
    bench.pylock(("low", "1.0"))
    bench.ini("skip_install = true")
    bench.passes()
    bench.passes("--recreate")
    return bench


def held(path):
    """What a file of a decision holds."""
    return json.loads(path.read_text("utf-8").partition("\n")[2])


def write(path, told):
    """Write something into such a file as if we had."""
    body = json.dumps(told)
    path.write_text(f"{hashlib.sha256(body.encode()).hexdigest()}\n{body}", "utf-8")


def forge(path, **told):
    """Write something else of a release into it, to see whether it counts."""
    whole = held(path)
    whole["pins"][0] |= told
    write(path, whole)


def two(bench, index, kept):
    """Have the kept decision say the second release, which the lock file does not."""
    other = index.files["low"]["low-2.0-py3-none-any.whl"][0]
    (bench.cache / "two.whl").write_bytes(other)
    file = held(kept()[0])["pins"][0]["files"][0]
    fresh = {
        "name": "low-2.0-py3-none-any.whl",
        "hashes": [f"sha256:{hashlib.sha256(other).hexdigest()}"],
        "url": file["url"].replace("1.0", "2.0"),
    }
    forge(kept()[0], version="2.0", files=[fresh])


def test_the_same_question_is_not_worked_out_again(bench, index, kept):
    """An environment that is made anew from the same files gets what was decided, as the kept file has it."""
    assert len(kept()) == 1
    two(bench, index, kept)
    assert bench.passes("--recreate").packages() == ["low==2.0"]


def test_a_file_is_held_against_its_hash_whatever_was_kept(bench, kept):
    """What uv's cache has is another file than the kept hash says: it is not installed."""
    (file,) = held(kept()[0])["pins"][0]["files"]
    forge(kept()[0], files=[{**file, "hashes": [f"sha256:{'0' * 64}"]}])
    assert "InstallFailedError" in bench.fails("--recreate").said
    assert not list(bench.site().glob("low*"))


def test_another_environment_decides_for_itself(bench, index, kept):
    """What was decided for one is not taken for another, which may be of another interpreter."""
    two(bench, index, kept)
    bench.ini("skip_install = true", envs="b")
    assert bench.passes("--recreate").packages("b") == ["low==1.0"]
    assert len(kept()) == 2


def test_another_lock_file_decides_anew(bench, index, kept):
    """The file is another: so is what it gives."""
    two(bench, index, kept)
    bench.pylock(("low", "1.0"), ("high", "1.0"))
    assert bench.passes("--recreate").packages() == ["high==1.0", "low==1.0"]
    bench.pylock(("low", "2.0"))
    assert bench.passes("--recreate").packages() == ["low==2.0"]


def test_groups_are_part_of_the_question(bench):
    """A group is asked for, and then not any more: the set has what it needs only while it is."""
    (bench.root / "pylock.toml").unlink()
    bench.project("low", groups={"more": ["high"]})
    bench.lock()
    for setting, packages in 2 * [("", ["low==2.0"]), ("more", ["high==1.0", "low==2.0"])]:
        bench.ini("package = deps-only", f"dependency_groups = {setting}")
        assert bench.passes("--recreate").packages() == packages


@pytest.mark.parametrize("damage", ["", "{}", "[]", "null", '{"code": 1}', "\x00\xff", "cut", "[" * 200_000])
def test_what_cannot_be_read_is_decided_anew(bench, kept, damage):
    """A file that is empty, cut or something else says nothing, and fails nothing."""
    path = kept()[0]
    text = path.read_text("utf-8")
    path.write_text(text[: len(text) // 2] if damage == "cut" else damage, "latin-1")
    assert bench.passes("--recreate").packages() == ["low==1.0"]
    assert held(path)["pins"][0]["version"] == "1.0"


def test_another_release_of_ours_decides_anew(bench, index, kept):
    """It may read a lock file in another way."""
    two(bench, index, kept)
    path = kept()[0]
    write(path, {**held(path), "code": "another"})
    assert bench.passes("--recreate").packages() == ["low==1.0"]


def test_no_more_are_kept_than_are_of_use(bench, kept):
    """The older half goes where there are too many; that of this environment stays."""
    for number in range(500):
        path = kept()[0].with_name(f"decision-old{number}.json")
        path.write_text("", "utf-8")
        os.utime(path, ns=(number, number))
    bench.pylock(("low", "2.0"))
    bench.passes("--recreate")
    left = kept()
    assert len(left) == 251
    assert [path.name for path in left if path.stat().st_size] == [left[0].name]


@pytest.mark.usefixtures("bench")
def test_only_its_owner_may_read_it(kept):
    """As the rest of the cache."""
    assert [path.stat().st_mode & 0o077 for path in kept()] == [0]


def test_a_stale_lock_is_told_each_time(bench):
    """What was fresh is not, once the project asks for more: told each time, and warned of each time on wish."""
    bench.project("low")
    bench.lock()
    (bench.root / "pylock.toml").unlink()
    bench.ini("package = deps-only")
    bench.passes("--recreate")
    bench.passes("--recreate")
    bench.project("low", "high")
    for _ in range(2):
        assert "StaleLockError" in bench.fails("--recreate").said
    bench.ini("package = deps-only", "stale_lock = warn")
    for _ in range(2):
        assert "does not match the project" in bench.passes("--recreate").said


def test_a_member_of_the_workspace_makes_the_lock_stale(bench, kept):
    """A uv.lock is held against the folders that it builds from as well, kept decision or not."""
    (bench.root / "pylock.toml").unlink()
    inside = "part/pyproject.toml"
    member = "[project]\nname = 'part'\nversion = '1'\nrequires-python = '>=3.9'\ndependencies = [{}]\n"
    bench.write(inside, member.format("'low'"))
    bench.project("low", groups={"more": ["part"]})
    path = bench.root / "pyproject.toml"
    source = "[tool.uv.sources]\npart = { workspace = true }\n[tool.uv.workspace]\nmembers = ['part']\n"
    path.write_text(path.read_text("utf-8") + source, "utf-8")
    bench.lock()
    bench.ini("package = deps-only")
    bench.passes("--recreate")
    bench.passes("--recreate")
    assert any("part/pyproject.toml" in path.read_text("utf-8") for path in kept())
    bench.write(inside, member.format("'low', 'high'"))
    assert "StaleLockError" in bench.fails("--recreate").said


def test_what_is_in_no_cache_any_more_is_fetched(bench, index):
    """The cache of uv is gone: the index is asked, or it is told that it may not be."""
    for path in (bench.cache / "uv").iterdir():
        if path.name.startswith(("archive", "wheels")):
            shutil.rmtree(path)
    assert "OfflineMissError" in bench.fails("--recreate", "--offline").said
    index.asked.clear()
    assert bench.passes("--recreate").packages() == ["low==1.0"]
    assert any(path.startswith("/files/") for path in index.asked)


def test_a_password_is_written_nowhere(bench, index, kept):
    """An index with a password gives the same set, and neither the environment nor the cache has it in a file."""
    for path in kept():
        path.unlink()
    bench.variables["UV_DEFAULT_INDEX"] = index.simple.replace("//", f"//somebody:{PASSWORD}@")
    for _ in range(3):
        assert bench.passes("--recreate").packages() == ["low==1.0"]
    ours = [*bench.env().glob("*"), *bench.env().glob(".*"), *(bench.cache / "tox-wheelfarm").glob("*")]
    told = [path for path in ours if path.is_file() and PASSWORD.encode() in path.read_bytes()]
    assert told == []


def test_a_token_in_the_path_of_an_index_stays_out_of_the_environment(bench, index):
    """Some indexes have their secret there; the files that uv is given are gone when it is done."""
    plain = index.answer
    index.answer = lambda path, accept="": plain(path.replace(f"/{PASSWORD}", ""), accept)
    bench.variables["UV_DEFAULT_INDEX"] = f"{index.url}/{PASSWORD}/simple/"
    for _ in range(3):
        assert bench.passes("--recreate").packages() == ["low==1.0"]
    ours = [*bench.env().glob("*"), *bench.env().glob(".*"), *(bench.cache / "tox-wheelfarm").glob("*")]
    assert [path for path in ours if path.is_file() and PASSWORD.encode() in path.read_bytes()] == []


def test_the_pages_of_an_index_are_not_read_again(bench, index):
    """Nothing was heard since: the set is installed by its files alone, whatever became of the pages in uv's cache."""
    bench.passes("--recreate")
    index.dead = True
    pages = list((bench.cache / "uv").glob("simple-v*/**/*.rkyv"))
    for page in pages:
        with page.open("r+b") as file:  # in place, as uv never does
            file.write(bytes(page.stat().st_size))
    assert bench.passes("--recreate").packages() == ["low==1.0"]
    assert pages


def test_a_damaged_file_of_uvs_cache_is_fetched_anew(bench, index):
    """Where uv cannot install from its cache, it is asked with the index, and what it says then is what is told."""
    for path in (bench.cache / "uv").glob("wheels-v*/**/*.http"):
        Path(path).unlink()
    index.dead = True
    assert "InstallFailedError" in bench.fails("--recreate").said
    index.dead = False
    assert bench.passes("--recreate").packages() == ["low==1.0"]


def test_what_an_index_had_a_part_in_is_not_kept(bench, kept):
    """A lock of hashes only: which file they are of is asked of the index each time, and the index may change."""
    for path in (*kept(), bench.root / "pylock.toml"):
        path.unlink()
    bench.requirements("low==1.0")
    for _ in range(2):
        assert bench.passes("--recreate").packages() == ["low==1.0"]
    assert kept() == []


def test_an_index_of_the_process_is_part_of_the_question(bench, index, kept):
    """The variable reaches uv whether tox passes it or not."""
    setting = "disallow_pass_env = UV_*"
    bench.ini("skip_install = true", setting)
    bench.passes("--recreate")
    before = held(kept()[0])["question"]
    bench.variables["UV_DEFAULT_INDEX"] = f"{index.url}/./simple/"
    bench.passes("--recreate")
    assert held(kept()[0])["question"][0] != before[0]


def test_what_is_no_file_is_not_waited_for(bench, kept):
    """A pipe in the place of a kept decision would never end."""
    path = kept()[0]
    path.unlink()
    os.mkfifo(path)
    assert bench.passes("--recreate").packages() == ["low==1.0"]


def test_another_uv_may_know_more(bench, monkeypatch):
    """Each release of uv has pages of its own in the cache: of what one has heard another knows nothing."""
    variables = bench.environment()
    before = uv_cache.pages(variables)
    assert before
    assert uv_cache.pages(variables) == before
    monkeypatch.setattr(uv_cache, "find_uv_bin", lambda: __file__)
    assert uv_cache.pages(variables) != before
