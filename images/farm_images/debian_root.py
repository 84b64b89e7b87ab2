"""The run of mmdebstrap that makes the disk: packages, then the farm's files, then our two scripts.

Called by the bake only. It never runs as a user it was not started as: as root it works in place, as anybody else
in a user namespace (mmdebstrap's `unshare` mode), and both give the same files.
"""

import os
import re
import shlex
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

    Errors: ImageError with the end of mmdebstrap's messages.
    """
    root = os.geteuid() == 0
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    if root:  # Nobody else can enter a private folder, so mmdebstrap's user namespaces keep to /tmp.
        environment["TMPDIR"] = str(run.work)
    process = subprocess.Popen(
        # If this process is killed, so is mmdebstrap, which then removes its root.
        [
            "setpriv",
            "--pdeathsig",
            "TERM",
            *_command(run.recipe, stage, results, "root" if root else "unshare"),
        ],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=(run.lock,),
    )
    watchdog = threading.Thread(target=_watch, args=(process, run.stop), daemon=True)
    watchdog.start()
    tail: deque[str] = deque(maxlen=40)
    _follow(process, tail, run.progress)
    if process.wait(timeout=60) != 0:
        why = "was stopped" if run.stop.is_set() else f"ended with status {process.returncode}"
        end = "\n".join(tail)[-3000:]
        raise ImageError(
            f"mmdebstrap {why} (limit {_SECONDS:.0f} s). Read the end of its messages and bake again:\n{end}",
            status=process.returncode,
            stderr=end,
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
        f'chroot "$1" sh {SCRIPTS}/inside.sh {recipe.distribution_python} {modules}',
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
    command.append(f"--include={','.join((recipe.kernel, *recipe.packages))}")
    command.append(f"--extract-hook={_NO_DOCUMENTS}")
    command += [f"--customize-hook={hook}" for hook in hooks]
    return [*command, recipe.suite, "-", *host_sources(recipe.suite)]


def _follow(process: "subprocess.Popen[str]", tail: deque[str], progress: Progress) -> None:
    """Keep the end of the messages, and tell of each step and of what our scripts note."""
    steps = deque(_STEPS)
    reached = 0
    for line in process.stdout or ():
        text = line.rstrip()
        tail.append(text)
        at = next((number for number, step in enumerate(steps) if re.match(step[0], text)), None)
        if at is not None:
            reached, sentence = steps[at][1:]
            for _ in range(at + 1):
                steps.popleft()
            progress(reached, sentence)
        elif text.startswith("farm: /"):
            progress(reached, text.removeprefix("farm: "))


def _watch(process: "subprocess.Popen[str]", stop: threading.Event) -> None:
    """End mmdebstrap's whole session when asked to or when it is too late: politely, then not."""
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None:
        if stop.wait(0.5) or time.monotonic() > deadline:
            break
    for number in (signal.SIGTERM, signal.SIGKILL):
        patience = time.monotonic() + 20
        if process.poll() is None:
            os.killpg(process.pid, number)
        while process.poll() is None and time.monotonic() < patience:
            time.sleep(0.1)
