"""The command that makes `files/pipfile*`: `python make_pipfile.py [FOLDER …]`; a minute, PyPI and interpreters.

Each folder's Pipfile is written by hand; everything beside it comes from the real pipenv that is named here: the
lock, what its `requirements` says of several wishes, and what its `sync` put into an environment.
"""

import sys

import workshop

TOOLS = {
    "pipfile": ("3.9", ["pipenv==2024.4.1"], "3.9"),
    "pipfile-2026": ("3.12", ["pipenv==2026.10.3"], "3.12"),
    "pipfile-sources": ("3.12", ["pipenv==2026.10.3"], "3.12"),
    "pipfile-2022": ("3.9", ["pipenv==2022.1.8", "setuptools<70"], "3.9"),
}
WISHES = {"main": [], "main+develop": ["--dev"], "docs": ["--categories", "docs"]}
INSTALLS = {"main": [], "main+develop": ["--dev"], "docs": ["--categories", "docs"]}
PYTHONS = {"pipfile": ["3.9", "3.12"], "pipfile-2026": ["3.12", "3.13"]}


def make(folder):
    """Make everything in one folder."""
    python, requirements, within = TOOLS[folder]
    shop = workshop.Workshop(folder, "pipenv", python=python, requirements=requirements)
    (shop.folder / "Pipfile.lock").unlink(missing_ok=True)
    if folder.endswith("sources"):
        workshop.wheel(shop.folder / "lib", "toy_file")
        workshop.source(shop.folder / "lib/toy_folder", "toy_folder")
    base = {
        "PIPENV_CACHE_DIR": str(workshop.TOYS / "cache" / folder),
        "PIPENV_NOSPIN": "1",
        "PIPENV_YES": "1",
    }
    here = _active(base, shop.environment(within, "pip", "setuptools<70"))
    shop.run("lock", environment=here)
    shop.keep("Pipfile.lock")
    if folder not in PYTHONS:
        return
    for name, arguments in WISHES.items():
        text = shop.run("requirements", *arguments, environment=here)
        lines = (line for line in text.splitlines() if line and not line.startswith(("-", "#")))
        shop.keep(f"export.{name}.txt", "".join(f"{line}\n" for line in lines))
    for version in PYTHONS[folder]:
        for name, arguments in INSTALLS.items():
            environment = shop.environment(version, "pip")
            shop.run("sync", *arguments, environment=_active(base, environment))
            shop.keep(f"installed-{version}.{name}.txt", workshop.installed(environment))


def _active(base, environment):
    """Pipenv works in the environment that is active, and finds its interpreter by PATH."""
    path = f"{environment / 'bin'}:{workshop.clean()['PATH']}"
    return {**base, "VIRTUAL_ENV": str(environment), "PATH": path}


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(TOOLS)
    if any(one.endswith("sources") for one in wanted):
        # It serves until this process ends.
        workshop.toys()
    for one in wanted:
        make(one)
