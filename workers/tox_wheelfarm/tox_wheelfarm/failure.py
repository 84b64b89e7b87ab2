"""How an error of ours is shown by tox: as one message, with the class's name, and a code that is not zero.

Used by the environments around everything that tox calls. It never hides a defect of ours: only InstallerError is
turned into a failure.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from tox.report import HandledError
from tox.tox_env.errors import Fail

from tox_wheelfarm.errors import InstallerError

if TYPE_CHECKING:
    from collections.abc import Iterator


class ShownError(Fail, HandledError):
    """An error that tox shows without a traceback wherever it surfaces.

    tox catches Fail while an environment runs, and HandledError while the configuration is read and while it
    provisions itself; older releases catch only one of them in each place.
    """


@contextmanager
def shown() -> Iterator[None]:
    """Turn an InstallerError of the block into a ShownError: "ClassName: the sentence".

    Raises:
        ShownError: an InstallerError was raised.
    """
    try:
        yield
    except InstallerError as wrong:
        raise ShownError(f"{type(wrong).__name__}: {wrong}") from None
