"""The bake: from a recipe to an immutable image in the catalogue.

Called by the worker's bake task. It never changes an image that is ready, and leaves nothing of a bake that did
not end: work happens in a folder beside the images, under a lock that a second caller waits for.
"""

import contextlib
import fcntl
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from farm_images import catalogue, guest_tools
from farm_images.agent_archive import install_guest_files
from farm_images.bake_key import bake_key
from farm_images.catalogue import Image, Interpreter
from farm_images.debian_root import SCRIPTS, BakeRun, Progress, make_disk
from farm_images.errors import ImageError
from farm_images.guest_configuration import write_configuration
from farm_images.interpreters import HostInterpreter, copy_interpreter
from farm_images.providers import Providers, distribution
from farm_images.recipes import Recipe

_NEEDED_GIB = 8
_WORK = ".bake-"


def bake(
    recipe: Recipe,
    *,
    images: Path,
    providers: Providers,
    progress: Progress = lambda _percent, _sentence: None,
    stop: threading.Event | None = None,
) -> Image:
    """The ready image of the recipe: the one that is there if nothing changed, else a new one.

    `images` is the catalogue's root; `providers` what the host has of Pythons; `progress` gets a percentage that
    estimates time and one sentence; setting `stop` ends the bake.
    A second caller for the same name waits for the first. Errors: ImageError.
    """
    stop = stop or threading.Event()
    key = _key(recipe, providers)
    folder = images / recipe.name
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    with _alone(folder, progress, stop) as lock:
        ready = _with_key(images, recipe, key)
        if ready is not None:
            return ready
        for leftover in folder.glob(f"{_WORK}*"):  # Its owner held the lock that is ours now: it is dead.
            _remove(leftover)
        check_space(folder, _NEEDED_GIB)
        with tempfile.TemporaryDirectory(prefix=_WORK, dir=folder) as work:
            run = BakeRun(recipe=recipe, work=Path(work), progress=progress, stop=stop, lock=lock)
            return _bake(run, providers, key)


def find_ready(recipe: Recipe, *, images: Path, providers: Providers) -> Image | None:
    """The image that `bake` would find ready; None where it would make one."""
    return _with_key(images, recipe, _key(recipe, providers))


def _key(recipe: Recipe, providers: Providers) -> str:
    return bake_key(recipe, providers.local(recipe), providers.uv.mirror if providers.uv else "")


def _with_key(images: Path, recipe: Recipe, key: str) -> Image | None:
    return next((image for image in catalogue.images(images, recipe.name) if image.key == key), None)


def _bake(run: BakeRun, providers: Providers, key: str) -> Image:
    begun = time.monotonic()
    run.progress(0, "collecting interpreters, tools and agent")
    fetched, note = providers.fetched(run.recipe, run.stop)
    _go_on(run)
    if note is not None:
        run.progress(1, note)
    found = [*providers.local(run.recipe), *fetched]
    whole = run.work / "image"
    whole.mkdir()
    for folder in (run.work, whole):  # Also for the user that machines run as.
        folder.chmod(0o755)
    candidates = _stage(run.recipe, found, run.work)
    _go_on(run)
    make_disk(run, stage=run.work / "stage.tar", results=whole)
    run.progress(98, "reading the digest")
    packages = dict(line.split() for line in (whole / "packages").read_text(encoding="utf-8").splitlines())
    (whole / "packages").unlink()
    for tool in guest_tools.tools():
        packages |= tool.versions()
    image = Image(
        name=run.recipe.name,
        digest=catalogue.digest_of(whole / catalogue.DISK),
        folder=whole,
        key=key,
        command_line=run.recipe.command_line,
        interpreters=tuple(candidates),
        probed=False,
        packages=tuple(sorted(packages.items())),
        baked=time.time(),
        seconds=round(time.monotonic() - begun, 1),
        notes=(note,) if note is not None else (),
    )
    return _publish(image, run.work.parent)


def _go_on(run: BakeRun) -> None:
    if run.stop.is_set():
        raise ImageError("The bake was stopped. Bake again when it suits.")


def _stage(recipe: Recipe, found: list[HostInterpreter], work: Path) -> list[Interpreter]:
    """Make `stage.tar` of all that the farm adds to Debian; returns the interpreters the image then has."""
    root = work / "stage"
    root.mkdir()
    candidates = distribution(recipe) + [copy_interpreter(source, root) for source in found]
    guest_tools.install_tools(root, recipe.distribution_python)
    install_guest_files(root)
    write_configuration(root, recipe)
    shutil.copytree(_scripts(), root / SCRIPTS.lstrip("/"))
    foreign = sorted(path.name for path in root.iterdir() if path.name not in ("etc", "opt", "usr"))
    if foreign:
        raise ImageError(
            f"The farm adds files below /etc, /opt and /usr only, not {foreign[0]}.", folders=foreign
        )
    command = ["tar", "--owner=0", "--group=0", "--numeric-owner", "--sort=name", "-C", str(root)]
    subprocess.run([*command, "-cf", str(work / "stage.tar"), "."], check=True, timeout=300)
    shutil.rmtree(root)
    return candidates


def _scripts() -> Path:
    return Path(__file__).with_name("bake_scripts")


def _publish(image: Image, folder: Path) -> Image:
    """Put the image in its place by one rename, readable for the machines' own user, writable for nobody."""
    catalogue.write_description(image)
    for path in image.folder.iterdir():
        path.chmod(0o444)
    target = folder / image.digest
    image.folder.rename(target)
    return catalogue.read_image(target)


def check_space(folder: Path, gib: int) -> None:
    """Refuse to begin what would fill the disk: ImageError unless `gib` GiB are free in the folder."""
    free = shutil.disk_usage(folder).free / 2**30
    if free < gib:
        raise ImageError(
            f"Baking needs {gib} GiB free in {folder}, there are {free:.1f}. Make room, or set another home.",
            needed_gib=gib,
            free_gib=round(free, 1),
        )


def _remove(folder: Path) -> None:
    """Remove a folder, but never through something that is mounted in it."""
    mounted = [
        line.split()[4] for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    ]
    inside = [place for place in mounted if place.startswith(f"{folder}/")]
    if inside:
        raise ImageError(
            f"{inside[-1]} is still mounted. Unmount it (umount), then bake again.", mounted=inside
        )
    shutil.rmtree(folder)


@contextlib.contextmanager
def _alone(folder: Path, progress: Progress, stop: threading.Event) -> Iterator[int]:
    """Hold the lock of this image's folder, given as a descriptor; wait for whoever bakes it now."""
    with (folder / ".lock").open("w") as lock:
        told = False
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    progress(0, "waiting for another bake of the same image")
                    told = True
                if stop.wait(0.5):
                    raise ImageError("The bake was stopped while it waited for another one.") from None
            else:
                break
        yield lock.fileno()
