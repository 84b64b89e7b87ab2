"""What jobs had installed, over HTTP: told to who may see them, compared, and asked for with a run."""

from farm_scheduler.access_tables import Submission
from farm_scheduler.installed_sets import store_sets
from farm_scheduler.plan import Narrowing
from farm_scheduler.roles import Role
from farm_scheduler.run_report import read_report
from farm_scheduler.told_sets import ToldPackage, ToldSet

JOB, OTHER = "j-fin22222", "j-fin22223"


def tell(door):
    """Two jobs of the finished run tell what they had."""
    with door.database.write() as session:
        for cell in read_report(session, "r-fin23456").cells:
            if cell.job_id in {JOB, OTHER}:
                version = "1.16.0" if cell.job_id == JOB else "1.17.0"
                packages = (ToldPackage(name="six", version=version, hash="sha256:1"),)
                told = ToldSet(
                    packages=packages, installer="lockfile", lock={"path": "uv.lock"}, pylock="x = 1\n"
                )
                store_sets(session, cell.attempt_id, {"py": told}, [])


def test_a_set_is_told_whole(door):
    """Releases, lock file and pylock.toml are there, and what nobody told is null."""
    tell(door)
    found = door.get(f"/jobs/{JOB}/set").json()
    assert (found["job_id"], found["run_id"], found["fetched"]) == (JOB, "r-fin23456", [])
    assert found["sets"] == [
        {
            "environment": "py",
            "installer": "lockfile",
            "lock": {"path": "uv.lock", "sha256": None, "format": None},
            "constraints": [],
            "packages": [{"name": "six", "version": "1.16.0", "file": None, "url": None, "hash": "sha256:1"}],
            "yanked": [],
            "pylock": "x = 1\n",
        }
    ]


def test_two_jobs_are_compared(door):
    """The answer has each difference, and its ETag spares the second time."""
    tell(door)
    answer = door.get(f"/jobs/{JOB}/compare/{OTHER}")
    (pair,) = answer.json()["pairs"]
    assert pair["differences"] == [{"kind": "changed", "name": "six", "before": "1.16.0", "after": "1.17.0"}]
    assert answer.json()["equal"] is False
    again = door.get(f"/jobs/{JOB}/compare/{OTHER}", {"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304


def test_constraints_that_nobody_asks_are_refused(door):
    """A wish for a run by constraints that no job could have is refused at once, with the reason."""
    submitter = door.token(Role.SUBMITTER)
    for word, sentence in (("http://example.org/c.txt", "over https only"), ("../c.txt", "is no file below")):
        answer = door.post("/runs", {"target": "six", "constraints": [word]}, submitter)
        assert (answer.status_code, sentence in answer.text) == (400, True)


def test_jobs_of_others_stay_hidden(closed):
    """Who may not see one of the jobs is told that there is none, of the set and of the comparison."""
    tell(closed)
    other = closed.token(Role.READER, project="six")
    for path in (f"/jobs/{JOB}/set", f"/jobs/{JOB}/compare/{OTHER}"):
        assert closed.get(path, other).status_code == 404
        assert closed.get(path).status_code == 401
        assert closed.get(path, closed.token(Role.READER, name="all")).status_code == 200


def test_a_job_that_told_nothing_is_404(door):
    """A job without a set says why there is none."""
    answer = door.get(f"/jobs/{JOB}/set")
    assert (answer.status_code, "has not told" in answer.text) == (404, True)


def test_a_run_is_asked_for_with_installers(door):
    """What is asked of the matrix is kept for the worker that makes the run, in UTC."""
    headers = door.token(Role.SUBMITTER)
    wish = {"target": "six", "installers": ["lowest", "latest", "lowest"], "constraints": ["c.txt"]}
    answer = door.post("/runs", {**wish, "cutoff": "2026-01-31T02:00:00+02:00"}, headers)
    assert answer.status_code == 202
    with door.database.read() as session:
        kept = Narrowing.of(session.get_one(Submission, answer.json()["id"]).narrowing)
    assert [each.value for each in kept.installers] == ["lowest", "latest"]
    assert kept.constraints == ("c.txt",)
    assert kept.cutoff.isoformat() == "2026-01-31T00:00:00+00:00"
    for wrong in (
        {"installers": ["pip"]},
        {"cutoff": "soon"},
        {"cutoff": "9999-12-31T23:59:59-12:00"},
        {"constraints": ["a b"]},
    ):
        assert door.post("/runs", {"target": "six", **wrong}, headers).status_code == 422
