"""What a job's frame says of its installer, for jobs of which the project's own settings do not decide.

A part of `wire`, read as strictly as the rest. Standard library only, as it is part of the agent's archive. It never
knows what an installer does.
"""

import re
from dataclasses import dataclass
from typing import Final, Literal

from farm_images.frame_fields import Fields

MAX_TEXT: Final = 1 << 20
"""Characters of constraints; a frame holds no more."""

_BELOW: Final = re.compile(r"(?!-)[^\x00-\x1f\x7f/][^\x00-\x1f\x7f]*")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]{8,15}(Z|[+-][0-9:]{4,6})")


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallerFrame:
    """What decides which releases are installed, in place of the project's own settings.

    Attributes:
        name: the installer, as tox-wheelfarm calls it.
        constraints: files of constraints, as paths below the project's folder.
        texts: the content of further ones, which the guest could not fetch.
        cutoff: RFC 3339; the index proxy has been told already, this is for the job's record.
    """

    name: Literal["lockfile", "constraints", "latest", "lowest"]
    constraints: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()
    cutoff: str | None = None

    @classmethod
    def read(cls, fields: Fields) -> "InstallerFrame":
        """Raises WireError."""
        installer = cls(
            name=fields.one_of("name", "lockfile", "constraints", "latest", "lowest"),
            constraints=fields.texts("constraints", 20, 500, _BELOW),
            texts=fields.texts("texts", 20, MAX_TEXT),
            cutoff=fields.text("cutoff", 40, _MOMENT) if fields.present("cutoff") else None,
        )
        fields.done()
        return installer
