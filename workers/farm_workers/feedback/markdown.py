"""What guests and projects wrote, put into Markdown so that it stays text: no link, no mention, no picture of theirs.

Called by checks and comments. Forges look for none of these in code, so code it is; a longer row of backticks than any
inside cannot be closed from inside. It never shortens a block: whoever makes one has bounded it.
"""

import re

_TICKS = re.compile(r"`+")


def code(text: str, longest: int) -> str:
    """One line, as code."""
    line = " ".join(text.split())
    short = line if len(line) <= longest else line[: longest - 1] + "…"
    ticks = "`" * (_longest_row(short) + 1)
    return f"{ticks} {short} {ticks}" if short else ""


def block(text: str) -> str:
    """Lines, as a block of code."""
    fence = "`" * max(3, _longest_row(text) + 1)
    return f"{fence}\n{text}\n{fence}"


def _longest_row(text: str) -> int:
    return max((len(found) for found in _TICKS.findall(text)), default=0)
