"""Makes the environment that runs tox, pinned by a lock file, given nothing but a Python of 3.9 or later.

Run as `python -m tox_wheelfarm bootstrap`, or fetched and run alone (`python bootstrap.py`): it is one file of the
standard library. It never resolves, never builds anything, and never installs a file whose hash the lock does not have.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCKS = ("pylock.tox.toml", "pylock.toml", "requirements-tox.txt", "tox-requirements.txt")
"""Where the lock is looked for, in this order."""

MARKER = ".wheelfarm-bootstrap.json"
"""In the environment; it says what it was made from, and is written last."""

LARGEST, SECONDS, OLDEST = 8 << 20, 1800, (3, 9)

READERS = """\
packaging==26.0 --hash=sha256:b36f1fef9334a5588b4166f8bcd26a14e521f2b55e6b9de3aaa80d3ff7a37529
tomli==2.2.1 --hash=sha256:cb55c73c5f4408779d0cf3eef9f762b9c9f147a77de7b258bef0a5628adc85cc
"""
"""What reads a pylock.toml for uv; the pip of a venv has its own."""
KEPT = re.compile(
    "PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|CLIENT_CERT|PROXY|CACHE_DIR|CONFIG_FILE|DEFAULT_TIMEOUT|RETRIES)"
    "|UV_((DEFAULT_|EXTRA_)?INDEX.*|INSECURE_HOST|(NATIVE|SYSTEM)_.*|CACHE_DIR|HTTP_.*|KEYRING_.*|LINK_MODE|OFFLINE)"
)
"""How an index is reached is a person's; where and what is installed is not."""

DESCRIPTION = """\
Make the environment that runs tox, with exactly the releases of a lock file, each by its hash.

The lock is a pylock.toml (PEP 751), or a requirements file in which every line has a hash. Write `tox` and
`tox-wheelfarm` into tox.in, one a line, and lock them with one of
  uv pip compile --universal --format pylock.toml -o pylock.tox.toml tox.in
  uv pip compile --universal --generate-hashes -o requirements-tox.txt tox.in
Only wheels are installed, nothing is built and nothing is resolved. When the environment is there and was made from
this lock, nothing is done; when the lock or the interpreter changed, or it was half-made, it is made anew.
uv makes it if there is one (the same in a second), else the venv and pip of the interpreter.
"""
EPILOG = "Exit codes: 0 it is there; 1 it cannot be made, and the message says why; 2 wrong use."

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?", re.IGNORECASE)
VERSION = re.compile(r"[a-z0-9][a-z0-9.!+_-]*", re.IGNORECASE)
DIGEST = re.compile(r"(sha256|sha384|sha512):[0-9a-f]{64,128}")
LINE = re.compile(
    r"[a-z0-9][a-z0-9._-]*\s*(\[[a-z0-9._, -]*\])?\s*===?\s*[a-z0-9.!+_-]+\s*(;.*?)?(\s+--hash=\w+:[0-9a-f]+)+",
    re.IGNORECASE,
)
MEMBERSHIP = re.compile(r"""(['"])([\w.-]+)\1\s+(not\s+)?in\s+(extras|dependency_groups)""")


class RefusedError(Exception):
    """The environment cannot be made; the message is one sentence for people."""


@dataclass(frozen=True)
class Order:
    """What is asked for; `uv` is "" to do without it, `index_url` is "" for what pip, or uv's variables, say."""

    lock: Path
    into: Path
    python: str
    uv: str = ""
    index_url: str = ""
    wheels: Path | None = None

    def program(self, name: str) -> Path:
        """A program of the environment: `python`, or `tox`, which is run next."""
        return self.into / (f"Scripts/{name}.exe" if os.name == "nt" else f"bin/{name}")


def main(arguments: list[str]) -> int:
    """Do what the command line says; gives the exit code."""
    if arguments[:1] == ["_select"]:
        return _answer(arguments[1:])
    given = _parser().parse_args(arguments)
    try:
        told = make(_order(given))
    except (RefusedError, OSError) as wrong:
        sys.stderr.write(f"bootstrap: {wrong}\n")
        return 1
    sys.stdout.write(told)
    return 0


