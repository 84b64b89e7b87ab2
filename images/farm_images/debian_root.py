"""The run of mmdebstrap that makes the disk: packages, then the farm's files, then our two scripts.

Called by the bake only. It never runs as a user it was not started as: as root it works in place, as anybody else
in a user namespace (mmdebstrap's `unshare` mode), and both give the same files.
"""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from farm_images.apt_sources import host_sources
from farm_images.errors import ImageError
from farm_images.recipes import Recipe

Progress = Callable[[int, str], None]

_SECONDS = 1800.0

# As root, mounts and processes of our own: when their first process goes, with us or before us, so do they all.
_OWN_SPACE = [
    "setpriv",
    "--pdeathsig",
    "KILL",
    "unshare",
    "--mount-proc",
    "--pid",
    "--fork",
    "--kill-child",
    "--",
]
# As anybody else mmdebstrap makes those itself, and needs time to remove what only it can. It hands no signal on
# to its children, so a shell tells the whole group when we die, and waits.
_TELL_ALL = """\
trap 'trap : TERM; kill -TERM 0' TERM
"$@" & child=$!
wait $child; status=$?
while kill -0 $child 2>/dev/null; do wait $child; status=$?; done
exit $status"""
_TIED = ["setpriv", "--pdeathsig", "TERM", "--", "sh", "-c", _TELL_ALL, "sh"]

# Where the stage carries our two scripts; the last of them removes the folder.
SCRIPTS = "/opt/wheelfarm/bake"

# What mmdebstrap and our scripts say, the share of the time that is over by then, and what begins now.
_STEPS = (
    (r"I: running apt-get update", 11, "reading the package lists"),
    (r"I: downloading packages", 14, "downloading Debian packages"),
    (r"I: extracting archives", 15, "unpacking the essential system"),
    (r"I: installing essential packages", 22, "installing the essential system"),
    (r"I: installing remaining packages", 33, "installing compiler, Python and kernel"),
    (r"farm: files", 69, "adding interpreters, tools and agent"),
    (r"farm: users", 74, "adding the job's user"),
    (r"farm: bytecode", 75, "compiling bytecode"),
    (r"farm: caches", 80, "filling the caches of virtualenv"),
    (r"farm: initrd", 83, "making the initrd"),
    (r"farm: file system", 84, "making the file system"),
    (r"farm: disk", 91, "making the disk"),
)
_OPTIONS = (
    "--variant=minbase",
    "--format=null",
    '--aptopt=Acquire::Languages "none"',
    '--aptopt=APT::Install-Recommends "false"',
    "--aptopt=Acquire::Retries 3",
    "--dpkgopt=force-unsafe-io",
)
# Not as --dpkgopt: mmdebstrap would then filter the essential packages file by file, which takes longer.
_NO_DOCUMENTS = """\
for part in man doc locale info lintian; do rm -rf "$1/usr/share/$part"/*; \
echo "path-exclude=/usr/share/$part/*"; done >"$1/etc/dpkg/dpkg.cfg.d/wheelfarm"; echo farm: extracted"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BakeRun:
    """One bake while it runs.

    Attributes:
        recipe: what is baked.
        work: the folder that is removed when the bake ends, however it ends.
        progress: gets a percentage that estimates time, and one sentence.
        stop: ends the bake early once it is set.
        lock: the descriptor of the image's lock; mmdebstrap keeps it, so that it outlives a killed owner for
            as long as something still writes.
    """

    recipe: Recipe
    work: Path
    progress: Progress
    stop: threading.Event
    lock: int


def make_disk(run: BakeRun, *, stage: Path, results: Path) -> None:
    """Make `disk.qcow2`, `vmlinuz`, `initrd.img` and `packages` in `results` from the recipe and the tar `stage`.

    Errors: ImageError with what mmdebstrap complained of; its log is kept beside the images.
    """
    root = os.geteuid() == 0
    command = (_OWN_SPACE if root else _TIED) + _command(
        run.recipe, stage, results, "root" if root else "unshare"
    )
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    if root:  # Nobody else can enter a private folder, so mmdebstrap's user namespaces keep to /tmp.
        environment["TMPDIR"] = str(run.work)
    log = run.work / "mmdebstrap.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=sink,  # no pipe: if we die, mmdebstrap's last words must not kill it before it has cleaned up
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(run.lock,),
        )
    try:
        tail = _follow(process, log, run)
    finally:
        _end(process)
    kept = run.work.parent / "failed-bake.log"
    kept.unlink(missing_ok=True)
    if process.returncode != 0 and run.stop.is_set():
        raise ImageError(
            "mmdebstrap was stopped; the next run bakes the image", status=process.returncode, stderr=tail
        )
    if process.returncode != 0:
        shutil.move(log, kept)
        said = (
            f"mmdebstrap ended with status {process.returncode} (limit {_SECONDS:.0f} s): {_complaint(tail)}"
        )
        raise ImageError(
            f"{said}. Mend that and start again; log: {kept}", status=process.returncode, stderr=tail
        )


def _command(recipe: Recipe, stage: Path, results: Path, mode: str) -> list[str]:
    modules = " ".join(recipe.modules)
    put_in = f"tar-in {shlex.quote(str(stage))} /"
    take_out = "download {inside} {outside}"
    if mode == "root":  # The same by plain tools: mmdebstrap's own pass 4 KiB at a time between processes.
        put_in = f'tar -C "$1" -xpf {shlex.quote(str(stage))}'
        take_out = 'mv "$1"{inside} {outside}'
    hooks = [
        "echo farm: files",
        put_in,
        f'chroot "$1" sh {SCRIPTS}/inside.sh {shlex.quote(" ".join(recipe.programs))} {modules}',
    ]
    files = {
        "/boot/farm-vmlinuz": "vmlinuz",
        "/boot/farm-initrd": "initrd.img",
        "/boot/farm-packages": "packages",
    }
    hooks += [take_out.format(inside=i, outside=shlex.quote(str(results / o))) for i, o in files.items()]
    hooks.append(f'sh "$1"{SCRIPTS}/disk.sh "$1" {recipe.size_gib}')
    hooks.append(take_out.format(inside="/disk.qcow2", outside=shlex.quote(str(results / "disk.qcow2"))))
    command = ["mmdebstrap", f"--mode={mode}", *_OPTIONS]
    if recipe.release_may_be_old:
        command.append('--aptopt=Acquire::Check-Valid-Until "false"')
    command.append(f"--include={','.join(recipe.all_packages)}")
    command.append(f"--extract-hook={_NO_DOCUMENTS}")
    command += [f"--customize-hook={hook}" for hook in hooks]
    return [*command, recipe.suite, "-", *host_sources(recipe.suite)]


def _follow(process: subprocess.Popen[bytes], log: Path, run: BakeRun) -> str:
    """Tell of each step, and of what our scripts note, until the end or the limit; returns the log's end."""
    told = _Told(progress=run.progress)
    deadline = time.monotonic() + _SECONDS
    with log.open(encoding="utf-8", errors="replace") as source:
        over = False
        while not over:
            over = process.poll() is not None or run.stop.wait(0.2) or time.monotonic() > deadline
            told.read(source.read())
    return "\n".join(told.tail)[-3000:]


