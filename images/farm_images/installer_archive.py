"""tox-wheelfarm as a guest carries it: the package and what makes it known to tox, by absolute path in the guest.

Called by agent_archive. What is installed beside the farm goes into the image, file by file; it is read, and never
imported. The same sources give the same files.
"""

from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from farm_images.errors import ImageError

PACKAGE = "tox_wheelfarm"
DISTRIBUTION = "tox-wheelfarm"
INSTALLERS_PATH = "/opt/wheelfarm/installers"
"""A folder for sys.path of its own: a tox that a project provisions gets it too, without all else of ours."""
_PTH = "/opt/wheelfarm/tox/wheelfarm_installers.pth"
_TOLD = ("METADATA", "entry_points.txt")


def installer_files() -> dict[str, bytes]:
    """Every file, by its absolute path in the guest.

    Raises:
        ImageError: tox-wheelfarm is not installed here.
    """
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise ImageError(f"{DISTRIBUTION} is not installed beside the farm; install wheelfarm as a whole.")
    folder = Path(next(iter(spec.submodule_search_locations)))
    found = {
        f"{INSTALLERS_PATH}/{PACKAGE}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    distribution = metadata.distribution(DISTRIBUTION)
    information = f"{INSTALLERS_PATH}/{PACKAGE}-{distribution.version}.dist-info"
    for name in _TOLD:
        found[f"{information}/{name}"] = (distribution.read_text(name) or "").encode()
    found[_PTH] = f"{INSTALLERS_PATH}\n".encode()
    return found
