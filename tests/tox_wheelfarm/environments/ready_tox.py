"""The real tox, imported once: each run is a fork of this process, which saves a quarter of a second.

Started by the tests' bench. A line of JSON comes in for each run (arguments, folder, variables, file of output), and
the exit code goes out. A run shares nothing with the next: what it changes ends with its process.
"""

import json
import os
import sys
import traceback

from tox.run import run


def child(asked):
    """Become the run that is asked for, and end with its code."""
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    os.chdir(asked["folder"])
    os.environ.clear()
    os.environ.update(asked["variables"])
    code = 70
    try:
        sys.argv = ["tox", *asked["arguments"]]
        run()
    except SystemExit as end:
        code = int(end.code or 0) & 0xFF
    except BaseException:  # noqa: BLE001 - the test reads it in the output, and fails
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def main():
    """Serve until the tests end."""
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            child(json.loads(line))
        _, status = os.waitpid(process, 0)
        sys.stdout.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
