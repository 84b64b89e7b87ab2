"""The errors of the command itself: the embedded service or a farm elsewhere did not do what it should.

Raised by the service, the supervisor and the commands with --server, shown by main. Errors of what a command asks for
come from the rooms below; wrong options never get here (click answers them).
"""

from typing import ClassVar

from farm_scheduler.errors import FarmError


class ServiceError(FarmError):
    """The embedded service (queue, index proxy, holder, worker) did not start, or stopped when needed."""

    code = "service"
    exit_code: ClassVar[int] = 3


class ServerError(FarmError):
    """A farm elsewhere does not answer, is out of order, or is none."""

    code = "server"
    exit_code: ClassVar[int] = 3


class ServerRefusalError(FarmError):
    """A farm elsewhere refuses what was asked for: no right, no such thing, bad input; the data has its own `code`."""

    code = "server-refusal"
    exit_code: ClassVar[int] = 2
