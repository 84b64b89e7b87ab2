"""Who the job runs as: the user `job` in a guest, the agent's own user in a test.

Made in `main`. Used to start processes and to name them. It never gives anyone the agent's rights.
"""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm_images.agent.places import Places


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUser:
    """A user; `drop` says whether the agent must change to it."""

    name: str
    uid: int
    gid: int
    drop: bool

    def credentials(self) -> dict[str, Any]:
        """Keyword arguments of `subprocess.Popen` that start a process as this user."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []} if self.drop else {}

    def own(self, path: Path) -> None:
        """Make a file or socket theirs."""
        if self.drop:
            os.chown(path, self.uid, self.gid, follow_symlinks=False)

    def variables(self, places: Places) -> dict[str, str]:
        """The environment that every process of the job starts from; in a test, PATH comes from outside."""
        return {
            "PATH": places.path_variable if self.drop else os.environ.get("PATH", os.defpath),
            "HOME": str(places.home),
            "USER": self.name,
            "LOGNAME": self.name,
            "SHELL": "/bin/sh",
            "LANG": "C.UTF-8",
        }


def find(*, unprivileged: bool) -> JobUser:
    """The user `job`, or the caller's own if unprivileged. Raises KeyError if there is no such user."""
    entry = pwd.getpwuid(os.getuid()) if unprivileged else pwd.getpwnam("job")
    return JobUser(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid, drop=not unprivileged)
