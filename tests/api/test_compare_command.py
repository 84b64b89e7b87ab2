"""What jobs had installed, and what differs, by command and on the pages: in this record, and on a farm elsewhere."""

import json
import re

import pytest

from farm_cli import main
from farm_dashboards.rendering import digest
from farm_dashboards.set_pages import file_name
from farm_scheduler.installed_sets import store_sets
from farm_scheduler.installers import Installer
from farm_scheduler.run_report import read_report
from farm_scheduler.tables import Attempt, Cell, Job
from farm_scheduler.told_sets import MOST_PACKAGES, ToldPackage, ToldSet
from farm_scheduler.verdicts import Verdict

from ..conftest import fill
from .serving import served

FIRST, SECOND, SILENT = "j-fin22222", "j-set33333", "j-set44444"
PYLOCK = 'lock-version = "1.0"\nüñ\u202e\n'
LOCK = {"path": "uv.lock", "sha256": "ab" * 32, "format": "uv"}
BEFORE = {"six": "1.16.0", "toy": "1.0", "gone": "3", "same": "1"}
AFTER = {"six": "1.17.0", "toy": "1.0", "new\u202e": "2", "same": "1"}


def told(packages, **more):
    """A set of these versions by name; that of `toy` is told by hash as well."""
    found = [
        ToldPackage(
            name=name, version=version, hash=f"sha256:{version}{len(packages)}" if name == "toy" else None
        )
        for name, version in packages.items()
    ]
    return ToldSet(packages=tuple(found), **more)


def add_sets(database):
    """The finished run has a job of another installer, and two of its jobs tell what they had."""
    with database.write() as session:
        first = session.get_one(Job, FIRST)
        cell = session.get_one(Cell, first.cell_id)
        for job, installer, attempt in (
            (SECOND, Installer.LOCKFILE, "a-set33333"),
            (SILENT, Installer.LOWEST, None),
        ):
            other = Cell(**{**cell.model_dump(exclude={"id"}), "position": 50, "installer": installer})
            other.label = f"{cell.label} · {installer.value}"
            session.add(other)
            session.flush()
            more = {"state": first.state, "verdict": first.verdict, "finished": first.finished}
            session.add(Job(id=job, run_id=first.run_id, cell_id=other.id, **more))
            session.flush()
            if attempt:
                session.add(Attempt(id=attempt, job_id=job, number=1, worker="w"))
                session.flush()
                store_sets(
                    session,
                    attempt,
                    {"py311": told({**AFTER, "x": "1"}, installer="lockfile", lock=LOCK, pylock=PYLOCK)},
                    [],
                )
        mine = read_report(session, first.run_id)
        attempt = next(each.attempt_id for each in mine.cells if each.job_id == FIRST)
        store_sets(
            session, attempt, {"py311": told(BEFORE, yanked=("gone==3",)), "lint": told({"a": "1"})}, []
        )


@pytest.fixture
def here(runs):
    """The record of this machine."""
    add_sets(runs)
    return ()


@pytest.fixture
def elsewhere(database, farm):
    """The same on a farm elsewhere."""
    add_sets(database)
    return ("--server", farm)


@pytest.fixture(params=["here", "elsewhere"])
def where(request):
    """The options for either."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def wheelfarm(settings, capsys):
    """Runs a command line; (exit code, stdout, stderr)."""
    del settings

    def run(*arguments):
        code = main.outcome(arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_two_jobs_are_compared_line_by_line(wheelfarm, where):
    """Each package that differs has a line, what is the same is counted, and no character of a guest does harm."""
    code, out, err = wheelfarm("compare", FIRST, SECOND, *where)
    assert (code, err) == (0, "")
    head, *lines = out.splitlines()
    assert head.startswith(f"{FIRST} · ")
    assert f"→ {SECOND} · " in head
    assert lines == [
        "py311: 2 added, 1 removed, 1 changed, 1 from other files, 1 the same",
        "  - gone 3",
        "  + new\\u202e 2",
        "  ~ six 1.16.0 → 1.17.0",
        "  + x 1",
        "  the same versions from other files: toy",
        "lint: only the first job had this environment",
    ]


def test_a_program_reads_the_same(wheelfarm, where):
    """With --json there is one object, with every difference."""
    (line,) = wheelfarm("compare", FIRST, SECOND, "--json", *where)[1].splitlines()
    found = json.loads(line)
    assert (found["type"], found["equal"], found["first"]["job"]) == ("comparison", False, FIRST)
    changed = [each for each in found["environments"][0]["differences"] if each["kind"] == "changed"]
    assert changed == [{"kind": "changed", "name": "six", "before": "1.16.0", "after": "1.17.0"}]


def test_a_job_beside_itself_is_the_same(wheelfarm, where):
    """Nothing differs, and that is said."""
    assert wheelfarm("compare", FIRST, FIRST, *where)[1].splitlines()[-1] == "both had the same packages"


@pytest.mark.parametrize("job", [SILENT, "j-none2222"])
def test_what_cannot_be_compared_is_one_sentence(wheelfarm, where, job):
    """A job that told nothing, and one that is not there, are said so, with an exit code of their own."""
    code, out, err = wheelfarm("compare", FIRST, job, *where)
    assert (code != 0, out, err.count("\n")) == (True, "", 1)
    assert job in err


def test_results_say_which_set_each_cell_had(wheelfarm, where):
    """A run with several installers tells of each cell, with the job that `compare` takes, and a job all packages."""
    out = wheelfarm("results", "r-fin23456", *where)[1]
    assert f"{SECOND} py3.11 · debian-12 · lockfile: py311: 5 packages by uv.lock (sha256 abababab)" in out
    assert "py311: 4 packages; lint: 1 package" in out
    whole = wheelfarm("results", FIRST, *where)[1]
    assert "py311 had: six 1.16.0, toy 1.0, gone 3, same 1" in whole
    assert "py311 had withdrawn releases: gone==3" in whole
    assert "py311 had, by lockfile uv.lock: six 1.17.0" in wheelfarm("results", SECOND, *where)[1]


@pytest.fixture
def pages(settings, database):
    """A browser before the pages of the record."""
    fill(database, settings)
    add_sets(database)
    with served(settings) as client:
        yield client


def test_pages_show_sets_and_what_differs(pages):
    """A job's page lists what it had and leads to the comparison with its neighbour, which shows each difference."""
    page = pages.get(f"/runs/r-fin23456/jobs/{FIRST}").text
    assert '<th scope="row">six</th>\n<td>1.16.0</td>' in page
    assert '<td>3 <span class="bad-number">withdrawn</span></td>' in page
    assert f"jobs/{FIRST}/compare/{SECOND}" in page
    assert SILENT not in page
    compared = pages.get(f"/jobs/{FIRST}/compare/{SECOND}")
    assert compared.status_code == 200
    row = compared.text.partition('<tr><th scope="row">six</th>')[2].partition("</tr>")[0]
    assert (">1.16.0<" in row.replace("\n", ""), ">1.17.0<" in row.replace("\n", "")) == (True, True)
    assert "~ changed" in row
    assert "new\\u202e" in compared.text
    assert pages.get(f"/jobs/{FIRST}/compare/{SILENT}").status_code == 404


