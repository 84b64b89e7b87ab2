"""The errors of the command itself: the embedded service did not come up, or ended.

Raised by the service and the supervisor, shown by main. Errors of what a command asks for come from the rooms
below; wrong options never get here (click answers them).
"""

from typing import ClassVar

from farm_scheduler.errors import FarmError


class ServiceError(FarmError):
    """The embedded service (queue, index proxy, holder, worker) did not start, or stopped when needed."""

    code = "service"
    exit_code: ClassVar[int] = 3
