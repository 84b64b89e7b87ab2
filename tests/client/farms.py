"""Farms for tests that run on another Python: `python -m tests.client.farms FOLDER`.

Each line on standard input ends the farm before it and brings a fresh one behind a real server; the answer is a line of
JSON: `{"url", "token", "home"}`. It ends with its input. Started by `elsewhere.py`, which has none of the farm's code.
"""

import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import SecretStr

from farm_scheduler.database import Database
from farm_scheduler.roles import LOCAL, Role
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings
from farm_scheduler.tokens import make_token

from ..api.serving import served
from ..conftest import fill


def main(arguments: Sequence[str]) -> int:
    """Serve one farm after the other."""
    folder = Path(arguments[0])
    with contextlib.ExitStack() as farm:
        for number, _ in enumerate(sys.stdin):
            farm.close()
            settings = Settings(
                home=folder / str(number),
                systems=("debian-12",),
                redis_url="memory://",
                smtp_url=SecretStr("smtp://127.0.0.1:9"),
            )
            settings.prepare()
            database = Database(settings.record_url)
            farm.callback(database.close)
            upgrade(database)
            fill(database, settings)
            with database.write() as session:
                _, token = make_token(session, LOCAL, name="test", role=Role.ADMIN)
            client = farm.enter_context(served(settings))
            url = str(client.base_url).rstrip("/")
            print(json.dumps({"url": url, "token": token, "home": str(settings.home)}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