def make(order: Order) -> str:
    """Make the environment, unless it is there; gives what to tell, or raises a RefusedError."""
    tox, digest = order.program("tox"), hashlib.sha256(_bytes(order.lock)).hexdigest()
    wanted = {"lock": digest, "python": _interpreter(order.python), "into": str(order.into.absolute())}
    if _is_made(order, wanted):
        return f"{order.into} is there, as {order.lock} has it\nrun: {tox}\n"
    _clear(order.into)
    order.into.mkdir(parents=True)
    marker = order.into / MARKER
    marker.write_text("{}\n", encoding="utf-8")
    _create(order)
    with tempfile.TemporaryDirectory(prefix="bootstrap-") as folder:
        lines = _lines(order, Path(folder))
        listed = Path(folder) / "set.txt"
        listed.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        _install(order, listed)
    if not tox.exists():
        raise RefusedError(f"{order.lock} was installed, but gave no {tox}; is tox 4 in it?")
    half = marker.with_suffix(".half")
    half.write_text(json.dumps({**wanted, "holds": _contents(order.into)}) + "\n", encoding="utf-8")
    half.replace(marker)
    way = "uv" if order.uv else "venv and pip"
    return f"{order.into} was made from {order.lock} by {way}: {len(lines)} releases, by hash\nrun: {tox}\n"


def select(lock: Path, libraries: Path | None) -> list[str]:
    """The releases of a pylock.toml (PEP 751) for the interpreter that runs this, as requirements with hashes.

    `libraries` is a folder with `packaging` and `tomli`, or None for those inside pip. Raises a RefusedError when the
    lock is malformed, not for this interpreter, or holds more than releases with hashes.
    """
    if libraries:
        sys.path.insert(0, str(libraries))
    document = _document(lock)
    version = document.get("lock-version", "")
    if not str(version).startswith("1."):
        raise RefusedError(f"{lock} says lock-version {version!r}; this reads 1.0 (PEP 751)")
    groups = _entries(lock, document, "default-groups", str)
    here = f"Python {sys.version.split()[0]}, {sys.platform}"
    environments = _entries(lock, document, "environments", str)
    named = not environments or any(_holds(lock, marker, groups) for marker in environments)
    if not named or not _fits(lock, document.get("requires-python")):
        raise RefusedError(f"{lock} is not for this interpreter ({here})")
    found: dict[str, str] = {}
    for package in _entries(lock, document, "packages", dict):
        if not _holds(lock, package.get("marker"), groups):
            continue
        name = str(package.get("name", ""))
        if not _fits(lock, package.get("requires-python")) or name in found:
            raise RefusedError(f"{lock} has no single release of {name} for this interpreter ({here})")
        found[name] = _line(lock, package)
    return list(found.values())


def _holds(lock: Path, marker: Any, groups: list[str]) -> bool:
    """Whether an environment marker holds for the interpreter that runs this; none always does."""

    def known(matched: re.Match[str]) -> str:
        inside = matched.group(4) == "dependency_groups" and matched.group(2) in groups
        return f"python_version {'>' if inside != bool(matched.group(3)) else '<'} '0'"

    markers = _library("markers")
    wrong = (markers.InvalidMarker, markers.UndefinedEnvironmentName, markers.UndefinedComparison)
    try:
        # The variables of lock files are newer than many a pip: what they say is put in their place.
        return not marker or bool(markers.Marker(MEMBERSHIP.sub(known, str(marker))).evaluate())
    except (*wrong, RecursionError):
        raise RefusedError(f"{lock} has a marker that cannot be read: {str(marker)[:200]!r}") from None


def _fits(lock: Path, wanted: Any) -> bool:
    """Whether a `requires-python` takes the interpreter that runs this."""
    specifiers = _library("specifiers")
    version = ".".join(str(part) for part in sys.version_info[:3])
    try:
        return not wanted or bool(specifiers.SpecifierSet(str(wanted)).contains(version, prereleases=True))
    except specifiers.InvalidSpecifier:
        raise RefusedError(f"{lock} has a requires-python that cannot be read: {wanted!r}") from None


def _line(lock: Path, package: dict[str, Any]) -> str:
    name, version = str(package.get("name", "")), str(package.get("version", ""))
    if not NAME.fullmatch(name):
        raise RefusedError(f"{lock} has a package with the name {name[:80]!r}")
    wheels = _entries(lock, package, "wheels", dict)
    if not VERSION.fullmatch(version) or not wheels:
        raise RefusedError(f"{lock}: {name} has no wheels of a version, and nothing is built")
    hashes = [wheel.get("hashes", {}) for wheel in wheels]
    if not all(isinstance(each, dict) for each in hashes):
        raise RefusedError(f"{lock}: {name} {version} has hashes that are no table")
    digests = [f"{kind}:{digest}" for each in hashes for kind, digest in each.items()]
    strong = [digest for digest in digests if DIGEST.fullmatch(digest)]
    if not strong:
        raise RefusedError(f"{lock}: {name} {version} has no hash that pip and uv take (SHA-256)")
    return " ".join([f"{name}=={version}", *(f"--hash={digest}" for digest in dict.fromkeys(strong))])


