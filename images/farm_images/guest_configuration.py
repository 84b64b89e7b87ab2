"""The guest's own settings: names, index, units that never start; files below `/etc` only.

Called by the bake. It never touches what a package owns, and it holds no secret and no address but the one of
the package index proxy, as a machine sees it.
"""

import uuid
from pathlib import Path

from farm_images.recipes import Recipe

INDEX_HOST = "10.0.2.2"
INDEX_URL = f"http://{INDEX_HOST}:3141/simple/"

_PIP = f"""\
[global]
index-url = {INDEX_URL}
trusted-host = {INDEX_HOST}
disable-pip-version-check = true
retries = 2
timeout = 60
[install]
# Modules are compiled when they are imported. Compiling all that a wheel holds takes longer, under emulation, than all
# else that pip does. (pip reads the options that begin with "no-" by their default: "no" turns this one on.)
no-compile = no
"""
UV_SETTINGS = f"""\
allow-insecure-host = ["{INDEX_HOST}"]
python-downloads = "never"

[[index]]
url = "{INDEX_URL}"
default = true
"""
_HOSTS = "127.0.0.1 localhost machine\n::1 localhost\n"
# What journald would write to the disk of a machine that is thrown away is only time lost.
_JOURNAL = "[Journal]\nStorage=volatile\nRuntimeMaxUse=8M\nForwardToConsole=no\n"


def write_configuration(root: Path, recipe: Recipe) -> None:
    """Write the settings below `root`, a tree that becomes the guest's `/`."""
    etc = root / "etc"
    texts = {
        "pip.conf": _PIP,
        "uv/uv.toml": UV_SETTINGS,
        "hostname": "machine\n",
        "hosts": _HOSTS,
        "resolv.conf": "",
        "fstab": "",
        # Fixed, so that systemd does not take every boot for the first one. It identifies nothing.
        "machine-id": uuid.uuid5(uuid.NAMESPACE_URL, f"wheelfarm:{recipe.name}").hex + "\n",
        "systemd/journald.conf.d/wheelfarm.conf": _JOURNAL,
    }
    for name, text in texts.items():
        path = etc / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for kind, names in (("system", recipe.masked_units), ("system-generators", recipe.masked_generators)):
        folder = etc / "systemd" / kind
        folder.mkdir(parents=True, exist_ok=True)
        for name in names:
            (folder / name).symlink_to("/dev/null")
    (etc / "systemd/system/default.target").symlink_to("/lib/systemd/system/multi-user.target")
