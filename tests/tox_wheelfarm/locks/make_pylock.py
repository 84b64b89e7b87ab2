"""Makes pylock.toml of the `pylock_*` projects with pdm, pip and uv, and records what each tool makes of its own file.

Run by hand: `.venv/bin/python make_pylock.py`, after `make_uv.py`, which makes the repository that `pylock_uv` locks.
"""

import json
import shutil
from itertools import product

from toolbox import copied, interpreter, keep, keep_json, listed, uv

PIP = "pip==26.3"
PDM = "pdm==2.26.2"
BEFORE = "2025-12-01"
"""Releases of what pdm needs that are newer do not work with it."""
PYTHONS = ("3.9.18", "3.13.0")


def main():
    """Make them all."""
    by_pdm()
    by_pip()
    by_uv()


def by_pdm():
    """A lock with extras and groups, what pdm exports of each choice, and what it installs."""
    start = [
        "tool",
        "run",
        "-q",
        "--python",
        interpreter("3.12.1"),
        "--exclude-newer",
        BEFORE,
        "--from",
        PDM,
        "pdm",
    ]
    variables = {"PDM_LOCK_FORMAT": "pylock", "PDM_CHECK_UPDATE": "0", "PDM_IGNORE_ACTIVE_VENV": "1"}
    with copied("pylock_pdm") as folder:

        def pdm(*words):
            return uv(*start, *words, cwd=folder, **variables)

        pdm("lock", "-G", ":all")
        keep("pylock_pdm", "pylock.toml", (folder / "pylock.toml").read_text())
        exports, made = [], []
        for extra, *groups in product(("", "web"), ("", "dev"), ("", "lint")):
            words = [word for name in (extra, *groups) if name for word in ("-G", name)]
            words += [] if any(groups) else ["--prod"]  # without it and without a group pdm takes every group
            text = pdm("export", "-f", "requirements", "--without-hashes", *words)
            lines = [line for line in text.splitlines() if line and not line.startswith("#")]
            exports.append(
                {"extras": [extra] * bool(extra), "groups": [g for g in groups if g], "lines": lines}
            )
        for python, extra in product(PYTHONS, ("", "web")):
            pdm("use", "-f", interpreter(python))
            uv("venv", "-q", "--clear", "--python", interpreter(python), cwd=folder)
            words = ["-G", extra] if extra else []
            pdm("sync", "-G", "dev", *words)
            packages = listed(folder / ".venv")
            made.append({"python": python, "extras": words[1:], "groups": ["dev"], "packages": packages})
            shutil.rmtree(folder / ".venv")
        keep("pylock_pdm", "export.json", json.dumps(exports, indent=1) + "\n")
        keep_json("pylock_pdm", "installed.json", made)


def by_pip():
    """A lock for one Python, as pip makes it, and what pip installs from it."""
    start = ["tool", "run", "-q", "--python", interpreter("3.13.0"), "--from", PIP, "pip"]
    with copied("pylock_pip") as folder:
        asked = ["requests[socks]>=2.30", "click", "colorama; sys_platform == 'win32'"]
        uv(*start, "lock", "-o", "pylock.toml", *asked, cwd=folder)
        keep("pylock_pip", "pylock.toml", (folder / "pylock.toml").read_text())
        uv("venv", "-q", "--clear", "--python", interpreter("3.13.0"), cwd=folder)
        uv(*start, "--python", ".venv", "install", "-q", "--no-deps", "-r", "pylock.toml", cwd=folder)
        packages = listed(folder / ".venv")
        keep_json("pylock_pip", "installed.json", [{"python": "3.13.0", "packages": packages}])


def by_uv():
    """Two locks of uv for every Python and platform, one with the project itself in it, and what uv installs."""
    with copied("pylock_uv") as folder:
        uv("lock", "--python", interpreter("3.13.0"), cwd=folder)
        exporting = ("export", "-q", "--frozen", "--offline", "--no-default-groups", "--no-header")
        uv(*exporting, "--format", "pylock.toml", "-o", "pylock.toml", cwd=folder)
        uv(*exporting, "--format", "pylock.toml", "--only-group", "dev", "-o", "pylock.dev.toml", cwd=folder)
        made = []
        for name, python in product(("pylock.toml", "pylock.dev.toml"), PYTHONS):
            keep("pylock_uv", name, (folder / name).read_text())
            uv("venv", "-q", "--clear", "--python", interpreter(python), cwd=folder)
            uv("pip", "sync", "-q", "--preview-features", "pylock", "--python", ".venv", name, cwd=folder)
            packages = listed(folder / ".venv")
            packages.pop("web-shop", None)
            made.append({"lock": name, "python": python, "packages": packages})
            shutil.rmtree(folder / ".venv")
        keep_json("pylock_uv", "installed.json", made)
        lines = uv(*exporting, "--no-hashes", "--no-annotate", "--no-emit-project", cwd=folder).splitlines()
        keep("pylock_uv", "export.json", json.dumps([{"lines": lines}], indent=1) + "\n")


if __name__ == "__main__":
    main()
