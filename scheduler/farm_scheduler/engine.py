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
METADATA = "wheelfarm.metadata"
TICKET = "wheelfarm.ticket"
SWEEP = "wheelfarm.sweep"

QUEUE = "wheelfarm"
"""The queue of this kind of host; hosts of another kind will have one of their own."""

SWEEP_SECONDS = 5.0


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
            "sweep": {"task": SWEEP, "schedule": SWEEP_SECONDS, "options": {"expires": SWEEP_SECONDS}}
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


def publish_bake(app: Celery, system: str, *, look_only: bool = False) -> None:
    """Ask for the image of a system; with `look_only` for a look whether it is there and still right.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, BAKE, system, *([True] if look_only else []))


def publish_question(app: Celery, sha256: str, system: str) -> None:
    """Have a machine of a system asked for the metadata of a source.

    Raises:
        EngineError: Redis does not take it.
    """
    _send(app, METADATA, sha256, system)


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


def _send(app: Celery, task: str, *arguments: str | bool) -> None:
    try:
        app.send_task(task, args=arguments, queue=QUEUE, retry=False)
    except (OperationalError, OSError) as error:
        raise _unreachable(app) from error


def _unreachable(app: Celery) -> EngineError:
    url = str(app.conf.broker_url)
    sentence = f"the farm's Redis does not answer ({url}); start the farm with wheelfarm up"
    return EngineError(sentence, url=url)
