"""Asks a machine for the metadata of one source: leases it, has the source built there, reads what comes out.

Called by the metadata task. A build that fails is an answer, too; only the farm's own failures are tried again.
Nothing of the project runs on this host, and the machine goes with the block that holds it, also when nobody wants
the answer any more.
"""

import logging
import threading
import time
from importlib.resources import files
from pathlib import Path

from farm_images.errors import FarmError
from farm_images.wire import JOB_HOME, CommandFrame, LimitsFrame
from farm_scheduler.built_metadata import read_built_metadata
from farm_scheduler.errors import RecordError
from farm_scheduler.guest_text import clean_line, tail
from farm_scheduler.interpreters import Interpreter, SystemImage, system_image
from farm_scheduler.project_files import read_archive
from farm_scheduler.project_metadata import ProjectMetadata, read_metadata
from farm_scheduler.questions import (
    Asking,
    answer_question,
    claim_question,
    fail_question,
    keep_question,
    release_question,
)
from farm_scheduler.settings import Settings
from farm_scheduler.sources import source_path
from farm_scheduler.tables import Image as ImageRow
from farm_workers.guest_command import CommandEnd, run_command, source_frame
from farm_workers.leases import Lease
from farm_workers.run import Hands, ready_image

SECONDS = 600.0
"""How long a build of metadata may take; a source that needs longer is planned without."""

LOG_BYTES = 1 << 20
STREAM_BYTES = 8 << 20
_START = 'exec "$HOME/../../opt/wheelfarm/venvs/tox/bin/python" "$@"'
"""Where tox is installed in a guest, and with it pyproject_api; by the home, as a test's guest is a folder."""

METADATA = f"{JOB_HOME}/metadata/METADATA"
OLDEST = (3, 8)
"""The oldest Python in which today's build backends install."""

LOG = logging.getLogger(__name__)


class UnwantedError(Exception):
    """Nobody waits for the answer any more, or the worker ends."""


def ask_guest(hands: Hands, sha256: str, system: str, *, worker: str, stop: threading.Event) -> None:
    """Claim the question on a source, have a machine of the system answer it, and record the end."""
    lease_seconds = hands.settings.lease_seconds
    asking = claim_question(hands.database, sha256, system, worker=worker, lease_seconds=lease_seconds)
    if asking is None:
        return
    try:
        end = _Inquiry(hands, asking, stop).run()
    except UnwantedError:
        release_question(hands.database, asking)
    except FarmError as error:
        LOG.warning("the question on %s failed: %s", sha256[:12], error.sentence)
        fail_question(hands.database, asking, error.sentence, farms_fault=True)
    except Exception as error:
        LOG.exception("the question on %s failed", sha256[:12])
        reason = f"the farm failed unexpectedly ({type(error).__name__}: {error}); see its log"
        fail_question(hands.database, asking, reason, farms_fault=True)
    else:
        if isinstance(end, ProjectMetadata):
            answer_question(hands.database, asking, end)
        else:
            fail_question(hands.database, asking, end, farms_fault=False)


def choose_python(system: SystemImage, metadata: ProjectMetadata) -> Interpreter | None:
    """The Python that builds: the distribution's if the files of the project allow it, else the newest that they do."""
    pythons = [each for each in system.working() if each.implementation == "cpython" and each.order >= OLDEST]
    pythons.reverse()
    own_first = sorted(pythons, key=lambda each: not each.path.startswith("/usr/bin/"))
    allowed = [each for each in own_first if metadata.allows(each.version)]
    return next(iter(allowed or own_first), None)


class _Inquiry:
    """One question on its way."""

    def __init__(self, hands: Hands, asking: Asking, stop: threading.Event) -> None:
        self._hands = hands
        self._asking = asking
        self._stop = stop
        self._kept = 0.0
        self._note = ""

    def run(self) -> ProjectMetadata | str:
        """The metadata, or why there is none.

        Raises:
            FarmError: no image, no source, no machine.
            UnwantedError: nobody waits for it.
        """
        settings = self._hands.settings
        source = source_path(settings, self._asking.sha256)
        if not source.is_file():
            raise RecordError(f"the source {source.name} is gone from {source.parent}; submit the run again")
        image = ready_image(self._hands, self._asking.system)
        with self._hands.database.read() as session:
            row = session.get_one(ImageRow, self._asking.system)
        python = choose_python(system_image(row.name, row.interpreters), read_metadata(read_archive(source)))
        if python is None:
            return f"no Python of {self._asking.system} can build it"
        with self._hands.machines(image, self._say) as lease:
            self._say(f"building it with Python {python.version}")
            end = self._ask(lease, source, python)
            if end.exit_code != 0:
                lease.check()
        return _read(end, python, _limit(settings))

    def _ask(self, lease: Lease, source: Path, python: Interpreter) -> CommandEnd:
        frame = CommandFrame(
            job=f"q-{self._asking.sha256[:12]}",
            argv=("sh", "-c", _START, "sh", "-I", "-c", script(), python.path),
            source=source_frame(source),
            limits=LimitsFrame(seconds=_limit(self._hands.settings), log_bytes=LOG_BYTES),
            collect=(METADATA,),
        )
        lease.channel.setblocking(True)
        return run_command(
            lease.channel, frame, source, most=STREAM_BYTES, turn=lambda: self._say(self._note)
        )

    def _say(self, sentence: str) -> None:
        if self._stop.is_set():
            raise UnwantedError
        if sentence == self._note and time.monotonic() - self._kept < 1.0:
            return
        self._note, self._kept = sentence, time.monotonic()
        lease_seconds = self._hands.settings.lease_seconds
        if not keep_question(self._hands.database, self._asking, lease_seconds=lease_seconds, note=sentence):
            raise UnwantedError


def script() -> str:
    """The text of what the guest runs."""
    return (files("farm_workers") / "metadata_script.py").read_text(encoding="utf-8")


def _limit(settings: Settings) -> float:
    return min(SECONDS, settings.job_seconds)


def _read(end: CommandEnd, python: Interpreter, seconds: float) -> ProjectMetadata | str:
    metadata = read_built_metadata(end.files.get(METADATA, b""))
    if end.exit_code == 0 and metadata is not None:
        return metadata
    if end.limit == "time":
        return f"it did not build its metadata within {seconds:.0f} s"
    if end.limit is not None:
        return f"its build went over the limit of {clean_line(end.limit)}"
    why = clean_line(tail(end.log, 1)) or "it says nothing"
    return f"its metadata does not build with Python {python.version}: {why}"
