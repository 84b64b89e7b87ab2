"""What a person does in the source of a job, once tox has made its environments: a shell, or one command.

Called by `conversation` after `job`. It never limits how long that takes: the host ends the machine.
"""

import os
import re
import shutil
import time
from pathlib import Path

from farm_images.agent import inferred, installer, job_file
from farm_images.agent.command import BY_NAME
from farm_images.agent.dialogue import Dialogue, Ends, pipes, terminal
from farm_images.agent.job import Guest, Outcome
from farm_images.agent.starter_process import StarterProcess
from farm_images.wire import ID_SHELL, JobFrame, SessionFrame

_SETTINGS_BYTES = 1 << 16


def run_session(
    guest: Guest, frame: JobFrame, session: SessionFrame, project: Path, outcome: Outcome
) -> None:
    """Tell what there is, then run the shell or the command to its end; `outcome` is how that ended.

    Raises StarterError, ChannelClosedError, OSError.
    """
    made = _interpreters(frame, project)
    again = _again(guest, frame, project)
    described = {"folder": str(project), "again": again, "interpreters": made}
    guest.packets.attach_json(ID_SHELL, "session.json", described)
    ends = terminal(session.terminal, guest.user) if session.terminal else pipes()
    process = _start(guest, ends)
    started = time.monotonic()
    try:
        variables = guest.user.variables(guest.places)
        variables |= installer.variables(frame.installer, guest.places) | frame.env
        variables |= {"PATH": _path(guest, made, variables["PATH"]), "TERM": session.name}
        kind = "terminal" if session.terminal else "exec"
        process.become(kind, _command(session), variables, project)
        guest.packets.step(ID_SHELL, "inprogress")
        dialogue = Dialogue(guest.channel, guest.packets, process, guest.confinement, ends)
        status = dialogue.run()
    finally:
        ends.close()
        process.kill()
    outcome.seconds["session"] = time.monotonic() - started
    outcome.cancelled, outcome.limit = dialogue.cancelled, None
    outcome.exit_code, outcome.signal = (status, None) if status >= 0 else (None, -status)
    guest.packets.step(ID_SHELL, "success" if outcome.ok else "fail")


def _start(guest: Guest, ends: Ends) -> StarterProcess:
    """A first process, of the job's user and inside its walls, whose files are the far ends."""
    try:
        process = StarterProcess(
            guest.places, guest.user, guest.confinement, preload=False, files=ends.theirs
        )
    finally:
        ends.close_theirs()
    process.wait_ready()
    return process


def _command(session: SessionFrame) -> list[str]:
    if session.argv:
        return [*BY_NAME, *session.argv]
    return [shutil.which("bash", path="/bin:/usr/bin") or "/bin/sh"]


def _path(guest: Guest, made: dict[str, dict[str, str] | None], path: str) -> str:
    """The first environment that was made comes first, so that `python` is its own; tox is there by its name."""
    first = next((str(Path(each["path"]).parent) for each in made.values() if each), None)
    return os.pathsep.join(filter(None, [first, path, str(guest.places.launcher("tox").parent)]))


def _again(guest: Guest, frame: JobFrame, project: Path) -> list[str]:
    """The command that runs the tests, as a person would give it."""
    options = [] if frame.tool == "tox3" else ["run"]
    options += ["-e", ",".join(frame.environments)]
    if frame.inferred is not None:
        options += inferred.write(frame.inferred, frame.tool, project, guest.places.spool)
    return [frame.tool, *options]


def _interpreters(frame: JobFrame, project: Path) -> dict[str, dict[str, str] | None]:
    """Path and version of each environment's interpreter; None for one that is not to be found."""
    return {name: _interpreter(project, name) for name in frame.environments}


def _interpreter(project: Path, name: str) -> dict[str, str] | None:
    """Where tox has it: in `.tox`, or in a working folder of the project's choice."""
    for pattern in (f".tox/{name}", f"*/{name}", f"*/*/{name}"):
        for folder in sorted(project.glob(pattern)):
            if os.access(folder / "bin/python", os.X_OK):
                text = (job_file.read(folder / "pyvenv.cfg", _SETTINGS_BYTES) or b"").decode(errors="replace")
                settings = dict(re.findall(r"^(\w+) *= *(.*)$", text, re.MULTILINE))
                version = settings.get("version_info") or settings.get("version") or ""
                return {"path": str(folder / "bin/python"), "version": version}
    return None
