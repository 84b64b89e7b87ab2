"""The interpreters of an image, each started as the job's user and asked what it is.

Called by `conversation` for a JOB frame of the kind `probe`. It never decides which interpreters an image
offers.
"""

import json
import subprocess
from typing import Any

from farm_images.agent.job_user import JobUser
from farm_images.agent.packets import Packets
from farm_images.agent.places import Places
from farm_images.wire import ID_INTERPRETER

_SECONDS = 120
# Runs on Python 2.7 and on whatever comes. Tags:
# https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
_QUESTION = """
import json, platform, sys, sysconfig
wanted = ["ssl", "zlib", "sqlite3", "ctypes", "lzma", "bz2", "hashlib"]
missing = []
for name in wanted:
    if name == "lzma" and sys.version_info[0] == 2:
        continue
    try:
        __import__(name)
    except Exception:
        missing.append(name)
implementation = platform.python_implementation()
short = {"CPython": "cp", "PyPy": "pp", "GraalVM": "graalpy"}.get(implementation, implementation.lower())
digits = "%d%d" % sys.version_info[:2]
interpreter = short + digits
if sys.version_info[0] == 2:
    abi = interpreter + "m" + ("u" if sys.maxunicode > 65535 else "")
elif implementation == "CPython":
    flags = sysconfig.get_config_var("ABIFLAGS") or ""
    abi = interpreter + flags
else:
    abi = (sysconfig.get_config_var("SOABI") or "none").replace("-", "_").replace(".", "_")
threaded = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
system = sysconfig.get_platform().replace("-", "_").replace(".", "_")
tags = ["-".join((interpreter, abi, system)), "-".join((interpreter, "none", "any"))]
tags.append("py%d-none-any" % sys.version_info[0])
print(json.dumps({"version": platform.python_version(), "implementation": implementation,
                  "threaded": threaded, "tags": tags, "missing": missing}))
"""


def run_probe(interpreters: tuple[str, ...], places: Places, user: JobUser, packets: Packets) -> bool:
    """One `farm:interpreter` packet with `interpreter.json` each; True if every one works."""
    works = True
    for path in interpreters:
        answer = _ask(path, places, user)
        packets.attach_json(ID_INTERPRETER, "interpreter.json", {"path": path, **answer})
        packets.step(ID_INTERPRETER, "success" if answer["works"] else "fail")
        works = works and answer["works"]
    return works


def _ask(path: str, places: Places, user: JobUser) -> dict[str, Any]:
    unknown: dict[str, Any] = {
        "version": None,
        "implementation": None,
        "threaded": False,
        "tags": [],
        "missing": [],
    }
    try:
        done = subprocess.run(
            [path, "-E", "-s", "-c", _QUESTION],
            capture_output=True,
            timeout=_SECONDS,
            check=False,
            stdin=subprocess.DEVNULL,
            cwd=places.home,
            env=user.variables(places),
            **user.credentials(),
        )
        answer = json.loads(done.stdout)
    except OSError as error:
        return unknown | {"works": False, "reason": f"cannot be started: {error}"}
    except subprocess.TimeoutExpired:
        return unknown | {"works": False, "reason": f"does not answer within {_SECONDS} s"}
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        return unknown | {"works": False, "reason": f"exit code {done.returncode}: {last[-500:]}"}
    lacking = [name for name in ("ssl", "zlib") if name in answer["missing"]]
    reason = f"lacks {', '.join(lacking)}" if lacking else ""
    return {**unknown, **answer, "works": not lacking, "reason": reason}
