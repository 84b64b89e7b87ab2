"""What a guest does to tell a project's metadata: sent as text by metadata_question, run there as the user `job`.

It builds the metadata as an installer would (PEP 517): an environment of its own from the index, with what the build
asks for, then `prepare_metadata_for_build_wheel`, or the whole wheel where a backend has no such hook. The project's
code runs in processes of its own, and what they print goes to the log. Nothing on the host ever calls it.
"""

import os
import subprocess
import sys
from pathlib import Path

from pyproject_api import BackendFailed, SubprocessFrontend

SECONDS = 86400
"""The agent ends the command long before; this is only never to wait for ever."""

ROOT = Path.home().parent.parent
UV = ROOT / "opt/wheelfarm/bin/uv"
CONFIGURATION = ROOT / "etc/uv/uv.toml"
"""The guest's own: neither the project's settings nor the user's count."""


class NoMetadataError(Exception):
    """Why there is none, in a sentence's end."""


def main() -> None:
    """Leave METADATA in the folder `metadata` of the home; the last line of the log says why not."""
    folder = Path.home() / "metadata"
    folder.mkdir()
    try:
        content = build(Path.cwd(), folder, sys.argv[1]).read_bytes()
        kept = folder / "METADATA"
        kept.unlink(
            missing_ok=True
        )  # the project may have put something there: a link is not written through
        with kept.open("xb") as file:
            file.write(content)
    except BackendFailed as error:
        sys.stderr.write(f"{error.out}\n{error.err}\n")
        sys.exit(f"{error.exc_type}: {error.exc_msg}")
    except (NoMetadataError, OSError, ValueError, RuntimeError) as error:
        sys.exit(str(error) or type(error).__name__)


def build(project: Path, folder: Path, python: str) -> Path:
    """The METADATA file of the project, built with this Python."""
    environment = folder / "environment"
    uv("venv", "--quiet", "--no-project", "--python", python, str(environment))
    root, paths, module, name, requires, _ = SubprocessFrontend.create_args_from_folder(project)
    frontend = SubprocessFrontend(root, paths, module, name, requires)
    frontend.executable = str(environment / "bin/python")
    os.environ["PATH"] = os.pathsep.join([str(environment / "bin"), os.environ["PATH"]])
    install(environment, [str(each) for each in requires])
    install(environment, [str(each) for each in frontend.get_requires_for_build_wheel().requires])
    prepared = frontend.prepare_metadata_for_build_wheel(folder / "prepared")
    if prepared is not None:
        return prepared.metadata / "METADATA"
    return frontend.metadata_from_built(folder / "built", "wheel")[0] / "METADATA"


def install(environment: Path, requirements: list[str]) -> None:
    """Put what the build asks for into its environment."""
    if requirements:
        options = ["--quiet", "--python", str(environment / "bin/python")]
        try:
            uv("pip", "install", *options, "--", *requirements)
        except NoMetadataError as error:
            raise NoMetadataError(f"what its build requires cannot be installed: {error}") from error


def uv(*arguments: str) -> None:
    """Run uv; raises NoMetadataError with the first line of what it says."""
    configuration = ["--config-file", str(CONFIGURATION)] if CONFIGURATION.exists() else []
    command = [str(UV), *arguments[:1], *configuration, *arguments[1:]]
    done = subprocess.run(command, stderr=subprocess.PIPE, check=False, timeout=SECONDS)
    if done.returncode:
        said = done.stderr.decode(errors="replace")
        sys.stderr.write(said)
        words = [word for word in said.split() if word.isascii()]  # without the lines that uv draws
        raise NoMetadataError(" ".join(words)[:400] or f"uv ended with {done.returncode}")


if __name__ == "__main__":
    main()
