"""Pagure's processes inside its root: Redis, its two Celery workers, and its web server on a listener that was passed.

Run by local_pagure, with that root's own Python, as the first process of a namespace: all of them end with it, and it
ends when its standard input does. Its first line of output is the token of the user that it made. It is no part of
the farm and imports nothing of it.
"""

import datetime
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

HOME = Path("/srv/pagure")
USERS = ("farm", "friend")
RIGHTS = (
    "create_project",
    "modify_project",
    "commit",
    "commit_flag",
    "fork_project",
    "pull_request_create",
    "pull_request_update",
)
CONFIGURATION = """
SECRET_KEY = SALT_EMAIL = "only for tests"
DB_URL = "sqlite:////srv/pagure/pagure.sqlite?timeout=60"
APP_URL = GIT_URL_GIT = {url!r}
GIT_FOLDER = "/srv/pagure/repositories"
REMOTE_GIT_FOLDER = "/srv/pagure/remotes"
ATTACHMENTS_FOLDER = "/srv/pagure/attachments"
REPOSPANNER_PSEUDO_FOLDER = "/srv/pagure/pseudo"
UPLOAD_FOLDER_PATH = "/srv/pagure/releases"
REDIS_SOCKET = "/srv/pagure/redis.sock"
GIT_AUTH_BACKEND = "pagure"
HTTP_REPO_ACCESS_GITOLITE = None
ALLOW_HTTP_PUSH = True
EMAIL_SEND = False
"""
REDIS = ("redis-server", "--port", "0", "--unixsocket", "/srv/pagure/redis.sock", "--save", "")
WORKERS = (("pagure.lib.tasks", "celery"), ("pagure.lib.tasks_services", "pagure_webhook,pagure_logcom"))


def main(listener: int, url: str) -> None:
    """Start everything, say so, and wait for the end of standard input."""
    for name in ("repositories", "remotes", "attachments", "pseudo", "releases"):
        (HOME / name).mkdir(parents=True, exist_ok=True)
    configuration = HOME / "pagure.cfg"
    configuration.write_text(CONFIGURATION.format(url=url))
    os.environ["PAGURE_CONFIG"] = str(configuration)
    log = (HOME / "log").open("ab")
    start([*REDIS, "--dir", str(HOME)], log)
    tokens = fill()
    for module, queues in WORKERS:
        celery = [sys.executable, "-m", "celery", "-A", module, "worker", "-P", "solo", "-Q", queues]
        start([*celery, "-n", module, "--without-gossip", "--without-mingle"], log)
    threading.Thread(target=serve, args=(listener,), daemon=True).start()
    print(json.dumps(tokens), flush=True)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    sys.stdin.read()


def start(command: list[str], log: object) -> None:
    """Start a process, which ends with the namespace."""
    subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=HOME)


def fill() -> dict[str, str]:
    """Make the database and the users; a token of each."""
    import pagure.config
    import pagure.lib.model
    import pagure.lib.model_base
    import pagure.lib.query

    settings = pagure.config.config
    pagure.lib.model.create_tables(settings["DB_URL"], None, acls=settings["ACLS"], debug=False)
    session = pagure.lib.model_base.create_session(settings["DB_URL"])
    tokens = {}
    ends = datetime.date.today() + datetime.timedelta(days=30)  # noqa: DTZ011 - Pagure compares it with such a day
    for name in USERS:
        user = pagure.lib.query.set_up_user(session, name, name.title(), f"{name}@example.org")
        user.password = "$0$none"  # fits nothing; git's requests are asked for a password before a token
        session.commit()
        tokens[name] = pagure.lib.query.add_token_to_user(session, None, RIGHTS, name, ends).id
    session.close()
    return tokens


def serve(listener: int) -> None:
    """Serve the pages, the API and git over HTTP."""
    from pagure.flask_app import create_app
    from werkzeug.serving import make_server

    make_server("127.0.0.1", 0, mended(create_app()), threaded=True, fd=listener).serve_forever()


def mended(app: Any) -> Any:
    """The application, with git's headers as words: Debian's Werkzeug shows Pagure's bytes as `b'…'`."""

    def call(environ: Any, start: Any) -> Any:
        def start_mended(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            words = [(name, value[2:-1] if value.startswith("b'") else value) for name, value in headers]
            return start(status, words, *more)

        return app(environ, start_mended)

    return call


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
