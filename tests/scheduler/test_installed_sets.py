"""What jobs had installed: read from a hostile machine's words, kept in the record, and compared."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from farm_scheduler.database import Database
from farm_scheduler.errors import NotFoundError
from farm_scheduler.installed_sets import (
    MOST_PYLOCKS,
    JobSets,
    read_fetched,
    read_sets,
    sentences,
    store_sets,
)
from farm_scheduler.run_report import read_report
from farm_scheduler.set_comparison import Comparison, Kind, compare
from farm_scheduler.set_tables import FetchedFile, InstalledSet
from farm_scheduler.tables import Attempt, Cell, Job, Run
from farm_scheduler.told_sets import MOST_PACKAGES, MOST_PYLOCK, ToldPackage, ToldSet, read_set
from farm_scheduler.tox_report import read_report as read_tox

OWN = {
    "installer": "lockfile",
    "lock": {"path": "uv.lock", "sha256": "ab" * 32, "format": "uv"},
    "constraints": [{"source": "c.txt", "sha256": "cd" * 32}],
    "set": 'lock-version = "1.0"\n',
    "files": [
        {
            "name": "Six",
            "version": "1.17.0",
            "file": "six-1.17.0-py3-none-any.whl",
            "url": "",
            "hash": "sha256:11",
        }
    ],
    "yanked": [{"name": "six", "version": "1.17.0", "reason": "broken"}],
}


def told(*releases: str, **more: Any) -> ToldSet:
    """A set of these `name==version`."""
    pairs = (each.split("==") for each in releases)
    packages = tuple(ToldPackage(name=name, version=version) for name, version in pairs)
    return ToldSet(packages=packages, **more)


def hashed(**hashes: str | None) -> ToldSet:
    """A set of the first releases of these names, with their hashes."""
    packages = (ToldPackage(name=name, version="1", hash=digest) for name, digest in hashes.items())
    return ToldSet(packages=tuple(packages))


def job(record: Database, number: int, **sets: ToldSet) -> str:
    """A job that has told this; its id."""
    with record.write() as session:
        run, cell, job_id, attempt = (f"{kind}-0000000{number}" for kind in "rcja")
        for row in (
            Run(id=run, target="t", project="p", source_sha256="0"),
            Cell(id=cell, run_id=run, position=0, system="debian-12", label="py3.12"),
            Job(id=job_id, run_id=run, cell_id=cell),
            Attempt(id=attempt, job_id=job_id, number=1, worker="w"),
        ):
            session.add(row)
            session.flush()
        store_sets(session, attempt, sets, [])
    return job_id


def beside(record: Database, first: str, second: str) -> Comparison:
    """The two jobs of a record compared."""
    with record.read() as session:
        return compare(read_sets(session, first), read_sets(session, second))


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("file:///p/.tox/.tmp/package/1/my_toy-1.0.tar.gz#sha256=dde2", "1.0"),
        ("file:///p/dist/my_toy-1.0rc1-py3-none-any.whl", "1.0rc1"),
        ("https://x.example/my-toy-1.0.zip", "1.0"),
        ("git+https://x.example/my-toy@abc", "git+https://x.example/my-toy@abc"),
        ("file:///p/my_toy", "file:///p/my_toy"),
        ("http://[/my_toy-1.0.tar.gz", "http://[/my_toy-1.0.tar.gz"),
    ],
)
def test_a_project_that_was_built_has_its_version(said: str, version: str) -> None:
    """Of a file that came from no index its name tells the version, so that two runs of one cell are the same."""
    read = read_set({"installed_packages": [f"my-toy @ {said}"]})
    assert read is not None
    assert read.packages == (ToldPackage(name="my-toy", version=version),)


def test_the_record_of_tox_wheelfarm_is_read() -> None:
    """Each part of it is kept, names are normalised, and what tox lists besides is there without a file."""
    found = read_set(
        {"wheelfarm": OWN, "installed_packages": ["six==1.17.0", "My_Toy==1.0", "odd @ file:///x"]}
    )
    assert found is not None
    assert (found.installer, found.lock, found.pylock) == ("lockfile", OWN["lock"], OWN["set"])
    assert found.constraints == ({"source": "c.txt", "sha256": "cd" * 32},)
    assert found.yanked == ("six==1.17.0",)
    assert found.packages == (
        ToldPackage(name="my-toy", version="1.0"),
        ToldPackage(name="odd", version="file:///x"),
        ToldPackage(name="six", version="1.17.0", file="six-1.17.0-py3-none-any.whl", hash="sha256:11"),
    )


def test_a_project_that_says_nothing_of_an_installer_has_what_tox_lists() -> None:
    """Without tox-wheelfarm the releases are known, and the word is `project`."""
    found = read_set({"installed_packages": ["six==1.17.0"]})
    assert found == told("six==1.17.0")
    assert read_set({}) is None


def test_more_than_is_kept_is_left_out() -> None:
    """Packages and texts of any number and size leave a set of bounded size."""
    files = [{"name": f"p{number}", "version": "1"} for number in range(MOST_PACKAGES + 50)]
    found = read_set({"wheelfarm": {**OWN, "files": files, "set": "x" * (MOST_PYLOCK + 1)}})
    assert found is not None
    assert (len(found.packages), found.pylock) == (MOST_PACKAGES, None)


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*OWN, "name", "version"]), inner)
    ),
    max_leaves=20,
)


@given(ODD, st.lists(ODD, max_size=5))
def test_no_words_of_a_machine_spoil_its_verdict(own: Any, lines: list[Any]) -> None:
    """Whatever stands where a set is expected, the exit status is read, and what is kept a database can take."""
    table = {"wheelfarm": own, "installed_packages": lines, "result": {"exit_code": 1}}
    report = read_tox(json.dumps({"testenvs": {"py312": table}}).encode())
    assert report is not None
    assert report.environments["py312"].exit_code == 1
    for found in report.sets.values():
        texts = [*found.yanked, found.installer, *(each.name + each.version for each in found.packages)]
        assert not any(sign in text for text in texts for sign in "\0\x1b\n")


def test_what_was_told_is_kept_once(record: Database) -> None:
    """A set that is stored twice, as after an answer that was lost, is there once."""
    found = job(record, 1, py312=told("six==1.17.0"))
    with record.write() as session:
        store_sets(session, "a-00000001", {"py312": told("six==1.17.0")}, [])
    with record.read() as session:
        assert [each.environment for each in read_sets(session, found).sets] == ["py312"]


def test_a_job_that_told_nothing_says_so(record: Database) -> None:
    """A job whose environments were not made has no set, and the sentence says why."""
    found = job(record, 1)
    with record.read() as session, pytest.raises(NotFoundError, match="has not told what it installed"):
        read_sets(session, found)


def test_files_come_from_the_machines_record(tmp_path: Path, record: Database) -> None:
    """What the proxy recorded is kept once a file, damaged lines aside, and tells the file of a release."""
    lines = [
        {"file": "six-1.17.0-py2.py3-none-any.whl", "sha256": "1" * 64, "bytes": 10},
        {"file": "six-1.17.0-py2.py3-none-any.whl", "sha256": "1" * 64, "bytes": 400},
        {"file": "six-1.17.0-py2.py3-none-any.whl.metadata", "sha256": "2" * 64, "bytes": 5},
        {"file": "two-1.0.tar.gz", "sha256": "3" * 64, "bytes": 5},
        {"file": "two-1.0-py3-none-any.whl", "sha256": "4" * 64, "bytes": 5},
    ]
    path = tmp_path / "m-1.jsonl"
    path.write_text("\n".join(map(json.dumps, lines)) + '\nnull\n{"file"')
    job(record, 1)
    fetched = read_fetched(path, "a-00000001")
    assert [(each.file, each.bytes) for each in fetched if each.file.startswith("six")] == [
        ("six-1.17.0-py2.py3-none-any.whl", 400),
        ("six-1.17.0-py2.py3-none-any.whl.metadata", 5),
    ]
    with record.write() as session:
        store_sets(session, "a-00000001", {"py312": told("six==1.17", "six2==1", "two==1.0")}, fetched)
    with record.read() as session:
        packages = {each["name"]: each["file"] for each in session.exec(select(InstalledSet)).one().packages}
        assert len(session.exec(select(FetchedFile)).all()) == 4
    # Of two files nobody knows which it was, and a version is another when it is written otherwise by its numbers.
    assert packages == {"six": None, "six2": None, "two": None}
    assert read_fetched(tmp_path / "none.jsonl", "a") == []


def test_the_one_file_of_a_release_is_its_file(record: Database) -> None:
    """Where a machine fetched one file of the very release, that is what it was installed from."""
    job(record, 1)
    file = FetchedFile(attempt_id="a-00000001", file="my_toy-1.0-py3-none-any.whl", sha256="5" * 64)
    with record.write() as session:
        store_sets(session, "a-00000001", {"py312": told("my-toy==1.0")}, [file])
    with record.read() as session:
        (package,) = read_sets(session, "j-00000001").sets[0].packages
    assert (package["file"], package["hash"]) == ("my_toy-1.0-py3-none-any.whl", "sha256:" + "5" * 64)


def test_long_texts_share_a_bound(record: Database) -> None:
    """The pylock.toml of all environments together are bounded; sets without one are still compared."""
    size = MOST_PYLOCKS // 2 + 1
    sets = {name: told("six==1", pylock="x" * size) for name in ("a", "b")}
    found = job(record, 1, **sets)
    with record.read() as session:
        assert [each.pylock is None for each in read_sets(session, found).sets] == [False, True]


def test_two_jobs_are_compared(record: Database) -> None:
    """What was added, removed and changed is told by name, and what is the same is counted."""
    first = job(record, 1, py312=told("a==1", "b==1.0", "c==3", "e==1"))
    second = job(record, 2, py312=told("a==1", "b==2.0", "d==4", "e==1"))
    (pair,) = beside(record, first, second).pairs
    assert (pair.first, pair.second, pair.same) == ("py312", "py312", 2)
    assert [(each.kind, each.name, each.before, each.after) for each in pair.differences] == [
        (Kind.CHANGED, "b", "1.0", "2.0"),
        (Kind.REMOVED, "c", "3", None),
        (Kind.ADDED, "d", None, "4"),
    ]


def test_the_same_version_from_another_file_differs(record: Database) -> None:
    """Two files of one version are told apart by their hashes, and an unknown hash is no difference."""
    here, there = hashed(a="sha256:1", b=None), hashed(a="sha256:2", b="sha256:3")
    (pair,) = beside(record, job(record, 1, x=here), job(record, 2, x=there)).pairs
    assert [(each.kind, each.name, each.before, each.after) for each in pair.differences] == [
        (Kind.OTHER_FILE, "a", "sha256:1", "sha256:2")
    ]
    assert pair.same == 1


def test_environments_belong_together_by_name(record: Database) -> None:
    """One environment each is compared whatever the names; of several, those of one name, and the rest stands alone."""
    one, other = job(record, 1, py311=told("a==1")), job(record, 2, py312=told("a==1"))
    assert beside(record, one, other).equal
    many = job(record, 3, py312=told("a==1"), lint=told("b==1"))
    found = beside(record, other, many)
    assert [(pair.first, pair.second) for pair in found.pairs] == [("py312", "py312"), (None, "lint")]
    assert not found.equal


SETS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"), max_size=6)


@given(SETS, SETS)
def test_a_comparison_tells_all_and_turns_around(before: dict[str, str], after: dict[str, str]) -> None:
    """What is told of the first set leads to the second, and turned around to the first."""

    def sets(packages: dict[str, str]) -> JobSets:
        told_packages = [{"name": name, "version": version} for name, version in packages.items()]
        row = InstalledSet(attempt_id="a", environment="e", installer="project", packages=told_packages)
        return JobSets(job_id="j", run_id="r", label="l", attempt_id="a", sets=(row,), fetched=())

    (pair,) = compare(sets(before), sets(after)).pairs
    made = dict(before)
    for each in pair.differences:
        assert made.pop(each.name, None) == each.before
        if each.after is not None:
            made[each.name] = each.after
    assert made == after
    assert pair.same == sum(before.get(name) == version for name, version in after.items())
    (back,) = compare(sets(after), sets(before)).pairs
    assert [(each.name, each.after, each.before) for each in back.differences] == [
        (each.name, each.before, each.after) for each in pair.differences
    ]


def test_a_run_says_which_set_each_cell_had(record: Database) -> None:
    """The words name the number of packages, the lock file and its hash, for each environment."""
    lock = {"path": "uv.lock", "sha256": "ab" * 32, "format": "uv"}
    job(record, 1, py312=told("a==1", "b==1", lock=lock), lint=told("c==1"))
    wanted = "py312: 2 packages by uv.lock (sha256 abababab); lint: 1 package"
    with record.read() as session:
        assert sentences(session, ["a-00000001"]) == {"a-00000001": wanted}
        assert read_report(session, "r-00000001").cells[0].installed == wanted
