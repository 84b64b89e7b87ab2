"""Text of guests and projects, made harmless for people's screens.

Called by the command and the pages wherever something that a guest, a project or an index wrote is shown. The
farm's own words do not pass here. It never changes what is stored: the evidence stays as it came.
"""

import re
import unicodedata

ESCAPES = re.compile(
    r"\x1b(?:"
    r"\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\][^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)"  # OSC: titles, links
    r"|[PX^_][^\x1b\x9c]*(?:\x1b\\|\x9c)"  # DCS, SOS, PM, APC
    r"|[ -/]*[0-~])"
    r"|\x9b[0-?]*[ -/]*[@-~]"
)
"""Escape sequences after ECMA-48; whole ones are dropped, what is left of broken ones is spelled out."""

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""Unicode categories that show nothing of their own, or turn the direction of what follows."""

LONGEST_LINE = 500


def clean(text: str) -> str:
    """The text with its lines kept, and whatever is no printing character spelled out or dropped."""
    lines = ESCAPES.sub("", text).replace("\r\n", "\n").replace("\r", "\n").expandtabs(8).split("\n")
    return "\n".join(_clean_line(line) for line in lines)


def clean_line(text: str) -> str:
    """The same on one line: breaks and runs of blanks become one blank."""
    return " ".join(clean(text).split())


def tail(text: str, lines: int) -> str:
    """The last lines of a text that say something, clean."""
    found = clean(text).rstrip().split("\n")
    return "\n".join(found[-lines:])


def _clean_line(line: str) -> str:
    if not line.isascii() or not line.isprintable():
        line = "".join(_visible(character) for character in line)
    return line if len(line) <= LONGEST_LINE else line[: LONGEST_LINE - 1] + "…"


def _visible(character: str) -> str:
    if unicodedata.category(character) not in HIDDEN:
        return character
    return character.encode("unicode-escape").decode("ascii")
