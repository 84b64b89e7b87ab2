"""The question of a plan to a guest: the service is held, a machine asked, and the end of it waited for.

Called by the plan command, when a person wants it. It asks nothing itself: a worker does. How far it is goes to
stderr, as stdout is the plan.
"""

import time

import click
from celery import Celery

from farm_cli.interruption import Interruption
from farm_cli.record import Record
from farm_cli.service import Service
from farm_scheduler.engine import celery_app
from farm_scheduler.guest_text import clean_line
from farm_scheduler.questions import ask, progress, stop_wanting

LOOK_SECONDS = 0.25
RENEW_SECONDS = 5.0


def ask_and_wait(record: Record, sha256: str, system: str) -> None:
    """Return when the question on a source has an end, good or bad; Ctrl-C ends it with the command.

    Raises:
        ServiceError: the service cannot be started or kept up.
        EngineError: Redis does not answer.
        KeyboardInterrupt: the person wanted out.
    """
    app = celery_app(record.settings)
    kind = record.settings.host_kinds.kind_of(system)
    try:
        with Interruption().listening(), Service(record.settings) as service:
            service.wait_for("redis")
            try:
                ask(record.database, app, sha256, system, anew=True, for_a_plan=True, kind=kind)
                _wait(record, app, service, sha256, system)
            finally:
                stop_wanting(record.database, sha256, system)
    finally:
        app.close()


def _wait(record: Record, app: Celery, service: Service, sha256: str, system: str) -> None:
    said, renewed = None, time.monotonic()
    kind = record.settings.host_kinds.kind_of(system)
    while True:
        with record.database.read() as session:
            note = progress(session, sha256, system)
        if note is None:
            return
        if note != said:
            click.echo(clean_line(f"asking a machine of {system}: {note}"), err=True)
            said = note
        service.check()
        if time.monotonic() - renewed > RENEW_SECONDS:
            ask(record.database, app, sha256, system, anew=False, for_a_plan=True, kind=kind)
            renewed = time.monotonic()
        time.sleep(LOOK_SECONDS)
