"""The REST API over the realistic record, on SQLite and on PostgreSQL in turn."""

import contextlib
from dataclasses import dataclass

import httpx
import pytest

from farm_api.v1.application import PREFIX
from farm_scheduler.database import Database
from farm_scheduler.roles import LOCAL
from farm_scheduler.schema import upgrade
from farm_scheduler.tokens import make_token

from ...conftest import fill
from ..serving import served


@dataclass
class Door:
    """An API, and what a test needs to come in."""

    client: httpx.Client
    database: Database
    settings: object

    def token(self, role, project=None, days=None, name="test"):
        """The headers of somebody with a new token."""
        with self.database.write() as session:
            _, secret = make_token(session, LOCAL, name=name, role=role, project=project, days=days)
        return {"Authorization": f"Bearer {secret}"}

    def get(self, path, headers=None, **params):
        """A GET below the prefix."""
        return self.client.get(PREFIX + path, headers=headers or {}, params=params or None)

    def post(self, path, body=None, headers=None):
        """A POST below the prefix."""
        return self.client.post(PREFIX + path, json=body, headers=headers or {})


@contextlib.contextmanager
def opened(settings, url):
    """The API over the record at a URL, with the realistic runs in it."""
    settings = settings.model_copy(update={"database_url": url})
    database = Database(url)
    upgrade(database)
    fill(database, settings)
    try:
        with served(settings) as client:
            yield Door(client=client, database=database, settings=settings)
    finally:
        database.close()


@pytest.fixture
def door(settings, record_url):
    """An API for everybody to read."""
    with opened(settings, record_url) as found:
        yield found


@pytest.fixture
def lite(settings, tmp_path):
    """The same on SQLite only, for what does not touch the record's own dialect."""
    with opened(settings, f"sqlite:///{tmp_path / 'lite.sqlite'}") as found:
        yield found


@pytest.fixture
def closed(settings, tmp_path):
    """An API that nobody may read without a token."""
    hidden = settings.model_copy(update={"public_read": False})
    with opened(hidden, f"sqlite:///{tmp_path / 'closed.sqlite'}") as found:
        yield found
