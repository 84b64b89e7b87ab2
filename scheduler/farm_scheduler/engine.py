"""The engine: Celery on a Redis, told everything that the farm relies on.

Called by entry points (the worker builds its app here) and by runs and the sweep, which publish. Messages carry
ids only, and nothing depends on their arrival: the record decides, a lost or doubled ticket changes nothing.
It never touches the record.
"""

from collections.abc import Callable, Mapping
from typing import Any

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from farm_scheduler.errors import EngineError
from farm_scheduler.host_kinds import X86_64
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
"""The queue of what needs no machine: any worker takes it. What needs one is in the queue of its kind of host."""

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
            # Soon over, not after 12 s: whoever sends has recorded before, and the sweep sends again.
            "max_retries": 3,
            "interval_start": 0.1,
            "interval_step": 0.2,
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


def queue_of(kind: str) -> str:
    """The queue of the hosts of a kind."""
    return f"{QUEUE}.{kind}"


def listen(app: Celery, kind: str) -> None:
    """Have the worker of this application take what needs no machine, and what needs one of its host's kind."""
    names = (QUEUE, queue_of(kind))
    app.conf.task_queues = [Queue(name) for name in names]  # type: ignore[no-untyped-call]  # kombu has no types here


def publish_tickets(app: Celery, counts: Mapping[str, int]) -> None:
    """Send so many tickets to the hosts of each kind; call it after the commit of what they are for.

    Raises:
        EngineError: Redis does not take them.
    """
    for kind, count in counts.items():
        for _ in range(count):
            _send(app, TICKET, queue=queue_of(kind))


def publish_bake(app: Celery, system: str, kind: str = X86_64, *, look_only: bool = False) -> None:
    """Ask a host of a kind for the image of a system; with `look_only` for a look whether it is there and still right.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, BAKE, system, *([True] if look_only else []), queue=queue_of(kind))


def publish_event(app: Celery, *event_ids: str) -> None:
    """Have workers make the runs that events ask for; several at once cost a door little more than one.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, EVENT, *event_ids)


def publish_question(app: Celery, sha256: str, system: str, kind: str = X86_64) -> None:
    """Have a machine of a system, on a host of a kind, asked for the metadata of a source.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, METADATA, sha256, system, queue=queue_of(kind))


def publish_submission(app: Celery, submission_id: str) -> None:
    """Have the source of a submission fetched and checked.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, SUBMISSION, submission_id)


def waiting_tickets(app: Celery, kind: str = X86_64) -> int:
    """How many messages wait for hosts of a kind, roughly.

    Raises:
        EngineError: Redis does not answer.
    """
    return int(_ask(app, lambda channel: channel.queue_declare(queue_of(kind), passive=False).message_count))


def awaits_messages(app: Celery) -> bool:
    """Whether a worker waits for messages: a client of the Redis is inside BRPOP."""
    try:
        clients = _ask(app, lambda channel: channel.client.client_list())
    except EngineError:
        return False
    return any(client.get("cmd") == "brpop" for client in clients)


def _ask(app: Celery, question: Callable[[Any], Any]) -> Any:
    connection = app.connection_for_read()
    try:
        with connection, connection.channel() as channel:
            return question(channel)
    except (OperationalError, OSError, *connection.connection_errors) as error:
        raise _unreachable(app) from error


def _send(app: Celery, task: str, *arguments: str | bool, queue: str = QUEUE) -> None:
    try:
        app.send_task(task, args=arguments, queue=queue, retry=False)
    except (OperationalError, OSError) as error:
        raise _unreachable(app) from error


def _unreachable(app: Celery) -> EngineError:
    url = str(app.conf.broker_url)
    sentence = f"the farm's Redis does not answer ({url}); start the farm with wheelfarm up"
    return EngineError(sentence, url=url)
