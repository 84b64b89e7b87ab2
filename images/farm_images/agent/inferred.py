"""A tox configuration for a project without one, kept outside of its source.

Called by `job`. It never decides what the configuration says, only where it lies and that tox 3, which
takes the file's folder for the project's, is told better.
"""

import configparser
import io
from pathlib import Path


def write(text: str, tool: str, project: Path, folder: Path) -> list[str]:
    """Write the file; the options that make the tool use it for the project."""
    path = folder / "tox.ini"
    if tool == "tox":
        path.write_text(text)
        return ["-c", str(path), "--root", str(project)]
    path.write_text(_for_tox3(text, project))
    return ["-c", str(path), "--workdir", str(project / ".tox")]


def _for_tox3(text: str, project: Path) -> str:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # the documented way to keep the case
    parser.read_string(text)
    for section, option in (("tox", "setupdir"), ("testenv", "changedir")):
        if not parser.has_section(section):
            parser.add_section(section)
        if not parser.has_option(section, option):
            parser.set(section, option, str(project))
    sink = io.StringIO()
    parser.write(sink)
    return sink.getvalue()
