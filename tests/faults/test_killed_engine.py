"""Kill -9 of beat, of Redis with and without its data, and of the API amid a webhook; messages lost and doubled."""

import json
import subprocess
import threading
import time
import uuid
from pathlib import Path

import httpx
from sqlmodel import col, select
from tests.api.webhooks.conftest import PAYLOADS, signed

from farm_scheduler.engine import SWEEP_SECONDS, publish_tickets
from farm_scheduler.event_tables import Event, EventState
from farm_scheduler.project_secrets import add_secret
from farm_scheduler.secret_box import secret_box
from farm_scheduler.states import JobState
from farm_scheduler.tables import Project, Run

from .farm import RECOVERS_SECONDS, Farm, free_port, kill, wait_for

SLOW = "import time\ndef test_a(): time.sleep(4)\ndef test_b(): pass\n"
LONG = SLOW.replace("sleep(4)", "sleep(20)")
LONGER = SLOW.replace("sleep(4)", "sleep(60)")
PUSHES = 40


def test_what_waits_for_beat_goes_on_with_the_next(farm: Farm) -> None:
    """With beat killed nobody misses a lost ticket; the next beat, which the service starts, has it sent again."""
    farm.redis()
    beat = farm.beat()
    farm.worker()
    farm.await_worker()
    kill(beat)
    time.sleep(SWEEP_SECONDS)  # what it sent last is over
    farm.submit(lost=True)
    time.sleep(2 * SWEEP_SECONDS)
    assert farm.attempts() == []
    farm.beat()
    farm.await_attempt(1)
    wait_for(farm.ended)
    farm.check_record()


def test_a_redis_that_comes_back_empty_loses_no_job(farm: Farm) -> None:
    """Killed under a job at work and with another in the queue, and started without its data: both pass, once each."""
    redis = farm.redis()
    farm.beat()
    farm.worker(WHEELFARM_SLOTS="1")
    farm.submit(SLOW)
    wait_for(lambda: len(farm.attempts()) == 1)
    farm.submit()
    kill(redis)
    farm.redis()
    farm.await_attempt(2)
    wait_for(farm.ended)
    farm.check_record()
    assert len(farm.attempts()) == 2


def test_a_redis_killed_under_long_jobs_keeps_nobody_waiting(farm: Farm) -> None:
    """The worker listens again though its jobs go on, and when the first of them has ended: each end is noted there."""
    redis = farm.redis()
    farm.beat()
    worker = farm.worker()
    farm.submit(LONG)
    wait_for(lambda: farm.job_states() == [JobState.RUNNING])
    kill(redis)
    farm.redis()
    farm.submit(LONGER)
    farm.await_attempt(2)
    assert farm.verdicts() == [None, None]
    wait_for(lambda: farm.verdicts()[0] is not None)
    farm.submit()
    farm.await_attempt(3)
    wait_for(lambda: farm.verdicts()[2] is not None, RECOVERS_SECONDS)
    assert farm.verdicts()[1] is None
    wait_for(farm.ended)
    time.sleep(2)  # its thread has done with the ticket
    assert worker.poll() is None
    farm.check_record()
    assert len(farm.attempts()) == 3


def test_a_redis_that_comes_back_as_it_was_doubles_no_job(farm: Farm) -> None:
    """The same with its data, and so with tickets that were taken already."""
    redis = farm.redis(keep=True)
    farm.beat()
    farm.worker(WHEELFARM_SLOTS="1")
    farm.submit(SLOW)
    wait_for(lambda: len(farm.attempts()) == 1)
    farm.submit()
    kill(redis)
    farm.redis(keep=True)
    farm.await_attempt(2)
    wait_for(farm.ended)
    farm.check_record()
    assert len(farm.attempts()) == 2


