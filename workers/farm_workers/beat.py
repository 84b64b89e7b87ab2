"""Beat: sends the periodic messages (sweep, report, watch) at a steady pace, whatever is done to the host's clock.

Started as `python -m celery -A farm_workers.beat beat --scheduler farm_workers.beat.SteadyScheduler`, once per farm (a
second one only makes its workers look more often). It keeps nothing, opens no record and runs no task.
"""

import time
from functools import cache
from typing import Any

from celery import Celery
from celery.beat import Scheduler

from farm_scheduler.engine import celery_app
from farm_scheduler.settings import Settings


def __getattr__(name: str) -> Celery:
    """`app`, when Celery asks for it (PEP 562): importing this module reads no settings."""
    if name == "app":
        return _app()
    raise AttributeError(name)


@cache
def _app() -> Celery:
    return celery_app(Settings())


class SteadyScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Celery's scheduler over the monotonic clock.

    Celery's own goes by the time of day: set back by an hour, it sends nothing for an hour.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._due: dict[str, float] = {}
        super().__init__(*arguments, **options)

    def tick(self, *_: Any, **__: Any) -> float:
        """Send what is due; the seconds until something is due again."""
        wait = float(self.max_interval)
        for entry in list(self.schedule.values()):
            if self._due.get(entry.name, 0.0) <= time.monotonic():
                self._due[entry.name] = time.monotonic() + entry.schedule.seconds
                self.apply_entry(entry, producer=self.producer)
            wait = min(wait, self._due[entry.name] - time.monotonic())
        return max(0.0, wait)
