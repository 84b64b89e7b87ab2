"""The clock of the record: the time now, or the time that a simulation says.

Called through `tables.now` by everything that writes a time. Only the simulation of capacity and tests set it, for
the block that they stand in; a farm at work never does.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_SIMULATED: ContextVar[Callable[[], datetime] | None] = ContextVar("_SIMULATED", default=None)


def now() -> datetime:
    """The time now, in UTC and aware of it."""
    simulated = _SIMULATED.get()
    return datetime.now(tz=UTC) if simulated is None else simulated()


@contextmanager
def simulated_time(clock: Callable[[], datetime]) -> Iterator[None]:
    """Within the block, in this thread, the time is what `clock` says (aware, in UTC)."""
    token = _SIMULATED.set(clock)
    try:
        yield
    finally:
        _SIMULATED.reset(token)
