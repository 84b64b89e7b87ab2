"""What every door of the API needs: the record, the settings, the engine, and the bounds on its callers.

Built by application, found by the routes through their request. It holds no state of a request and starts nothing.
"""

from dataclasses import dataclass
from typing import Annotated

from celery import Celery
from fastapi import Depends, Request

from farm_api.v1.rates import Rates
from farm_dashboards.log_reader import LogReader
from farm_dashboards.places import Places
from farm_scheduler.database import Database
from farm_scheduler.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One API over one record."""

    database: Database
    settings: Settings
    engine: Celery
    rates: Rates
    logs: LogReader
    streams: Places


def house_of(request: Request) -> House:
    """The house that a request has come to."""
    found: House = request.app.state.house
    return found


TheHouse = Annotated[House, Depends(house_of)]