def _document(lock: Path) -> dict[str, Any]:
    toml = _library("toml")
    try:
        document: dict[str, Any] = toml.loads(_bytes(lock).decode("utf-8"))
    except (ValueError, RecursionError) as wrong:
        raise RefusedError(f"{lock} is not a TOML file: {str(wrong)[:200]}") from None
    return document


def _entries(lock: Path, table: dict[str, Any], key: str, kind: type[Any]) -> list[Any]:
    """The list of that key, of one type; what is not there is empty."""
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(each, kind) for each in found):
        wanted = "tables" if kind is dict else "texts"
        raise RefusedError(f"{lock} has {key} that are no list of {wanted}")
    return found


def _library(name: str) -> Any:
    from importlib import import_module

    places = (f"packaging.{name}", f"pip._vendor.packaging.{name}")
    for module in ("tomllib", "tomli", "pip._vendor.tomli") if name == "toml" else places:
        try:
            return import_module(module)
        except ImportError:  # noqa: PERF203 - the next place
            continue
    raise RefusedError(
        "the pip of this Python is too old to read a pylock.toml; update Python, or install uv"
    )


def _answer(arguments: list[str]) -> int:
    """Select inside the new environment, and tell it as JSON to the process that started this one."""
    try:
        lines = select(Path(arguments[0]), Path(arguments[1]) if arguments[1:] else None)
    except RefusedError as refused:
        sys.stderr.write(str(refused))
        return 3
    sys.stdout.write(json.dumps(lines))
    return 0


def _lines(order: Order, folder: Path) -> list[str]:
    """The set as lines of a requirements file, tox among them."""
    lines = _pylock_lines(order, folder) if order.lock.suffix == ".toml" else _requirements(order.lock)
    if not any(re.match(r"tox\s*(\[.*?\])?\s*=", line, re.IGNORECASE) for line in lines):
        raise RefusedError(f"{order.lock} does not have tox (for this interpreter); add it and lock again")
    return lines


def _pylock_lines(order: Order, folder: Path) -> list[str]:
    more = []
    if order.uv:
        (folder / "readers.txt").write_text(READERS, encoding="utf-8")
        more = [str(folder / "readers")]
        _install(order, folder / "readers.txt", ["--target", *more])
    command = [str(order.program("python")), "-I", __file__, "_select", str(order.lock), *more]
    done = _run(command, f"reading {order.lock}", refused=3)
    return [str(line) for line in json.loads(done)]


def _requirements(lock: Path) -> list[str]:
    text = re.sub(r"\\\r?\n", " ", _bytes(lock).decode("utf-8", "replace"))
    found = []
    for line in text.splitlines():
        plain = re.sub(r"(^|\s)#.*", "", line).strip()
        if plain and not LINE.fullmatch(plain):
            told = "every line needs an exact version and a hash, options belong on the command line"
            raise RefusedError(f"{lock}: {plain[:120]!r} is not `name==version --hash=…`; {told}")
        found += [plain] if plain else []
    return found


def _create(order: Order) -> None:
    if order.uv:
        quiet = ["--quiet", "--no-config", "--no-project", "--allow-existing"]
        _run([order.uv, "venv", *quiet, "--python", order.python, str(order.into)], "uv venv")
        return
    try:
        _run([order.python, "-m", "venv", str(order.into)], "venv")
    except RefusedError as failed:
        raise RefusedError(f"{failed}\n(Debian and Ubuntu have it in python3-venv; uv needs none)") from None


def _install(order: Order, listed: Path, into: list[str] | None = None) -> None:
    exact = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", str(listed), *(into or [])]
    where = ["--no-index", "--find-links", str(order.wheels)] if order.wheels else []
    if order.index_url:
        where += ["--default-index" if order.uv else "--index-url", order.index_url]
    python = str(order.program("python"))
    if not order.uv:
        quiet = ["--quiet", "--disable-pip-version-check", "--no-input"]
        _run([python, "-I", "-m", "pip", "install", *quiet, *where, *exact], "pip install")
        return
    command = [order.uv, "pip", "install", "--quiet", "--no-config", "--python", python, *where, *exact]
    try:
        _run([*command, "--offline"], "uv pip install")
    except RefusedError:  # not all of it is in uv's cache: what failed is told by asking for it
        _run(command, "uv pip install")