def test_doubled_and_lost_messages_change_nothing(farm: Farm) -> None:
    """Many tickets for one job run it once; a job without a ticket is run as well."""
    farm.redis()
    farm.beat()
    farm.submit()
    with farm.engine() as app:
        publish_tickets(app, {"x86_64": 9})
    farm.worker()
    wait_for(farm.ended)
    farm.submit(lost=True)
    farm.await_attempt(2)
    wait_for(farm.ended)
    farm.check_record()
    assert len(farm.attempts()) == 2


def git(folder: Path, *words: str) -> str:
    """Run git in a folder."""
    argv = ["git", "-C", str(folder), "-c", "user.name=x", "-c", "user.email=x@example.org", *words]
    return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=30).stdout.strip()


def repository(farm: Farm) -> tuple[Path, list[str]]:
    """A repository of many commits, newest last."""
    folder = farm.settings.home / "repository"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "master")
    commits = []
    for number in range(PUSHES):
        (folder / "tox.ini").write_text(f"[tox]\nenv_list = py399\n# {number}\n")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "-m", str(number))
        commits.append(git(folder, "rev-parse", "HEAD"))
    return folder, commits


class Forge:
    """Sends each push until it is answered, as a forge with redeliveries does, two at a time."""

    def __init__(self, url: str, secret: str, commits: list[str]) -> None:
        self._url, self._secret = url, secret
        self._left = list(reversed(commits))
        self.answers: list[int] = []
        self.unanswered = 0
        self._lock = threading.Lock()
        self.threads = [threading.Thread(target=self._send_all) for _ in range(2)]
        for thread in self.threads:
            thread.start()

    def _send_all(self) -> None:
        while True:
            with self._lock:
                if not self._left:
                    return
                commit = self._left.pop()
            self._send(commit, str(uuid.uuid4()))

    def _send(self, commit: str, delivery: str) -> None:
        payload = json.loads((PAYLOADS / "github-push-branch.json").read_bytes())
        payload["after"] = payload["head_commit"]["id"] = commit
        body = json.dumps(payload).encode()
        headers = signed("github", body, self._secret, "push", delivery)
        deadline = time.monotonic() + RECOVERS_SECONDS
        while time.monotonic() < deadline:
            try:
                answer = httpx.post(self._url, content=body, headers=headers, timeout=10, trust_env=False)
            except httpx.HTTPError:
                self.unanswered += 1
                time.sleep(0.05)
            else:
                self.answers.append(answer.status_code)
                return


def test_a_server_killed_amid_webhooks_loses_and_doubles_no_push(farm: Farm) -> None:
    """Killed three times under a stream of pushes: each, answered at first or when sent again, is one event."""
    farm.redis()
    folder, commits = repository(farm)
    with farm.database.write() as session:
        address = "github.com/codertocat/hello-world"
        session.add(
            Project(id="p-1", name="demo", forge="github", repository=f"file://{folder}", address=address)
        )
        session.flush()
        secret = add_secret(session, secret_box(farm.settings), "p-1")
    port = free_port()
    server = farm.server(port)
    forge = Forge(f"http://127.0.0.1:{port}/webhooks/github", secret, commits)
    for answered in (3, 12, 25):
        wait_for(lambda answered=answered: len(forge.answers) >= answered)
        kill(server)
        server = farm.server(port)
    for thread in forge.threads:
        thread.join(timeout=RECOVERS_SECONDS)
    assert len(forge.answers) == PUSHES
    assert set(forge.answers) <= {200, 202}
    assert forge.unanswered
    farm.beat()
    farm.worker()

    def handled() -> bool:
        with farm.database.read() as session:
            return set(session.exec(select(Event.state))) == {EventState.DONE}

    wait_for(handled, 2 * RECOVERS_SECONDS)
    with farm.database.read() as session:
        assert sorted(session.exec(select(Event.revision))) == sorted(commits)
        made = list(session.exec(select(Run.revision)))
        late = session.exec(select(Event.revision).where(col(Event.reason).startswith("superseded by"))).all()
    assert len(made) == len(set(made))
    assert {*made, *late} == set(commits)
