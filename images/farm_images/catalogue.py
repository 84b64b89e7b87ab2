"""The catalogue: the images that are ready on this host, each a folder of immutable files.

Called by the bake (which adds), the holder and the doors (which look up). It never changes or removes an
image: machines read these files for as long as they live. One folder is `ROOT/NAME/DIGEST/` with
`disk.qcow2`, `vmlinuz`, `initrd.img` and `image.json`.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from farm_images.errors import ImageError

DISK, KERNEL, INITRD, DESCRIPTION = "disk.qcow2", "vmlinuz", "initrd.img", "image.json"
PACKAGES = "packages.ext4"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """One Python of an image.

    Attributes:
        path: where it is in the guest.
        version: in full, such as `3.12.1` (for PyPy: of the language).
        python: `X.Y`.
        implementation: `cpython` or `pypy`.
        provider: `distribution`, `pyenv` or `uv`.
        tags: wheel tags from most to least specific; empty until it was started in the guest.
        threaded: whether it is a free-threaded build, which is another Python than the plain one of the same X.Y.
    """

    path: str
    version: str
    python: str
    implementation: str
    provider: str
    tags: tuple[str, ...] = ()
    threaded: bool = False

    @property
    def name(self) -> str:
        """By which it is told from all others of an image: `3.14`, `3.14t`, `pypy3.11`."""
        return python_name(self.implementation, self.python, threaded=self.threaded)


def python_name(implementation: str, python: str, *, threaded: bool) -> str:
    """What a Python is called everywhere: `3.14`, `3.14t` (free-threaded), `pypy3.11`."""
    return f"{'' if implementation == 'cpython' else implementation}{python}{'t' if threaded else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One image, whole and immutable.

    Attributes:
        name: the recipe's name, such as `debian-12`.
        digest: sha256 of `disk.qcow2`, in hex: the image's id.
        folder: where its files are.
        key: the digest of all that went in; an equal key need not be baked again.
        command_line: the kernel command line to boot it with.
        interpreters: those that work in the guest; the candidates until `probed` is true.
        probed: whether the interpreters were started in the guest.
        packages: what is installed, name to version (Debian packages, and tools as `tox/NAME`).
        baked: seconds since the epoch.
        seconds: how long the bake took; 0 when that is not known.
        notes: what a provider could not give, a sentence each.
        packages_digest: sha256 of `packages.ext4`, in hex; empty without a package disk.
    """

    name: str
    digest: str
    folder: Path
    key: str
    command_line: str
    interpreters: tuple[Interpreter, ...]
    probed: bool
    packages: tuple[tuple[str, str], ...]
    baked: float
    seconds: float = 0.0
    notes: tuple[str, ...] = ()
    packages_digest: str = ""

    @property
    def disk(self) -> Path:
        """The root file system, qcow2; never written to."""
        return self.folder / DISK

    @property
    def packages_disk(self) -> Path | None:
        """The package disk, a raw ext4 file system; None without one."""
        return self.folder / PACKAGES if self.packages_digest else None

    @property
    def kernel(self) -> Path:
        """The kernel for a direct boot."""
        return self.folder / KERNEL

    @property
    def initrd(self) -> Path:
        """The initrd for a direct boot."""
        return self.folder / INITRD


def with_interpreters(
    image: Image, probe_results: Iterable[dict[str, Any]], *, seconds: float = 0.0
) -> Image:
    """The image with the interpreters that the guest's probe found to work, written to its `image.json`.

    `probe_results` are the `interpreter.json` objects of the probe job: path, version, implementation, tags,
    threaded, works, reason. One that was not asked for is ignored; one without a result is dropped. If two have the
    same name, the first in the image's order stays. `seconds` is how long that took, and belongs to the bake.
    """
    results = {str(result.get("path")): result for result in probe_results}
    kept: dict[str, Interpreter] = {}
    for candidate in image.interpreters:
        result = results.get(candidate.path)
        if result is None or result.get("works") is not True:
            continue
        version = str(result.get("version") or candidate.version)
        probed = dataclasses.replace(
            candidate,
            version=version,
            python=".".join(version.split(".")[:2]),
            implementation=str(result.get("implementation") or candidate.implementation).lower(),
            tags=tuple(str(tag) for tag in result.get("tags") or ()),
            threaded=result.get("threaded") is True,
        )
        kept.setdefault(probed.name, probed)
    changed = dataclasses.replace(
        image, interpreters=tuple(kept.values()), probed=True, seconds=image.seconds + seconds
    )
    write_description(changed)
    return changed


def images(root: Path, name: str | None = None) -> list[Image]:
    """All ready images below the root (of one name), newest first; a folder that is not whole is no image."""
    found = []
    for path in root.glob(f"{name or '*'}/*/{DESCRIPTION}"):
        if not path.parent.name.startswith("."):
            with contextlib.suppress(ImageError):
                found.append(read_image(path.parent))
    return sorted(found, key=lambda image: image.baked, reverse=True)


def newest(root: Path, name: str) -> Image | None:
    """The newest ready image of that name, or None."""
    return next(iter(images(root, name)), None)


def read_image(folder: Path) -> Image:
    """The image in that folder; ImageError if the folder holds none or its files are missing."""
    try:
        text = (folder / DESCRIPTION).read_text(encoding="utf-8")
        document = json.loads(text)
        image = _image(document, folder)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ImageError(
            f"{folder} holds no image that this farm can read ({error}). Remove the folder and bake again.",
            folder=str(folder),
        ) from error
    parts = [image.disk, image.kernel, image.initrd, *([image.packages_disk] if image.packages_disk else [])]
    missing = [path.name for path in parts if not path.is_file()]
    if missing:
        raise ImageError(
            f"The image in {folder} lacks {', '.join(missing)}. Remove the folder and bake again.",
            folder=str(folder),
            missing=missing,
        )
    return image


def write_description(image: Image) -> None:
    """Write `image.json` beside the image's files: replaced as a whole, read-only."""
    document = {"format": FORMAT} | dataclasses.asdict(image) | {"packages": dict(image.packages)}
    del document["folder"]
    path = image.folder / DESCRIPTION
    draft = path.with_name(f".{DESCRIPTION}.{os.getpid()}")
    draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    draft.chmod(0o444)
    draft.replace(path)


def digest_of(path: Path) -> str:
    """sha256 of a file, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _image(document: dict[str, Any], folder: Path) -> Image:
    if document["format"] != FORMAT:
        raise ValueError(f"format {document['format']} instead of {FORMAT}")
    return Image(
        name=str(document["name"]),
        digest=str(document["digest"]),
        folder=folder,
        key=str(document["key"]),
        command_line=str(document["command_line"]),
        interpreters=tuple(
            Interpreter(**(item | {"tags": tuple(item["tags"])})) for item in document["interpreters"]
        ),
        probed=bool(document["probed"]),
        packages=tuple(sorted(document["packages"].items())),
        baked=float(document["baked"]),
        seconds=float(document.get("seconds", 0.0)),
        notes=tuple(str(note) for note in document.get("notes", ())),
        packages_digest=str(document.get("packages_digest", "")),
    )
