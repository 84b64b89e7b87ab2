"""The terminal of the person at a shell: its size, raw while the shell has it, and as it was whatever happens then.

Used by shell. It never touches a terminal that is not the person's stdin.
"""

import contextlib
import os
import termios
import tty
from typing import Any

from farm_images.wire import MAX_SIZE, TerminalSize

STDIN, STDOUT = 0, 1
NAME_CHARACTERS = 40

UNDO = (
    "\x1b[!p"  # soft reset: cursor, keypad, margins, attributes
    "\x1b[?1049l\x1b[?2004l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l"  # other screen, bracketed paste, mouse
    "\x1b[?25h\x1b[0m\r\n"
)
"""What a full-screen program in a machine that died left switched on, switched off (xterm's control sequences)."""


class PersonTerminal:
    """stdin and stdout, if both are one.

    Attributes:
        is_one: whether there is a terminal at both ends; without one, nothing here does anything.
    """

    def __init__(self) -> None:
        self.is_one = os.isatty(STDIN) and os.isatty(STDOUT)
        self._before: list[Any] | None = None

    @property
    def size(self) -> TerminalSize:
        """Rows and columns now."""
        columns, rows = os.get_terminal_size(STDOUT)
        return TerminalSize(rows=min(rows, MAX_SIZE), columns=min(columns, MAX_SIZE))

    @property
    def name(self) -> str:
        """Its kind, for TERM; a plain one where the person's is no name."""
        name = os.environ.get("TERM", "")
        plain = name.replace("-", "").replace("+", "").replace(".", "").replace("_", "")
        return name if plain.isascii() and plain.isalnum() and len(name) <= NAME_CHARACTERS else "xterm"

    def make_raw(self) -> None:
        """Every key goes to the shell from here on, Ctrl-C as well."""
        if self.is_one and self._before is None:
            self._before = termios.tcgetattr(STDIN)
            tty.setraw(STDIN, termios.TCSADRAIN)

    def restore(self, *, torn: bool) -> None:
        """As it was; `torn` if the shell could not clean up behind itself. A second time does nothing."""
        if self._before is None:
            return
        before, self._before = self._before, None
        with contextlib.suppress(termios.error, OSError):  # the terminal itself may be gone
            termios.tcsetattr(STDIN, termios.TCSADRAIN, before)
            if torn:
                os.write(STDOUT, UNDO.encode())
