"""The client against a real server."""

import io
import tarfile

import httpx
import pytest

from wheelfarm_client import (
    AnswerError,
    ClientError,
    DeniedError,
    Farm,
    MissingError,
    ProblemError,
    UnreachableError,
)
from wheelfarm_client.synchronous import connection

from .breaking import Breaking, Quiet

pytestmark = pytest.mark.anyio

RUN = "r-fin23456"
JOB = "j-fin22222"


@pytest.fixture
def archive(tmp_path):
    """A project as a tar.gz."""
    path = tmp_path / "demo.tar.gz"
    text = b'[project]\nname = "demo"\nversion = "1"\n'
    with tarfile.open(path, "w:gz") as stream:
        entry = tarfile.TarInfo("source/pyproject.toml")
        entry.size = len(text)
        stream.addfile(entry, io.BytesIO(text))
    return path


def test_everything_is_read(farm):
    """From runs to tests and files, all is there as objects."""
    with Farm(farm.url) as client:
        runs = [run for run in client.list_runs(limit=1)]
        assert {run.id for run in runs} == {RUN, "r-run23456", "r-can23456"}
        assert (client.get_run(RUN)).created.tzinfo is not None
        report = client.get_report(RUN)
        assert report.cells[2].failing[0].status == "fail"
        cells = [cell for cell in client.list_cells(RUN, limit=3)]
        assert (client.get_cell(cells[0].id)) == cells[0]
        jobs = [job for job in client.list_jobs(RUN, verdict="failed")]
        assert jobs == [client.get_job(JOB)]
        attempts = [attempt for attempt in client.list_attempts(JOB)]
        attempt = client.get_attempt(attempts[0].id)
        assert [step.name for step in client.list_steps(attempt.id)] == ["farm:install"]
        tests = [test for test in client.list_tests(attempt.id, outcome="failed")]
        assert len(tests) == 2
        assert [file.name for file in client.list_artifacts(attempt.id)] == [
            "evidence.subunit",
            "log.txt",
        ]
        assert [file.name for file in client.list_run_artifacts(RUN)]
        evidence = b"".join([chunk for chunk in client.get_evidence(attempt.id)])
        assert evidence == (farm.settings.home / f"streams/{JOB}.subunit").read_bytes()
        assert b"PASSED" in b"".join([chunk for chunk in client.get_log(attempt.id)])
        assert b"<testsuites" in b"".join([chunk for chunk in client.get_junit(RUN)])
        assert b"".join([chunk for chunk in client.get_run_evidence(RUN)])
        assert (client.get_log_piece(attempt.id)).ended
        assert [image.name for image in client.list_images()] == ["debian-12"]
        assert (client.get_image("debian-12")).state == "ready"
        queue = client.get_queue(limit=1)
        assert (queue.waiting, queue.jobs[0].run_id) == (1, "r-run23456")
        assert [event for event in client.list_events()] == []


def test_problems_are_errors_with_a_code(farm):
    """What the farm refuses is an error of its own kind, and a server that is not there another."""
    with Farm(farm.url) as client:
        with pytest.raises(MissingError) as missing:
            client.get_run("r-22222222")
        assert (missing.value.status, missing.value.code) == (404, "not-found")
        with pytest.raises(DeniedError):
            client.start_run("six")
    with Farm("http://127.0.0.1:9", retries=1) as client:
        with pytest.raises(UnreachableError, match="does not answer"):
            client.whoami()


def test_a_lost_answer_does_nothing_twice(farm):
    """A request whose answer is lost is made again, with the same key, and carried out once."""
    network = Breaking(lost={0, 1, 3})
    with Farm(farm.url, farm.token, transport=network) as client:
        wish = client.start_run("six==1.17.0", pythons=["3.12"])
        made = client.make_project("six")
        assert (client.get_submission(wish.id)).state == "waiting"
        assert (client.get_project("SIX")) == made
        changes = [(change.action, change.subject) for change in client.list_changes()]
    assert changes == [("project.make", made.id), ("run.submit", wish.id), changes[-1]]
    assert network.sent[:5] == ["POST /api/v1/runs"] * 3 + ["POST /api/v1/projects"] * 2


