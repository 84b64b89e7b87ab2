"""A farm with a project of each forge, whose doors a real server serves."""

import base64
import contextlib
import hashlib
import hmac
import json
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn
from sqlmodel import select

from farm_api.application import create_app
from farm_api.server import LOCAL_NAMES, bind
from farm_scheduler.event_tables import Delivery, Event
from farm_scheduler.project_secrets import add_secret
from farm_scheduler.projects import add_project
from farm_scheduler.secret_box import secret_box
from farm_scheduler.settings import Settings

PAYLOADS = Path(__file__).parent / "payloads"
REPOSITORIES = {
    "github": "https://github.com/Codertocat/Hello-World.git",
    "gitlab": "http://example.com/mike/diaspora.git",
    "forgejo": "http://localhost:3000/gitea/webhooks",
    "gitea": "http://localhost:3000/gitea/webhooks.git",
    "bitbucket": "https://bitbucket.org/team_name/repo_name.git",
    "pagure": "https://pagure.io/demo.git",
    "pypi": None,
}


@pytest.fixture
def settings(tmp_path, record_url):
    """A farm on SQLite and on PostgreSQL in turn, whose engine keeps its messages to itself."""
    made = Settings(
        home=tmp_path / "home",
        database_url=record_url,
        redis_url="memory://",
        webhook_bytes=100_000,
    )
    made.prepare()
    return made


@pytest.fixture
def secrets(record, settings):
    """The secret of each forge's project."""
    box, made = secret_box(settings), {}
    with record.write() as session:
        for forge, repository in REPOSITORIES.items():
            kind = forge if repository else None
            project = add_project(session, f"demo-{forge}", repository, kind)
            made[forge] = add_secret(session, box, project.id)
    return made


@pytest.fixture
def doors(settings, secrets):
    """A client of the doors, and what signs for it."""
    with served(settings) as client:
        yield Doors(client, secrets)


@contextlib.contextmanager
def served(settings):
    """A client of the application, which a real server serves."""
    listener = bind("127.0.0.1", 0)
    config = uvicorn.Config(create_app(settings, LOCAL_NAMES), log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()


class Doors:
    """Sends payloads as each forge does."""

    def __init__(self, client, secrets):
        self.client = client
        self.secrets = secrets

    def send(self, forge, payload, kind="", delivery="d-1", secret=None):
        """One delivery of a payload (a file's name, or what is to be sent), signed as the forge signs."""
        body = (PAYLOADS / f"{payload}.json").read_bytes() if isinstance(payload, str) else payload
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        headers = signed(forge, body, secret or self.secrets[forge], kind, delivery)
        return self.client.post(f"/webhooks/{forge}", content=body, headers=headers)


def signed(forge, body, secret, kind, delivery):
    """The headers of a forge."""
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    now = str(int(time.time()))
    match forge:
        case "github":
            names = {"X-GitHub-Event": kind, "X-GitHub-Delivery": delivery}
            return names | {"X-Hub-Signature-256": f"sha256={digest}"}
        case "gitlab":
            return {"X-Gitlab-Event": kind, "X-Gitlab-Event-UUID": delivery, "X-Gitlab-Token": secret}
        case "bitbucket":
            names = {"X-Event-Key": kind, "X-Request-UUID": delivery}
            return names | {"X-Hub-Signature": f"sha256={digest}"}
        case "pagure":
            return {"X-Pagure-Topic": kind, "X-Pagure-Signature-256": digest}
        case "pypi":
            return standard(body, secret, delivery, now)
    name = {"gitea": "Gitea", "forgejo": "Forgejo"}[forge]
    return {f"X-{name}-Event": kind, f"X-{name}-Delivery": delivery, f"X-{name}-Signature": digest}


def standard(body, secret, delivery, now):
    """The headers of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{delivery}.{now}.".encode() + body, hashlib.sha256).digest()
    signature = "v1," + base64.b64encode(made).decode()
    return {"webhook-id": delivery, "webhook-timestamp": now, "webhook-signature": signature}


def events(record):
    """All events, as the record has them."""
    with record.read() as session:
        return list(session.exec(select(Event).order_by(Event.ref)))


def deliveries(record):
    """All deliveries."""
    with record.read() as session:
        return list(session.exec(select(Delivery)))
