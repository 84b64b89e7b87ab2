"""Plain tox as a person would call it: sent as text to a guest (`tox_by_hand`) and run there by its `python3`.

It stands beside tox, never inside: no plugin, no variable but PYTEST_ADDOPTS, by which pytest itself writes its
junit report. Each environment has a pipe for its reports, so that the second pytest of an environment does not
overwrite the first. `tox config` is asked first, as the setting that adds a variable replaces all others of an
environment that sets its own. Nothing on the host ever calls it.
"""

import json
import os
import re
import select
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

FOLDER = Path.home() / "by-hand"
OPTION = f"--junitxml={FOLDER}/$TOX_ENV_NAME.pipe"
SECONDS = 86400
"""The agent ends the command long before; this is only never to wait for ever."""

_OWN = ("TOX_", "VIRTUAL_ENV=")


class Reports:
    """The pipes, read into files of the same names as long as tox runs."""

    def __init__(self, environments: list[str]) -> None:
        self._stop = threading.Event()
        self._pipes: dict[int, Path] = {}
        for name in environments:
            path = FOLDER / f"{name}.pipe"
            os.mkfifo(path)
            # Open for both, so that it never ends between two writers.
            descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            self._pipes[descriptor] = path.with_suffix(".xml")
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def close(self) -> None:
        """Take what is there, then end."""
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        while True:
            stopping = self._stop.is_set()
            readable, _, _ = select.select(list(self._pipes), [], [], 0 if stopping else 0.2)
            for descriptor in readable:
                with self._pipes[descriptor].open("ab") as file:
                    file.write(os.read(descriptor, 1 << 16))
            if stopping and not readable:
                return


def configured(tool: str, environments: list[str]) -> dict[str, list[str]]:
    """The `set_env` of each environment as `tox config` shows it, a NAME=VALUE a line."""
    command = [tool, "config", "-e", ",".join(environments), "-k", "set_env"]
    shown = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False, timeout=SECONDS
    )
    found: dict[str, list[str]] = {}
    name = ""
    for line in shown.stdout.decode(errors="replace").splitlines():
        if line.startswith("[testenv:"):
            name = line[len("[testenv:") : -1]
            found[name] = []
        elif line.startswith("  ") and name:
            found[name].append(line[2:])
    return found


def overrides(name: str, lines: list[str]) -> list[str]:
    """Options that give an environment its own variables and PYTEST_ADDOPTS, whatever kind of file it is set in."""
    addopts = [line.partition("=")[2] for line in lines if line.startswith("PYTEST_ADDOPTS=")]
    kept = [line for line in lines if not line.startswith(("PYTEST_ADDOPTS=", *_OWN))]
    value = "\n".join([f"PYTEST_ADDOPTS={' '.join([OPTION, *addopts])}", *kept])
    escaped = name.replace(".", "\\.")
    sections = (f"testenv:{escaped}", f"tool.tox.env.{escaped}", f"env.{escaped}")
    return [part for section in sections for part in ("-x", f"{section}.set_env={value}")]


def command_of(settings: dict[str, Any]) -> list[str]:
    """The command line of tox."""
    environments: list[str] = settings["environments"]
    tool: str = settings["tool"]
    options = ["-e", ",".join(environments), "--result-json", str(FOLDER / "tox-result.json")]
    if settings["old"]:
        os.environ |= {"PYTEST_ADDOPTS": OPTION, "TOX_TESTENV_PASSENV": "PYTEST_ADDOPTS"}
        return [tool, *options]
    found = configured(tool, environments)
    added = [part for name in environments for part in overrides(name, found.get(name, []))]
    return [tool, "run", *options, *added]


def use_index(lock: Path) -> None:
    """A person in this machine would have to make uv's lock file name the index that it can reach."""
    if not lock.is_file():
        return
    (index,) = re.findall(r'(?m)^url = "([^"]+)"', Path("/etc/uv/uv.toml").read_text(encoding="utf-8"))
    packages = lock.read_text(encoding="utf-8").split("[[package]]")
    for number, package in enumerate(packages):
        name = "".join(re.findall(r'\A\nname = "([^"]+)"', package))
        files = index.removesuffix("simple/") + f"files/{name}"
        told = re.sub(
            r"https://files\.pythonhosted\.org/packages/[0-9a-f]+/[0-9a-f]+/[0-9a-f]+", files, package
        )
        packages[number] = told.replace('"https://pypi.org/simple"', f'"{index}"')
    lock.write_text("[[package]]".join(packages), encoding="utf-8")


def main() -> int:
    """Run tox on the project in the current folder; its exit code."""
    settings = json.loads(sys.argv[1])
    FOLDER.mkdir()
    if settings["inferred"] is not None:
        # The farm keeps the file elsewhere; here it lies in the project, which tox 3 then calls by another name.
        text = settings["inferred"].replace("{[tox]setupdir}", "{toxinidir}")
        Path("tox.ini").write_text(text, encoding="utf-8")
    use_index(Path("uv.lock"))
    reports = Reports(settings["environments"])
    try:
        code = subprocess.run(command_of(settings), check=False, timeout=SECONDS).returncode
    finally:
        reports.close()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
