"""A channel to Redis that has lost its connection, and says so in a way that Celery understands.

Put in place by the worker before it connects. It changes nothing of a channel that lives.
"""

from typing import Any

from kombu.transport.redis import Channel, Transport


class LosableChannel(Channel):
    """Kombu's channel, but what is asked of it after its end is a connection error.

    Kombu 5.7 ends in an AttributeError there: when what was not acknowledged is put back, and when a task that outlived
    the connection is acknowledged. The consumer dies of that, while the process stays until its last job is over.
    """

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection is None or self.connection.client is None:
            raise ConnectionError("the connection that this message came by was lost")
        return dict(super()._connparams(asynchronous))  # type: ignore[no-untyped-call]  # kombu has no types here


def outlive_connections() -> None:
    """Have the consumer of this process outlive the loss of its connection, with jobs at work."""
    Transport.Channel = LosableChannel
