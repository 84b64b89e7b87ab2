"""Constraints on the web: fetched once for a run, bounded, from where the farm may ask, and into the job's frame."""

import hashlib
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from farm_images.agent import installer
from farm_images.agent.places import Places
from farm_scheduler.claims import Claim
from farm_scheduler.cutoff import read_cutoff
from farm_scheduler.errors import IndexUnavailableError
from farm_scheduler.installers import Installer
from farm_scheduler.settings import Settings
from farm_workers.constraint_texts import MOST_BYTES, ConstraintsError, constraint_texts
from farm_workers.installer_frames import installer_frame

TEXT = "six==1.17.0\n"
DIGEST = hashlib.sha256(TEXT.encode()).hexdigest()


@dataclass
class Web:
    """A server of a few texts; `moved` is where a path has gone."""

    texts: dict[str, bytes] = field(default_factory=dict)
    moved: dict[str, str] = field(default_factory=dict)
    status: int = 200
    asked: Counter[str] = field(default_factory=Counter)
    url: str = ""


@pytest.fixture
def web() -> Iterator[Web]:
    """The server, on loopback."""
    found = Web(texts={"/c.txt": TEXT.encode(), "/long": b"x" * (MOST_BYTES + 1), "/binary": b"\xff\xfe"})

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked[self.path] += 1
            body = found.texts.get(self.path, b"")
            gone = found.moved.get(self.path)
            self.send_response(302 if gone else found.status if self.path in found.texts else 404)
            if gone:
                self.send_header("Location", gone)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def settings(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A farm that may ask this server, directly."""
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return Settings(home=tmp_path, git_hosts=(web.url.removeprefix("http://"),))


def test_a_run_has_one_text(web: Web, settings: Settings) -> None:
    """All jobs of a run have what the first one had, whatever stands there later; another run has that."""
    assert constraint_texts([f"{web.url}/c.txt"], "r-1", settings) == (TEXT,)
    web.texts["/c.txt"] = b"six==1.16.0\n"
    assert constraint_texts([f"{web.url}/c.txt"], "r-1", settings) == (TEXT,)
    assert constraint_texts([f"{web.url}/c.txt"], "r-2", settings) == ("six==1.16.0\n",)
    assert web.asked["/c.txt"] == 2


def test_a_hash_is_held_and_asked_for_once(web: Web, settings: Settings) -> None:
    """With a hash the text is fetched once for all runs, and one with another hash is refused with both."""
    url = f"{web.url}/c.txt#sha256={DIGEST}"
    for run in ("r-1", "r-2"):
        assert constraint_texts([url], run, settings) == (TEXT,)
    assert web.asked["/c.txt"] == 1
    with pytest.raises(ConstraintsError, match=DIGEST):
        constraint_texts([f"{web.url}/c.txt#sha256={'0' * 64}"], "r-1", settings)


def test_what_has_moved_is_followed_a_little(web: Web, settings: Settings) -> None:
    """A redirect is followed, in a circle not for ever, and to nowhere that may not be asked."""
    web.moved = {"/old": "/c.txt", "/round": "/round", "/inside": "http://169.254.169.254/secret"}
    assert constraint_texts([f"{web.url}/old"], "r-1", settings) == (TEXT,)
    with pytest.raises(ConstraintsError, match="name the last"):
        constraint_texts([f"{web.url}/round"], "r-1", settings)
    with pytest.raises(ConstraintsError, match=r"169\.254\.169\.254"):
        constraint_texts([f"{web.url}/inside"], "r-1", settings)


@pytest.mark.parametrize(
    ("path", "sentence"), [("/none", "answers 404"), ("/long", "more than 256 KiB"), ("/binary", "no text")]
)
def test_what_cannot_be_used_is_the_projects_to_correct(
    web: Web, settings: Settings, path: str, sentence: str
) -> None:
    """What is not there, too long or no text is said in one sentence, and is no fault of the farm."""
    with pytest.raises(ConstraintsError, match=sentence):
        constraint_texts([web.url + path], "r-1", settings)


def test_a_host_in_trouble_is_asked_again(web: Web, settings: Settings) -> None:
    """A server that fails, and one that is not there, are no reason to judge the project."""
    web.status = 503
    with pytest.raises(IndexUnavailableError, match="asked for again"):
        constraint_texts([f"{web.url}/c.txt"], "r-1", settings)
    gone = Settings(home=settings.home, git_hosts=("127.0.0.1:9",))
    with pytest.raises(IndexUnavailableError, match="asked for again"):
        constraint_texts(["http://127.0.0.1:9/c.txt"], "r-1", gone)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/c", "https://10.0.0.1/c", "https://localhost/c", "http://example.org/c"]
)
def test_the_farms_own_network_is_not_asked(tmp_path: Path, url: str) -> None:
    """Without a setting that allows it, only https to public addresses is asked."""
    with pytest.raises(ConstraintsError, match=r"not asked|no public address"):
        constraint_texts([url], "r-1", Settings(home=tmp_path))


def claim(word: Installer, *constraints: str, cutoff: str | None = None) -> Claim:
    """A claimed job of this installer."""
    return Claim(
        job_id="j", attempt_id="a", run_id="r-1", number=1, system="s", environments=("py",), tool="tox", variables={},
        inferred=None, source_sha256="0", expected_seconds=1, installer=word, constraints=constraints,
        cutoff=None if cutoff is None else read_cutoff(cutoff),
    )  # fmt: skip


def test_the_guest_is_told_what_was_decided(web: Web, settings: Settings, tmp_path: Path) -> None:
    """The word, the files of the source, what was fetched and the cut-off become variables of tox in the guest."""
    job = claim(Installer.CONSTRAINTS, "c.txt", f"{web.url}/c.txt", cutoff="2026-01-31")
    places = Places(root=tmp_path, archive=tmp_path)
    places.spool.mkdir(parents=True)
    told = installer.variables(installer_frame(job, settings), places)
    own, fetched = told.pop("WHEELFARM_CONSTRAINTS").split("\n")
    assert (own, Path(fetched).read_text()) == ("c.txt", TEXT)
    assert told == {
        "WHEELFARM_TOX": "1",
        "WHEELFARM_INSTALLER": "constraints",
        "WHEELFARM_CUTOFF": "2026-02-01T00:00:00+00:00",
        "UV_DEFAULT_INDEX": "http://10.0.2.2:3141/simple/",
        "UV_INSECURE_HOST": "10.0.2.2",
    }


def test_a_project_that_decides_itself_is_told_nothing(settings: Settings, tmp_path: Path) -> None:
    """With the word `project` the guest behaves as it does without tox-wheelfarm."""
    frame = installer_frame(claim(Installer.PROJECT, cutoff="2026-01-31"), settings)
    assert frame is None
    assert installer.variables(frame, Places(root=tmp_path, archive=tmp_path)) == {}
