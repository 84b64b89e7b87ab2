"""The plain twin of the client and of its tests: generated from the asynchronous source, whole.

Run as `python -m tests.client.generated` to write it, and by a test that compares. Nothing is edited by hand there.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import unasync

ROOT = Path(__file__).resolve().parents[2]
PAIRS = (
    (
        ROOT / "api/client/wheelfarm_client/asynchronous",
        ROOT / "api/client/wheelfarm_client/synchronous",
    ),
    (ROOT / "tests/client/asynchronous", ROOT / "tests/client/synchronous"),
)
REPLACED = {
    "AsyncFarm": "Farm",
    "AsyncConnection": "Connection",
    "AsyncProjects": "Projects",
    "AsyncUploading": "Uploading",
    "AsyncClient": "Client",
    "AsyncBaseTransport": "BaseTransport",
    "aclose": "close",
    "aclosing": "closing",
    "aiter_bytes": "iter_bytes",
    "aiter_raw": "iter_raw",
    "AsyncBreaking": "Breaking",
    "AsyncQuiet": "Quiet",
    "AsyncByteStream": "SyncByteStream",
    "AsyncHTTPTransport": "HTTPTransport",
    "aread": "read",
    "handle_async_request": "handle_request",
    "asynchronous": "synchronous",
    "measure_async": "measure",
    "pause_async": "pause",
    "read_piece_async": "read_piece",
}
PACKAGE = '"""Generated from the folder `asynchronous` by tests/client/generated.py; not edited by hand."""\n'
FORMAT_SECONDS = 60


def generate() -> Iterator[tuple[Path, str]]:
    """Each generated file and its text."""
    for source, target in PAIRS:
        yield target / "__init__.py", PACKAGE
        for path in sorted(source.glob("*.py")):
            if path.name != "__init__.py":
                yield target / path.name, _twin(path)


def _twin(path: Path) -> str:
    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder, "before"), Path(folder, "after")
        before.mkdir()
        copy = before / path.name
        copy.write_bytes(path.read_bytes())
        rule = unasync.Rule(f"{before}/", f"{after}/", additional_replacements=REPLACED)
        unasync.unasync_files([str(copy)], [rule])
        text = (after / path.name).read_text("utf-8")
    for step in (["check", "--fix-only", "--quiet", "--select", "I"], ["format", "--quiet"]):
        argv = [str(Path(sys.executable).with_name("ruff")), *step, "--stdin-filename", str(path), "-"]
        done = subprocess.run(
            argv, input=text, capture_output=True, text=True, check=True, timeout=FORMAT_SECONDS, cwd=ROOT
        )
        text = done.stdout
    return text


def main() -> int:
    """Write all of them."""
    for path, text in generate():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
