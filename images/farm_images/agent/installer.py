"""What tox-wheelfarm is told in a guest: the installer of a job, as variables of tox's own process.

Called by `job` and `session`. Where the job leaves it to the project's settings nothing is set, and nothing is written.
tox hands none of these on to the project's commands.
"""

from urllib.parse import urlsplit

from farm_images.agent.places import Places
from farm_images.installer_frame import InstallerFrame
from farm_images.wire import PROXY_URL

ON, WORD = "WHEELFARM_TOX", "WHEELFARM_INSTALLER"
CONSTRAINTS, CUTOFF = "WHEELFARM_CONSTRAINTS", "WHEELFARM_CUTOFF"


def variables(frame: InstallerFrame | None, places: Places) -> dict[str, str]:
    """The variables; constraints from elsewhere are written where the job's user can read them. Raises OSError."""
    if frame is None:
        return {}
    words = list(frame.constraints)
    for number, text in enumerate(frame.texts):
        path = places.spool / f"constraints-{number}.txt"
        path.write_text(text, encoding="utf-8")
        path.chmod(0o644)
        words.append(str(path))
    # tox-wheelfarm starts uv without the settings of this machine, in which its index stands.
    told = {ON: "1", WORD: frame.name, "UV_DEFAULT_INDEX": f"{PROXY_URL}/simple/"}
    told["UV_INSECURE_HOST"] = str(
        urlsplit(PROXY_URL).hostname
    )  # and the pip of Python 2.7 wants to hear of it
    if words:
        told[CONSTRAINTS] = "\n".join(words)
    if frame.cutoff is not None:
        told[CUTOFF] = frame.cutoff
    return told
