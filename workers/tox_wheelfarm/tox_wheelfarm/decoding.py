"""The bytes of a file that people or tools wrote, as text.

Called by every reader of lock files, constraints and requirements. It never guesses an encoding: other bytes than UTF-8
are refused, with the line.
"""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tox_wheelfarm.errors import InstallerError


def decoded(data: bytes, source: str, refused: type[InstallerError]) -> str:
    """The text, without a byte order mark.

    Args:
        data: all of the file.
        source: what people call it.
        refused: the class of the error.

    Raises:
        InstallerError (`refused`): it is not UTF-8.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise refused(f"{source} is UTF-16 (as some shells write it); save it as UTF-8") from None
        line = data.count(b"\n", 0, wrong.start) + 1
        raise refused(f"{source}, line {line}: not UTF-8") from None
