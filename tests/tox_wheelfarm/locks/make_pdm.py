"""The command that makes `files/pdm*`: `python make_pdm.py [FOLDER …]`; a minute, PyPI and interpreters.

Each folder's pyproject.toml is written by hand; everything beside it comes from the real pdm that is named here: the
lock, what its export says of several wishes, and what its install put into an environment.
"""

import sys

import workshop

TOOLS = {
    "pdm": ("3.12", ["pdm[locked]==2.29.3"]),
    "pdm-graph": ("3.12", ["pdm[locked]==2.29.3"]),
    "pdm-targets": ("3.12", ["pdm[locked]==2.29.3"]),
    "pdm-sources": ("3.12", ["pdm[locked]==2.29.3"]),
    "pdm-2.0": ("3.9", ["pdm==2.0.3"]),
}
LOCKS = {
    "pdm": [["-G", ":all"]],
    "pdm-graph": [["-G", ":all", "-S", "no_inherit_metadata"]],
    "pdm-targets": [
        ["-G", ":all", "-S", "static_urls", "--python", "<3.10"],
        ["--append", "--python", ">=3.10", "--platform", "linux"],
        ["--append", "--python", "==3.12.*", "--platform", "windows"],
    ],
    "pdm-sources": [["-G", ":all"]],
    "pdm-2.0": [[]],
}
WISHES = {
    "main": ["--prod"],
    "main+cli": ["--prod", "-G", "cli"],
    "main+cli+fast": ["--prod", "-G", "cli", "-G", "fast"],
    "main+dev+docs": ["-G", "dev", "-G", "docs"],
    "docs": ["--no-default", "-G", "docs"],
}
OLD = {"main": ["--prod"], "main+cli": ["--prod", "-G", "cli"], "main+test": ["-dG", "test"]}
PYTHONS = {"pdm-2.0": ["3.9"], "pdm-targets": [], "": ["3.9", "3.12", "3.13"]}


def make(folder):
    """Make everything in one folder."""
    python, requirements = TOOLS[folder]
    shop = workshop.Workshop(folder, "pdm", python=python, requirements=requirements)
    (shop.folder / "pdm.lock").unlink(missing_ok=True)
    if folder.endswith("sources"):
        workshop.wheel(shop.folder / "lib", "toy_file")
        workshop.source(shop.folder / "lib/toy_folder", "toy_folder")
    home = workshop.TOYS / "cache" / folder
    base = {"PDM_CACHE_DIR": str(home), "PDM_CONFIG_FILE": str(home / "config.toml"), "PDM_CHECK_UPDATE": "0"}
    here = {**base, "VIRTUAL_ENV": str(shop.environment(python))}
    for arguments in LOCKS[folder]:
        shop.run("lock", *arguments, environment=here)
    shop.keep("pdm.lock")
    frozen = "--no-lock" if folder == "pdm-2.0" else "--frozen-lockfile"
    if folder in {"pdm-sources", "pdm-targets"}:
        return
    for name, arguments in (OLD if folder == "pdm-2.0" else WISHES).items():
        # pdm 2.0's export says nothing of markers that come from requirers, and newer ones need them inherited.
        if folder == "pdm":
            text = shop.run("export", "-f", "requirements", "--without-hashes", *arguments, environment=here)
            lines = (line for line in text.splitlines() if line and not line.startswith(("-", "#")))
            shop.keep(f"export.{name}.txt", "".join(f"{line}\n" for line in lines))
        for version in PYTHONS.get(folder, PYTHONS[""]):
            environment = shop.environment(version)
            there = {**base, "VIRTUAL_ENV": str(environment)}
            shop.run("install", "--no-self", frozen, *arguments, environment=there)
            shop.keep(f"installed-{version}.{name}.txt", workshop.installed(environment))


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(TOOLS)
    if any(one.endswith("sources") for one in wanted):
        # It serves until this process ends.
        workshop.toys()
    for one in wanted:
        make(one)
