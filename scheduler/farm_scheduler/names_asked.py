"""The host names that a job's environments asked for in vain, and which of them its log tells of.

Fed by results. Both are needed to say that a failure is the network's: a name that was only asked for may have nothing
to do with it. Hostile like the stream: everything kept is bounded.
"""

MAX_NAMES = 100
MAX_NAME = 253
"""Characters of a host name (RFC 1035)."""

LOG_BYTES = 64 << 10
"""The end of the log in which names are looked for."""


class NamesAsked:
    """What was asked for so far."""

    def __init__(self) -> None:
        self._asked: dict[tuple[str | None, str], bool] = {}
        self._log = b""

    def ask(self, environment: str | None, name: bytes) -> None:
        """A name was asked for while this environment was at work; what is no name of the internet is ignored."""
        text = name.decode("ascii", errors="replace")
        if "." not in text:
            return
        if (
            0 < len(text) <= MAX_NAME
            and text.isascii()
            and text.isprintable()
            and len(self._asked) < MAX_NAMES
        ):
            self._asked.setdefault((environment, text), False)

    def log(self, content: bytes) -> None:
        """More of the log."""
        text = (self._log + content).lower()
        self._look(text)
        self._log = text[-LOG_BYTES:]

    def told(self) -> dict[str | None, tuple[str, ...]]:
        """By environment, the names asked for that the log tells of, in their order."""
        self._look(self._log)
        found: dict[str | None, tuple[str, ...]] = {}
        for (environment, name), told in self._asked.items():
            if told:
                found[environment] = (*found.get(environment, ()), name)
        return found

    def _look(self, text: bytes) -> None:
        for key, told in self._asked.items():
            if not told and key[1].encode() in text:
                self._asked[key] = True
