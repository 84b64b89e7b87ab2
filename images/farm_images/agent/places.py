"""Where things are in a guest, and in the folder that stands for one in a test.

Made in `main`, passed to whoever needs a path. It never looks whether a path exists.
"""

from dataclasses import dataclass
from pathlib import Path

from farm_images.wire import INTERPRETERS_PATH, JOB_HOME, TOX_PLUGINS_PATH


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Paths below one root; `/` in a guest.

    Attributes:
        root: the guest's `/`.
        archive: the running agent's own zipapp, from which the job's first process starts.
    """

    root: Path
    archive: Path

    def _at(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    @property
    def home(self) -> Path:
        """The job user's home."""
        return self._at(JOB_HOME)

    @property
    def project(self) -> Path:
        """Holds the project's folder, and nothing else; made by the job user."""
        return self.home / "project"

    @property
    def spool(self) -> Path:
        """The agent's own files: the received source, an inferred configuration. Readable by the job user."""
        return self._at("/var/lib/wheelfarm")

    @property
    def run(self) -> Path:
        """The sockets on which the plugins report."""
        return self._at("/run/wheelfarm")

    @property
    def at_work(self) -> Path:
        """Is there while a job runs, so that an agent which is started anew knows that one was."""
        return self.run / "at-work"

    @property
    def tox_result(self) -> Path:
        """Where tox writes its result file."""
        return self.home / "tox-result.json"

    @property
    def tox_plugins(self) -> Path:
        """Folder of the tox plugin, importable."""
        return self._at(TOX_PLUGINS_PATH)

    def tool_python(self, tool: str) -> Path:
        """The interpreter in which a tool (tox, tox3) is installed."""
        return self._at(f"/opt/wheelfarm/venvs/{tool}/bin/python")

    def launcher(self, tool: str) -> Path:
        """The command that a person would call for the tool."""
        return self._at(f"/opt/wheelfarm/bin/{tool}")

    @property
    def path_variable(self) -> str:
        """PATH of a job: the system first, then the farm's interpreters."""
        return f"/usr/local/bin:/usr/bin:/bin:{self._at(INTERPRETERS_PATH)}"