def _run(command: list[str], what: str, refused: int | None = None) -> str:
    dropped = ("PIP_", "UV_", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    kept = {k: v for k, v in os.environ.items() if not k.startswith(dropped) or KEPT.fullmatch(k)}
    try:
        done = subprocess.run(
            command,
            env={**kept, "UV_PYTHON_DOWNLOADS": "never", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as wrong:
        raise RefusedError(f"{what}: {wrong}") from None
    if refused is not None and done.returncode == refused:
        raise RefusedError(done.stderr.strip())
    if done.returncode:
        end = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise RefusedError(f"{what} failed (exit code {done.returncode}):\n{end}")
    return done.stdout


def _bytes(path: Path) -> bytes:
    if not path.is_file():
        raise RefusedError(f"there is no lock file {path}; see --help for how to write one")
    if path.stat().st_size > LARGEST:
        raise RefusedError(f"{path} is larger than {LARGEST >> 20} MiB, so it is no lock file")
    return path.read_bytes()


def _interpreter(python: str) -> str:
    ask = "import platform, sys; sys.stdout.write(' '.join([platform.python_version(), sys.executable, sys.version]))"
    told = _run([python, "-E", "-c", ask], f"the interpreter {python}")
    version = re.match(r"(\d+)\.(\d+)\.", told)
    if not version or (int(version.group(1)), int(version.group(2))) < OLDEST:
        raise RefusedError(f"{python} is Python {told.split(' ')[0][:20]}; tox needs 3.9 or later")
    return told


def _is_made(order: Order, wanted: dict[str, str]) -> bool:
    try:
        made = json.loads((order.into / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    whole = made == {**wanted, "holds": _contents(order.into)}
    return whole and order.program("tox").exists() and order.program("python").exists()


def _contents(into: Path) -> str:
    """The digest of all files and their sizes, but for what Python compiles and the marker itself."""
    found = (Path(at, name) for at, _, names in os.walk(into) for name in names if MARKER not in name)
    sizes = {str(path): path.lstat().st_size for path in found if path.suffix != ".pyc"}
    return hashlib.sha256(json.dumps(sizes, sort_keys=True).encode()).hexdigest()


def _clear(into: Path) -> None:
    if not into.exists() or (into.is_dir() and not any(into.iterdir())):
        return
    if not (into / MARKER).exists():
        raise RefusedError(f"{into} is there, and was not made by this; name another folder with --into")
    old = into.with_name(f"{into.name}.old-{os.getpid()}")
    into.rename(old)
    shutil.rmtree(old)


def _order(given: argparse.Namespace) -> Order:
    lock = given.lock or next((Path(name) for name in LOCKS if Path(name).is_file()), None)
    if lock is None:
        raise RefusedError(f"no lock file is named with --lock, and none of {', '.join(LOCKS)} is here")
    python = shutil.which(given.python)
    if python is None:
        raise RefusedError(f"there is no interpreter {given.python}")
    beside = shutil.which("uv", path=str(Path(sys.executable).parent))
    # What reads a pylock.toml for uv comes from an index; the pip of a venv has it.
    without = given.by == "venv" or (given.wheels and given.by == "auto")
    uv = "" if without else shutil.which("uv") or beside or ""
    if given.by == "uv" and not uv:
        raise RefusedError("there is no uv on PATH; leave --by away to do without")
    return Order(lock, given.into, python, uv, given.index_url, given.wheels)


def _parser() -> argparse.ArgumentParser:
    alone = __name__ == "__main__"
    parser = argparse.ArgumentParser(
        prog=f"python {Path(__file__).name}" if alone else "python -m tox_wheelfarm bootstrap",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--lock", type=Path, metavar="FILE", help=f"the lock file (the first there is of {', '.join(LOCKS)})")
    add("--into", type=Path, metavar="FOLDER", default=Path(".tox-env"), help="the environment (%(default)s)")
    add("--python", default=sys.executable, help="an interpreter, 3.9 or later (the one that runs this)")
    add("--index-url", metavar="URL", default="", help="the index (that of pip, or of uv's variables)")
    add("--wheels", type=Path, metavar="FOLDER", help="take files from this folder only, and no network")
    add("--by", choices=("auto", "uv", "venv"), default="auto", help="what makes it (uv if there is one)")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
