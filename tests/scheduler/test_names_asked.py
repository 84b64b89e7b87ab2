"""Names asked for in vain: which of them a failure is blamed on."""

from farm_images.subunit_stream import Event
from farm_scheduler.judgement import judge
from farm_scheduler.names_asked import LOG_BYTES, MAX_NAMES, NamesAsked
from farm_scheduler.results import Results
from farm_scheduler.verdicts import Verdict


def test_only_names_that_the_log_tells_of_count() -> None:
    """A name is told of before or after it is asked for, across chunks, in any case; others are left out."""
    names = NamesAsked()
    names.log(b"loading https://docs.exa")
    names.ask("docs", b"docs.example.org")
    names.ask("docs", b"telemetry.example")
    names.log(b"mple.ORG/objects.inv\n")
    names.ask("docs", b"later.example")
    names.ask("docs", b"localhost")
    names.log(b"cannot reach LATER.example, nor localhost")
    assert names.told() == {"docs": ("docs.example.org", "later.example")}


def test_hostile_names_are_bounded() -> None:
    """What is no name is dropped, and so is what comes after a hundred."""
    names = NamesAsked()
    for name in [b"", b"\xff.example", b"a.\n", b"x." * 200]:
        names.ask(None, name)
    for number in range(2 * MAX_NAMES):
        names.ask(None, b"n%d.example" % number)
    names.log(b"x" * 2 * LOG_BYTES + b"".join(b"n%d.example\n" % number for number in range(2 * MAX_NAMES)))
    assert len(names.told()[None]) == MAX_NAMES


def judged(*, told: bool, test: str | None = None) -> tuple[Verdict, str | None]:
    """The verdict of a job whose commands failed after it asked for a name."""
    results = Results(["docs"])
    results.feed(
        [
            Event(test_id="farm:commands", status="inprogress", route_code="docs", runnable=False),
            Event(test_id="farm:network", runnable=False, file_name="name", file_bytes=b"example.org"),
            *([Event(test_id="test_it", status=test, route_code="docs")] if test else []),
            Event(
                test_id="farm:tox",
                runnable=False,
                file_name="log",
                file_bytes=b"no example.org\n" if told else b"wrong\n",
            ),
            Event(test_id="farm:commands", status="fail", route_code="docs", runnable=False),
            Event(test_id="farm:job", runnable=False, file_name="job.json", file_bytes=b'{"exit_code": 1}'),
            Event(test_id="farm:job", status="fail", runnable=False),
        ]
    )
    results.close()
    judgement = judge(results.evidence())
    return judgement.verdict, judgement.reason


def test_a_failure_that_tells_of_the_name_needs_network() -> None:
    """The cell is unsupported, with the name; a failing test, or a log that does not tell of it, is not excused."""
    assert judged(told=True) == (Verdict.UNSUPPORTED, "docs: needs network: it asked for example.org")
    assert judged(told=False)[0] is not Verdict.UNSUPPORTED
    assert judged(told=True, test="fail")[0] is Verdict.FAILED
