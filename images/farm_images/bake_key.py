"""The key of a bake: the digest of everything that goes into an image and is known before it is made.

Called by the bake, which makes a new image only when the key is new. It never covers the versions of Debian's
packages: those are for whoever asks for a new bake.
"""

import dataclasses
import hashlib
from importlib.resources import files

from farm_images.agent_archive import agent_digest
from farm_images.guest_tools import tools
from farm_images.interpreters import HostInterpreter, listing
from farm_images.recipes import Recipe

# A change in how an image is made gives a new image, too.
_MAKERS = ("debian_root.py", "guest_configuration.py", "guest_tools.py", "interpreters.py")
_SCRIPTS = ("inside.sh", "disk.sh")


def bake_key(recipe: Recipe, found: list[HostInterpreter], mirror: str = "") -> str:
    """SHA-256, in hexadecimal, of recipe, tools, agent, the interpreters to copy, and the bake's own steps.

    Of uv's builds only the mirror counts: which ones can be had is not known without the network.
    """
    package = files("farm_images")
    parts = [repr(dataclasses.replace(recipe, bake_seconds=0)), agent_digest(), mirror]
    parts += [f"{tool.name}\n{tool.lock}" for tool in tools()]
    parts += [listing(source) for source in found]
    parts += [(package / name).read_text(encoding="utf-8") for name in _MAKERS]
    parts += [(package / "bake_scripts" / name).read_text(encoding="utf-8") for name in _SCRIPTS]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
