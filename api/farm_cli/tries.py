"""How often something that ends is started again in a row, and how long is waited before each time.

Asked by `wheelfarm up` about the service and about the pages. It starts nothing itself.
"""

import time

import click

from farm_cli.errors import ServiceError

MOST = 8
FIRST_WAIT = 0.5
LONGEST_WAIT = 15.0
STEADY_SECONDS = 60.0
"""What has lasted for so long had come up well: its end begins a new row of tries."""


class Tries:
    """The tries of one thing.

    Args:
        name: what it is called in sentences.
        ends_all: whether the farm ends when it was lost too often; else it is tried for ever.
    """

    def __init__(self, name: str, *, ends_all: bool = True) -> None:
        self._name = name
        self._ends_all = ends_all
        self._lost = 0
        self._not_before = 0.0

    @property
    def due(self) -> bool:
        """Whether it may be started now."""
        return time.monotonic() >= self._not_before

    def lost(self, error: ServiceError, *, lasted: float) -> None:
        """It has ended, or did not come up, after so many seconds: say so, and wait before the next time.

        Raises:
            ServiceError: that was the last try.
        """
        self._lost = 1 if lasted >= STEADY_SECONDS else self._lost + 1
        if self._ends_all and self._lost > MOST:
            sentence = (
                f"{self._name} ended {self._lost} times in a row, and the farm ends with it: {error.sentence}"
            )
            raise ServiceError(sentence, **error.data) from error
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(self._lost - 1, MOST))
        self._not_before = time.monotonic() + wait
        click.echo(f"{self._name} is started again in {wait:g} s: {error.sentence}", err=True)
