"""A client of a wheelfarm: `Farm` for plain code, `AsyncFarm` for asyncio and trio, with the same operations."""

from wheelfarm_client.asynchronous.farm import AsyncFarm
from wheelfarm_client.errors import (
    AnswerError,
    BusyError,
    ClientError,
    DeniedError,
    MissingError,
    ProblemError,
    RefusedError,
    UnreachableError,
)
from wheelfarm_client.event_parser import Event
from wheelfarm_client.synchronous.farm import Farm

__all__ = [
    "AnswerError",
    "AsyncFarm",
    "BusyError",
    "ClientError",
    "DeniedError",
    "Event",
    "Farm",
    "MissingError",
    "ProblemError",
    "RefusedError",
    "UnreachableError",
]
