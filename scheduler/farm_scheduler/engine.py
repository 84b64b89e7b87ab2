"""The engine: Celery on a Redis, told everything that the farm relies on.

Called by entry points (the worker builds its app here) and by runs and the sweep, which publish. Messages carry
ids only, and nothing depends on their arrival: the record decides, a lost or doubled ticket changes nothing.
It never touches the record.
"""

from celery import Celery
from kombu.exceptions import OperationalError

from farm_scheduler.errors import EngineError
from farm_scheduler.settings import Settings

BAKE = "wheelfarm.bake"
EVENT = "wheelfarm.event"
METADATA = "wheelfarm.metadata"
REDELIVERY = "wheelfarm.redelivery"
REPORT = "wheelfarm.report"
TICKET = "wheelfarm.ticket"
WATCH = "wheelfarm.watch"
SWEEP = "wheelfarm.sweep"
SUBMISSION = "wheelfarm.submission"

QUEUE = "wheelfarm"
"""The queue of this kind of host; hosts of another kind will have one of their own."""

SWEEP_SECONDS = 5.0
REPORT_SECONDS = 5.0
WATCH_SECONDS = 15.0
REDELIVERY_SECONDS = 30.0

MOST_TICKETS = 1000
"""Tickets that are worth having in the queue at a time: the sweep sends more when they are used up."""


def celery_app(settings: Settings) -> Celery:
    """The Celery application of a farm; connects on first use."""
    app = Celery("wheelfarm", broker=settings.broker_url, backend=None, set_as_current=False)
    app.conf.update(
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_default_queue=QUEUE,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_hijack_root_logger=False,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            # Above the longest job: an unacknowledged ticket must not come a second time while it is worked on.
            "visibility_timeout": int(2 * settings.job_seconds + settings.lease_seconds),
            "socket_connect_timeout": 5,
            "max_retries": 3,
        },
        timezone="UTC",
        beat_schedule={
            "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}},
            "report": {"task": REPORT, "schedule": REPORT_SECONDS, "options": {"expires": REPORT_SECONDS}},
            "watch": {"task": WATCH, "schedule": WATCH_SECONDS, "options": {"expires": WATCH_SECONDS}},
            "redelivery": {
                "task": REDELIVERY,
                "schedule": REDELIVERY_SECONDS,
                "options": {"expires": REDELIVERY_SECONDS},
            },
        },
    )
    return app


def publish_tickets(app: Celery, count: int) -> None:
    """Send that many tickets; call it after the commit of what they are for.

    Raises:
        EngineError: Redis does not take them.
    """
    for _ in range(count):
        _send(app, TICKET)


def publish_bake(app: Celery, system: str) -> None:
    """Ask for the image of a system.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, BAKE, system)


def publish_event(app: Celery, *event_ids: str) -> None:
    """Have workers make the runs that events ask for; several at once cost a door little more than one.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, EVENT, *event_ids)


def publish_question(app: Celery, sha256: str, system: str) -> None:
    """Have a machine of a system asked for the metadata of a source.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, METADATA, sha256, system)


def publish_submission(app: Celery, submission_id: str) -> None:
    """Have the source of a submission fetched and checked.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, SUBMISSION, submission_id)


def waiting_tickets(app: Celery) -> int:
    """How many messages wait in the queue of tickets, roughly.

    Raises:
        EngineError: Redis does not answer.
    """
    try:
        with app.connection_for_read() as connection, connection.channel() as channel:
            declared = channel.queue_declare(QUEUE, passive=False)
            return int(declared.message_count)
    except (OperationalError, OSError) as error:
        raise _unreachable(app) from error


def _send(app: Celery, task: str, *arguments: str) -> None:
    try:
        app.send_task(task, args=arguments, queue=QUEUE, retry=False)
    except (OperationalError, OSError) as error:
        raise _unreachable(app) from error


def _unreachable(app: Celery) -> EngineError:
    url = str(app.conf.broker_url)
    sentence = f"the farm's Redis does not answer ({url}); start the farm with wheelfarm up"
    return EngineError(sentence, url=url)
