"""Where the farm keeps what it keeps, when nobody says otherwise.

Called by settings, and by what must start faster than settings can be read. It never looks at the disk.
"""

import os
from pathlib import Path


def default_home() -> Path:
    """`$XDG_DATA_HOME/wheelfarm`, or `~/.local/share/wheelfarm` (XDG base directory specification)."""
    data = os.environ.get("XDG_DATA_HOME") or ""
    root = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return root / "wheelfarm"
