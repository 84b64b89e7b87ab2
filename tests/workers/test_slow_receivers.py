"""One receiver that is slow, or whose report cannot be made, and all the others, who are told meanwhile."""

import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import wait
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr

from farm_scheduler.database import Database
from farm_scheduler.errors import FeedbackError
from farm_scheduler.feedback import AT_ONCE, plan_reports, settle_report, take_report
from farm_scheduler.feedback_tables import Channel, Listener, ReportState
from farm_scheduler.settings import Settings
from farm_scheduler.tables import Project
from farm_workers.feedback import exchange, sending
from farm_workers.feedback.exchange import ask, outgoing
from farm_workers.feedback.sending import Reporter

from .github_server import TOKEN, GitHub
from .told_farm import Farm, tell


class Drip:
    """A server whose answer never ends: a byte at a time, of the head or of the body."""

    def __init__(self, begin: bytes) -> None:
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self.socket.getsockname()[1]}"
        self.begin, self.asked, self.over = begin, 0, threading.Event()
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                self.asked += 1
                threading.Thread(target=self._drip, args=(connection,), daemon=True).start()

    def _drip(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.sendall(self.begin)
            while not self.over.wait(0.1):
                connection.sendall(b"x")


@pytest.fixture(params=[b"HTTP/1.1 200 OK\r\nX: ", b'HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n"'])
def drip(request: pytest.FixtureRequest) -> Iterator[Drip]:
    """A running one."""
    found = Drip(request.param)
    yield found
    found.over.set()
    found.socket.close()


def test_an_exchange_ends_in_time_however_the_answer_comes(
    drip: Drip, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer that comes byte by byte is given up as a whole, the head as well as the body."""
    monkeypatch.setattr(exchange, "ALL_SECONDS", 1.0)
    open_settings = settings.model_copy(update={"git_hosts": (drip.host,)})
    begun = time.monotonic()
    with pytest.raises(FeedbackError, match="too slowly"):
        ask(outgoing(f"http://{drip.host}/x", {}, method="GET"), open_settings)
    assert time.monotonic() - begun < 8


@pytest.fixture
def farm(tmp_path: Path, record: Database, record_url: str, github: GitHub) -> Farm:
    """A farm with a project at GitHub, which gets checks' comments, and a second project without a listener."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        git_hosts=("127.0.0.1",),
        smtp_url=SecretStr("smtp://127.0.0.1:9"),
    )
    settings.prepare()
    farm = Farm(record, settings, github.host)
    farm.project("github")
    farm.listen(Channel.COMMENT, token=TOKEN)
    with record.write() as session:
        session.add(Project(id="p-2", name="other"))
    return farm


def listen(farm: Farm, channel: Channel, place: str) -> None:
    """Have somebody told of the second project, as if that had been allowed."""
    with farm.database.write() as session:
        session.add(Listener(project_id="p-2", channel=channel, place=place))


def run_of_other(farm: Farm) -> str:
    """A bad run of the second project that is told of before all others: its branch has no other."""
    run_id = farm.run(1)
    farm.change(run_id, project_id="p-2", ref=run_id)
    return run_id


def test_a_slow_receiver_does_not_hold_up_others(
    farm: Farm, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one listener drips its answer, the other is told; then the slow one is left alone for a while."""
    drip = Drip(b"HTTP/1.1 200 OK\r\nX: ")
    listen(farm, Channel.WEBHOOK, f"http://{drip.host}/x")
    monkeypatch.setattr(exchange, "ALL_SECONDS", 6.0)
    for _ in range(AT_ONCE + 5):
        run_of_other(farm)
    begun = farm.reporter.report()
    while drip.asked == 0:
        time.sleep(0.02)
    farm.pull(farm.run(1), 7)
    begun += farm.reporter.report()
    try:
        end = time.monotonic() + 5
        while not github.comments and time.monotonic() < end:
            time.sleep(0.05)
        assert github.comments, "the slow receiver holds up the other"
        assert len(wait(begun, timeout=30).not_done) == 0
        assert drip.asked == 1, "another report was told where nobody answers"
        (slow,) = [each for each in farm.reports() if each.tries and each.channel is Channel.WEBHOOK]
        assert (slow.state, "too slowly" in str(slow.reason)) == (ReportState.WAITING, True)
        tell(farm.reporter)
        assert drip.asked == 1
        farm.hurry()
        again = farm.reporter.report()
        assert len(wait(again, timeout=30).not_done) == 0
        assert drip.asked == 2
    finally:
        drip.over.set()
        drip.socket.close()


def test_a_telling_ends_in_time_however_many_exchanges_it_has(
    farm: Farm, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forge whose answers each come in time is given up with the telling, long before another may begin it."""
    monkeypatch.setattr(sending, "TELLING_SECONDS", 1.0)

    def slowly(_method: str, _path: str) -> bool:
        time.sleep(0.7)
        return False

    github.deaf = slowly
    farm.pull(farm.run(1), 7)
    begun = time.monotonic()
    tell(farm.reporter)
    assert time.monotonic() - begun < 5
    (report,) = farm.reports()
    assert (report.state, report.taken is None) == (ReportState.WAITING, False)
    assert "too slowly" in str(report.reason)
    github.deaf = lambda _method, _path: False
    farm.hurry()
    farm.tell()
    assert len(github.comments) == 1


def test_who_ends_late_says_nothing_of_the_next_telling(farm: Farm) -> None:
    """A telling that somebody else has begun again meanwhile stays theirs, and is settled by them."""
    farm.pull(farm.run(1), 7)
    plan_reports(farm.database)
    first = take_report(farm.database)
    farm.hurry()
    second = take_report(farm.database)
    assert first is not None
    assert second is not None
    settle_report(farm.database, first, None)
    (report,) = farm.reports()
    assert (report.state, report.taken is None) == (ReportState.WAITING, False)
    settle_report(farm.database, second, None)
    (report,) = farm.reports()
    assert (report.state, report.taken) == (ReportState.DONE, None)


def test_a_report_that_raises_is_its_own_failure(farm: Farm, github: GitHub) -> None:
    """An address that the mail library cannot read ends neither the round nor the others' reports."""
    listen(farm, Channel.EMAIL, "=?x?b?!!?=@b")
    run_id = run_of_other(farm)
    farm.pull(farm.run(1), 7)
    tell(Reporter(farm.database, farm.settings))
    assert len(github.comments) == 1
    (mail,) = [each for each in farm.reports() if each.run_id == run_id]
    assert (mail.state, mail.tries, mail.taken) == (ReportState.WAITING, 1, None)
    assert "IndexError" in str(mail.reason)


def test_a_report_that_cannot_be_read_is_its_own_failure(
    farm: Farm, github: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What goes wrong before anything is sent counts as a try as well, and says nothing of what it was about."""
    listen(farm, Channel.WEBHOOK, "http://127.0.0.1:9/x")
    run_id = run_of_other(farm)
    farm.pull(farm.run(1), 7)
    monkeypatch.setattr("farm_workers.feedback.sending.webhook_request", _fail)
    tell(farm.reporter)
    assert len(github.comments) == 1
    (hook,) = [each for each in farm.reports() if each.run_id == run_id]
    assert (hook.tries, hook.taken) == (1, None)
    assert "secret" not in str(hook.reason)


def _fail(*_: object) -> None:
    raise RuntimeError("the secret")
