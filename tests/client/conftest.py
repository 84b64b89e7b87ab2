"""A farm behind a real server, for the client's tests in both kinds of code."""

from dataclasses import dataclass

import pytest

from farm_scheduler.database import Database
from farm_scheduler.roles import LOCAL, Role
from farm_scheduler.settings import Settings
from farm_scheduler.tokens import make_token

from ..api.serving import served
from ..conftest import fill


@dataclass
class Served:
    """Where the farm is, a token for it, and its record."""

    url: str
    token: str
    database: Database
    settings: Settings


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    """What runs the asynchronous tests."""
    return request.param


@pytest.fixture
def farm(settings, database):
    """A farm with the realistic record, and an admin's token."""
    fill(database, settings)
    with database.write() as session:
        _, secret = make_token(session, LOCAL, name="test", role=Role.ADMIN)
    with served(settings) as client:
        yield Served(url=str(client.base_url).rstrip("/"), token=secret, database=database, settings=settings)
