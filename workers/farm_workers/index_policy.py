"""Tells the index proxy what a machine may see of the index, before the machine gets its job.

Called by run and shell with a leased machine. It never reaches a guest: the proxy does what it is
told for all that the machine asks from then on.
"""

import json
import socket
from datetime import datetime
from pathlib import Path

from farm_workers.leases import LeaseError

SECONDS = 10.0
_ANSWER_BYTES = 4096


def set_cutoff(index: Path, machine: str, cutoff: datetime | None) -> None:
    """Have the proxy at this control socket hide from a machine what came later; None for nothing to hide.

    Raises:
        LeaseError: the proxy does not answer, or does not know the machine; the job is tried again.
    """
    if cutoff is None:
        return
    message = {"machine": machine, "cutoff": cutoff.isoformat()}
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(SECONDS)
            connection.connect(str(index))
            connection.sendall(json.dumps(message).encode() + b"\n")
            answer = connection.recv(_ANSWER_BYTES)
    except OSError as error:
        raise LeaseError(f"the index proxy could not be told of the cut-off: {error}.") from error
    if answer != b"ok\n":
        raise LeaseError(f"the index proxy does not know the machine {machine}; the job is tried again.")
