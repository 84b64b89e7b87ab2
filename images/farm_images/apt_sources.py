"""Where Debian packages come from: the mirrors that this host's own apt uses for a suite.

Called by the bake, and in a guest by the agent for the suites that its image was made of. It names no mirror itself:
a host without sources for the suite gets mmdebstrap's default.
"""

import re
from collections.abc import Iterator
from pathlib import Path

_SCHEMES = ("http://", "https://", "tor+http://", "tor+https://")


def host_sources(suite: str, apt: Path = Path("/etc/apt")) -> list[str]:
    """Lines such as `deb URI SUITE main` for the suite, its updates and its security updates; may be empty.

    Only entries with the component `main` and a network address count. Which key signs them is left to mmdebstrap.
    """
    wanted = (suite, f"{suite}-updates", f"{suite}-security")
    found = [
        f"deb {uri} {name} main"
        for path in _source_files(apt)
        for uris, names, components in _entries(path)
        if "main" in components
        for uri in uris
        if uri.startswith(_SCHEMES)
        for name in names
        if name in wanted
    ]
    # Updates alone are no distribution: without the suite itself the default is right.
    return list(dict.fromkeys(found)) if any(line.split()[2] == suite for line in found) else []


def _source_files(apt: Path) -> list[Path]:
    parts = apt / "sources.list.d"
    return [apt / "sources.list", *sorted(parts.glob("*.list")), *sorted(parts.glob("*.sources"))]


def _entries(path: Path) -> Iterator[tuple[list[str], list[str], list[str]]]:
    """(URIs, suites, components) of each enabled binary entry of one file, in either of apt's two formats."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    if path.suffix == ".sources":
        for stanza in re.split(r"\n\s*\n", text):
            fields = dict(re.findall(r"^([A-Za-z-]+):((?:.*(?:\n[ \t].*)*))", stanza, re.MULTILINE))
            values = {name.lower(): value.split() for name, value in fields.items()}
            if "deb" in values.get("types", ()) and values.get("enabled") != ["no"]:
                yield values.get("uris", []), values.get("suites", []), values.get("components", [])
        return
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[[^\]]*\]\s*)?(\S+)\s+(\S+)\s+([^#]*)", line)
        if match:
            yield [match[1]], [match[2]], match[3].split()
