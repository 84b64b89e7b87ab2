"""Ctrl-C while uv is at work."""

import os
import signal
import subprocess
import sys
import time


def test_an_interruption_is_told_as_one(bench, index):
    """After Ctrl-C during an install it is said to have been interrupted, and the next run makes the environment."""
    index.release("late", "1.0")
    bench.pylock(("late", "1.0"))
    bench.ini("skip_install = true")
    index.gate.clear()
    with subprocess.Popen(
        # Below a shell's background job the signal would be ignored, by Python and by uv.
        ["env", "--default-signal=INT", sys.executable, "-m", "tox"],
        cwd=bench.root,
        env=bench.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as run:
        end = time.monotonic() + 60
        while not any(path.startswith("/files/late/") for path in index.asked) and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGINT)
        said, _ = run.communicate(timeout=60)
    index.gate.set()
    assert run.returncode != 0
    assert "a: failed with InstallFailedError: uv pip install was interrupted" in said
    assert "exit code" not in said
    assert "Traceback" not in said
    assert bench.passes().packages() == ["late==1.0"]