def test_a_failed_cell_leads_to_what_its_green_neighbour_had(pages, database):
    """On the page of the run, a cell that failed has a link to the comparison with one that passed, and only that."""
    with database.write() as session:
        session.get_one(Job, FIRST).verdict = Verdict.FAILED
        session.get_one(Job, SECOND).verdict = Verdict.PASSED
    assert f"jobs/{SECOND}/compare/{FIRST}" in pages.get("/runs/r-fin23456").text
    with database.write() as session:
        session.get_one(Job, SECOND).verdict = Verdict.FAILED
    assert "/compare/" not in pages.get("/runs/r-fin23456").text


def test_a_pylock_is_fetched_as_a_text(pages):
    """The page of a job links the pylock.toml of a set, which comes as a plain text to keep; one without has none."""
    address = f"/jobs/{SECOND}/pylock/py311"
    assert f"../../..{address}" in pages.get(f"/runs/r-fin23456/jobs/{SECOND}").text
    found = pages.get(address)
    assert (found.status_code, found.text) == (200, PYLOCK)
    assert found.headers["content-type"] == "text/plain; charset=utf-8"
    assert found.headers["content-disposition"] == 'attachment; filename="pylock.py311.toml"'
    assert "/pylock/" not in pages.get(f"/runs/r-fin23456/jobs/{FIRST}").text
    for none in (f"{FIRST}/pylock/py311", f"{SECOND}/pylock/..%2Fx", f"{SILENT}/pylock/py311"):
        assert pages.get(f"/jobs/{none}").status_code == 404


@pytest.mark.parametrize("name", ["py 3.12/..", '"\r\nX: y', "ünï.cöde", "///", ""])
def test_no_environment_names_a_file_elsewhere(name):
    """Whatever an environment is called, the file is one that the specification of pylock.toml allows."""
    assert re.fullmatch(r"pylock\.(?:[A-Za-z0-9_-]+\.)?toml", file_name(name))


def test_a_set_says_which_try_had_it_and_that_it_is_cut(pages, database):
    """Where a later try told nothing the earlier one is named, and a set as long as is kept may have been longer."""
    with database.write() as session:
        session.add(Attempt(id="a-set44444", job_id=SILENT, number=1, worker="w"))
        session.add(Attempt(id="a-set55555", job_id=SILENT, number=2, worker="w"))
        session.flush()
        long = {f"p{number}": "1" for number in range(MOST_PACKAGES)}
        store_sets(session, "a-set44444", {"py311": told(long), "none": told({})}, [])
    page = pages.get(f"/runs/r-fin23456/jobs/{SILENT}").text
    assert "This is what try 1 had." in page
    assert page.count("there may have been others") == 1
    assert page.count("Nothing was installed in it.") == 1
    assert "This is what try" not in pages.get(f"/runs/r-fin23456/jobs/{SECOND}").text


@pytest.mark.parametrize(
    ("told_hash", "shown"),
    [
        ("sha256:" + "ab" * 32, "sha256:abababababab…"),
        ("ab" * 32, "abababababab…"),
        ("md5:ab", "md5:ab"),
        (None, ""),
    ],
)
def test_a_hash_is_short_on_a_page(told_hash, shown):
    """People see the first twelve signs, with the algorithm where it is told."""
    assert digest(told_hash) == shown


def test_a_job_without_a_set_says_so(pages):
    """Where nothing was told the page of a job has a sentence instead of an empty place."""
    assert "No environment told what it had" in pages.get("/runs/r-fin23456/jobs/j-fin22224").text
