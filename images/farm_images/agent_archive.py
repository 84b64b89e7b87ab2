"""What of ours a guest carries: agent, its unit, the plugins and tox-wheelfarm, below an image's root.

Called by the bake; the digest is part of every template's key. It never runs anything of it. The archive has
the same bytes for the same sources: no times, no compression, sorted names.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from farm_images.installer_archive import installer_files
from farm_images.wire import AGENT_PATH, PYTEST_PLUGINS_PATH, TOX_PLUGINS_PATH

UNIT = "wheelfarm-agent.service"
_MODULES = (
    "apt_sources.py",
    "errors.py",
    "frame_fields.py",
    "installer_frame.py",
    "subunit_stream.py",
    "wire.py",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)
_PACKAGE = '"""The part of the farm that runs in a guest."""\n'
_MAIN = '"""Starts the agent."""\n\nfrom farm_images.agent.main import main\n\nmain()\n'
_UNIT_TEXT = f"""\
[Unit]
Description=wheelfarm agent
DefaultDependencies=no
After=systemd-remount-fs.service systemd-tmpfiles-setup.service systemd-udev-trigger.service
Conflicts=shutdown.target
Before=shutdown.target

[Service]
ExecStart=/usr/bin/python3 -I -S {AGENT_PATH}
Restart=always
RestartSec=1
Delegate=yes
TasksMax=infinity
KillMode=mixed

[Install]
WantedBy=multi-user.target
"""
_METADATA = (
    "Metadata-Version: 2.1\nName: wheelfarm-tox\nVersion: 1\nSummary: Reports what tox does to the farm.\n"
)
# tox takes one plugin of a name, and `wheelfarm` is that of tox-wheelfarm.
_ENTRY_POINTS = "[tox]\nwheelfarm-report = wheelfarm_tox\nwheelfarm-report3 = wheelfarm_tox3\n"


def build_agent_archive() -> bytes:
    """The zipapp, to be run as `python3 -I -S agent.pyz`; the same bytes for the same sources."""
    package = files("farm_images")
    sources = {"__main__.py": _MAIN.encode(), "farm_images/__init__.py": _PACKAGE.encode()}
    sources |= {f"farm_images/{name}": (package / name).read_bytes() for name in _MODULES}
    sources |= {f"farm_images/agent/{name}": content for name, content in _modules(package / "agent")}
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sorted(sources.items()):
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return sink.getvalue()


def agent_digest() -> str:
    """SHA-256, in hexadecimal, of all that `install_guest_files` writes."""
    digest = hashlib.sha256()
    for path, content in sorted(_guest_files().items()):
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def install_guest_files(root: Path) -> None:
    """Write the agent, the plugins and the enabled unit below `root`, a tree that becomes a guest's `/`."""
    for name, content in _guest_files().items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)
    wanted = root / "etc/systemd/system/multi-user.target.wants" / UNIT
    wanted.parent.mkdir(parents=True, exist_ok=True)
    wanted.unlink(missing_ok=True)
    wanted.symlink_to(f"/etc/systemd/system/{UNIT}")


def _guest_files() -> dict[str, bytes]:
    """Every file, by its absolute path in the guest."""
    plugins = files("farm_images") / "guest_plugins"
    found = {AGENT_PATH: build_agent_archive(), f"/etc/systemd/system/{UNIT}": _UNIT_TEXT.encode()}
    for name, content in _modules(plugins / "tox_plugin"):
        found[f"{TOX_PLUGINS_PATH}/{name}"] = content
    for name, content in _modules(plugins / "pytest_plugin"):
        found[f"{PYTEST_PLUGINS_PATH}/{name}"] = content
    information = f"{TOX_PLUGINS_PATH}/wheelfarm_tox-1.dist-info"
    found[f"{information}/METADATA"] = _METADATA.encode()
    found[f"{information}/entry_points.txt"] = _ENTRY_POINTS.encode()
    return found | installer_files()


def _modules(folder: Traversable) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        if entry.name.endswith(".py"):
            yield entry.name, entry.read_bytes()