def test_a_file_goes_on_where_the_connection_broke(farm, archive):
    """Pieces whose answer is lost are sent again, one that is begun is ended, and nothing is sent twice else."""
    told = []
    size = archive.stat().st_size
    network = Breaking(lost={1, 4})
    with Farm(farm.url, farm.token, transport=network) as client:
        found = client.send_file(
            archive, "folder", name="demo", piece_bytes=100, progress=lambda *both: told.append(both)
        )
        assert (found.state, found.received) == ("complete", size)
        assert told[-1] == (size, size)
        begun = client.open_upload("demo", "folder", size, found.sha256)
        client.append_piece(begun.id, 0, archive.read_bytes()[:50])
        sent = len(network.sent)
        ended = client.send_file(archive, "folder", upload=begun.id)
        assert (ended.id, ended.state) == (begun.id, "complete")
        assert len(network.sent) == sent + 2
        client.delete_upload(ended.id)
        with pytest.raises(MissingError):
            client.get_upload(ended.id)


def test_a_refusal_is_seen_within_one_piece(farm, tmp_path):
    """What is no archive is refused with its first piece, however large the file is."""
    path = tmp_path / "demo.tar.gz"
    path.write_bytes(b"no archive" * 1000)
    network = Breaking()
    with Farm(farm.url, farm.token, transport=network) as client:
        with pytest.raises(ProblemError, match="is no folder"):
            client.send_file(path, "folder", piece_bytes=100)
    assert len(network.sent) == 2


def test_live_events_go_on_behind_the_last(farm):
    """A stream that breaks is taken up again, and no event comes twice."""
    network = Breaking(cut={0, 2})
    with Farm(farm.url, transport=network) as client:
        assert [event.kind for event in client.watch_run(RUN)] == ["report", "end"]
        attempts = [attempt for attempt in client.list_attempts(JOB)]
        kinds, text = [], ""
        for event in client.watch_log(attempts[0].id):
            kinds.append(event.kind)
            text += str(event.data.get("text", ""))
    assert kinds == ["log", "end"]
    assert text.count("PASSED") == 60


def test_a_run_in_which_nothing_happens_is_watched(monkeypatch):
    """A farm ends a stream after its time, as often as it takes; what is no stream, or breaks, is told."""
    monkeypatch.setattr(connection, "AGAIN_SECONDS", 0.001)
    asked = []

    def answer(request):
        asked.append(request.headers.get("last-event-id"))
        said = b'id: 5\nevent: end\ndata: {"x": 1}\n\n' if len(asked) == 20 else b": quiet\n\n"
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Quiet(said))

    with Farm("http://farm", transport=httpx.MockTransport(answer), retries=1) as client:
        assert [event.kind for event in client.watch_run(RUN, last_id="4")] == ["end"]
        assert asked == ["4"] * 20
        asked.clear()
        assert [event.kind for event in client.watch_log("a-fin22222")] == ["end"]
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with Farm("http://farm", transport=page) as client:
        with pytest.raises(AnswerError, match="is the address that of a farm"):
            assert [event for event in client.watch_run(RUN)] == []


GARBLED = [
    ({"content-encoding": "gzip"}, b"no gzip", "not in its Content-Encoding"),
    ({}, b"[" * 100_000, "nested too deep"),
    ({}, b'{"name": "\xff"}', "no JSON"),
]


# httpx leaves its iterator over a body to the garbage collector when a chunk of it is no good, which trio tells.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("headers", "body", "told"), GARBLED)
def test_an_answer_that_cannot_be_read_is_an_error_of_the_client(headers, body, told):
    """A body in no encoding, nested too deep or in no UTF-8 is an error in one sentence, also of a problem."""

    def answer(request):
        status = 500 if "bad" in request.url.path else 200
        kind = {"content-type": "text/event-stream"} if "events" in request.url.path else {}
        content = b"data: " + body + b"\n\n" if kind and "content-encoding" not in headers else body
        return httpx.Response(status, headers={**headers, **kind}, stream=Quiet(content))

    with Farm("http://farm", transport=httpx.MockTransport(answer)) as client:
        with pytest.raises(AnswerError, match=told):
            client.get_project("demo")
        with pytest.raises(ClientError, match=r"Encoding|answered 500"):
            client.get_project("bad")
        with pytest.raises(ClientError, match=r"Encoding|answered 500"):
            assert [chunk for chunk in client.file("/bad")] == []
        if headers:
            with pytest.raises(AnswerError, match=told):
                assert [chunk for chunk in client.file("/file")] == []
        elif body.startswith(b"["):
            with pytest.raises(AnswerError, match=told):
                assert [event for event in client.watch_run(RUN)] == []