def _complaint(tail: str) -> str:
    """The line of a log's end that says most about what went wrong."""
    lines = [line.strip() for line in tail.splitlines() if line.strip() and not line.startswith(("I:", "W:"))]
    wrong = re.compile(r"E: |.*\b(error|cannot|not found|no space|failed)\b", re.IGNORECASE)
    return next(filter(wrong.match, lines), lines[-1] if lines else "it said nothing")[:300]


class _Told:
    """What was said until now: the last lines, and the step that was reached."""

    def __init__(self, *, progress: Progress) -> None:
        self.tail: deque[str] = deque(maxlen=40)
        self._progress = progress
        self._steps = deque(_STEPS)
        self._reached = 0
        self._begun = ""

    def read(self, text: str) -> None:
        """Take more of the log; an unfinished line is kept for the next time."""
        *lines, self._begun = (self._begun + text).split("\n")
        self.tail.extend(lines)
        for line in lines:
            at = next((number for number, step in enumerate(self._steps) if re.match(step[0], line)), None)
            if at is not None:
                self._reached, sentence = self._steps[at][1:]
                for _ in range(at + 1):
                    self._steps.popleft()
                self._progress(self._reached, sentence)
            elif line.startswith("farm: /"):
                self._progress(self._reached, line.removeprefix("farm: "))


def _end(process: subprocess.Popen[bytes]) -> None:
    """End mmdebstrap's whole session if it has not ended: politely, so that it removes its root, then not."""
    for number, patience in ((signal.SIGTERM, 20), (signal.SIGKILL, 20)):
        if process.poll() is None:
            os.killpg(process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience)
