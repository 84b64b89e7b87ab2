"""The caches that a first tox in a fresh machine has to fill: interpreter facts, seed wheels, file pages.

Called by `conversation` for a JOB frame of the kind `warm`, before a template is saved, and by `agent.pyz
--warm` in an image being made. What it leaves behind is in the caches of the job's user only, never in a
project.
"""

import shutil
import subprocess
import tempfile

from farm_images.agent.job_user import JobUser
from farm_images.agent.places import Places

_SECONDS = 180


def fill_caches(interpreters: tuple[str, ...], places: Places, user: JobUser) -> dict[str, str]:
    """Make and drop a virtual environment with each interpreter, as tox does; why it failed, by interpreter.

    An interpreter that the tool of today cannot drive is tried with that of tox 3.
    """
    failed = {}
    for path in interpreters:
        reasons = [_warm(path, tool, places, user) for tool in ("tox", "tox3")]
        if all(reasons):
            failed[path] = reasons[0] or ""
    return failed


def _warm(path: str, tool: str, places: Places, user: JobUser) -> str | None:
    """Why it could not be done; None if it was."""
    folder = tempfile.mkdtemp(prefix="wheelfarm-warm-")
    try:
        shutil.chown(folder, user.uid, user.gid)
        create = [
            str(places.tool_python(tool)),
            "-m",
            "virtualenv",
            "--quiet",
            "--python",
            path,
            f"{folder}/env",
        ]
        ask = [f"{folder}/env/bin/python", "-m", "pip", "--version"]
        return _run(create, folder, places, user) or _run(ask, folder, places, user)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], folder: str, places: Places, user: JobUser) -> str | None:
    with tempfile.TemporaryFile() as errors:
        # A file, as a pipe would be waited for as long as anything that was left behind holds it.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            timeout=_SECONDS,
            check=False,
            cwd=folder,
            env=user.variables(places),
            **user.credentials(),
        )
        errors.seek(0)
        message = errors.read().decode(errors="replace").strip()[-500:]
    return (message or f"exit code {done.returncode}") if done.returncode else None