@pytest.mark.parametrize("document", [None, [], {}, {"items": 1}, {"items": [None]}])
def test_what_is_no_list_is_an_error_of_the_client(document):
    """A list without pages that is none is an error as every other answer of another shape."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, json=document))
    with Farm("http://farm", transport=transport) as client:
        for call in (client.list_secrets, client.list_listeners, client.list_steps, client.list_artifacts):
            with pytest.raises(AnswerError, match="is the address that of a farm"):
                call("demo")


@pytest.mark.parametrize("name", ["", ".", "..", "../tokens/t-1", "demo/following", "a//b"])
def test_what_can_be_no_name_is_not_sent(name):
    """A name that would lead to another operation is refused before anything is sent."""
    never = httpx.MockTransport(lambda _: pytest.fail("it was sent"))
    with Farm("http://farm", transport=never) as client:
        for call in (client.delete_project, client.get_run, client.unfollow_pattern, client.delete_upload):
            with pytest.raises(MissingError, match="nothing on a farm is called"):
                call(name)
        with pytest.raises(MissingError):
            assert [event for event in client.watch_run(name)] == []


def test_what_is_no_token_is_not_sent():
    """What no header can have is refused at once, in a sentence that does not show it."""
    for token in ("wf_\u00e9", "wf_a\nX: y"):
        with pytest.raises(ClientError, match="the token is none") as refused:
            Farm("http://farm", token)
        assert "wf_" not in str(refused.value)
    with pytest.raises(ClientError, match="is no address"):
        Farm("http://[::1")


def test_a_name_is_one_part_of_a_path(farm):
    """No character of a name ends the path: there is no project of that name, and none is removed."""
    with Farm(farm.url, farm.token) as client:
        made = client.make_project("demo")
        for name in ("demo?x=1", "demo#x", "demo%2Ffollowing", "d\u00e9mo", "demo\n"):
            with pytest.raises(ProblemError) as refused:
                client.delete_project(name)
            assert refused.value.status in {404, 422}
        assert client.get_project("demo") == made


def test_a_run_is_cancelled_and_tokens_end(farm):
    """What changes something is done, and a token that was revoked opens nothing."""
    with Farm(farm.url, farm.token) as client:
        assert (client.cancel_run("r-run23456")).before == "running"
        with pytest.raises(ProblemError) as refused:
            client.rerun_job("j-run22221")
        assert refused.value.code == "rerun"
        made = client.make_token("ci", "reader", days=1)
        assert made.token in [token for token in client.list_tokens()]
        assert (client.make_project("attrs")).paused is False
        assert (client.change_project("attrs", paused=True)).paused is True
        assert (client.change_project("attrs", quota=2, weight=3)).quota == 2
        assert (client.change_project("attrs", no_quota=True)).quota is None
        assert [delivery for delivery in client.list_deliveries(ignored=True)] == []
        assert [project.name for project in client.list_projects()] == ["attrs"]
        with Farm(farm.url, made.secret) as other:
            assert (other.whoami()).role == "reader"
            client.revoke_token(made.token.id)
            with pytest.raises(DeniedError):
                other.whoami()


def test_what_a_project_has_is_made_and_ended(farm):
    """Secrets, followed releases, patterns and listeners are made, listed and ended, and a project is removed."""
    with Farm(farm.url, farm.token) as client:
        client.make_project("demo", repository="https://github.com/me/demo.git")
        made = client.make_secret("demo")
        given = client.make_secret("demo", given="a-secret-of-the-forge")
        assert (made.secret is None, given.secret) == (False, None)
        assert client.list_secrets("demo") == [given.made, made.made]
        client.end_secret("demo", made.made.id)
        assert client.list_secrets("demo") == [given.made]
        assert (client.follow_project("demo")) == (client.get_following("demo"))
        assert [each.project for each in client.list_followings()] == ["demo"]
        client.unfollow_project("demo")
        assert (client.follow_pattern("pytest-?*")).pattern == "pytest-?*"
        assert [each.pattern for each in client.list_patterns()] == ["pytest-?*"]
        client.unfollow_pattern("pytest-?*")
        told = client.add_listener("demo", "email", place="me@example.org")
        assert client.list_listeners("demo") == [told.listener]
        client.stop_listener("demo", "email")
        asked = client.start_redelivery("demo", "a-token-of-the-forge")
        assert (client.get_redelivery("demo"), asked.app_id) == (asked, None)
        client.stop_redelivery("demo")
        assert (client.delete_project("demo")).name == "demo"
        with pytest.raises(MissingError):
            client.get_project("demo")
