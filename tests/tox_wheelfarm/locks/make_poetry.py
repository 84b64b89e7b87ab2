"""The command that makes `files/poetry-*`: `python make_poetry.py [FOLDER …]`; minutes, PyPI and interpreters.

Each folder's pyproject.toml is written by hand; everything beside it comes from the real poetry that is named here:
the lock, what its export says of several wishes, and what its install put into an environment.
"""

import json
import sys

import workshop

TOOLS = {
    "poetry-1.0": ("3.7", ["poetry==1.0.10"]),
    "poetry-1.1": ("3.9", ["poetry==1.1.15"]),
    "poetry-1.8": ("3.9", ["poetry==1.8.5", "poetry-plugin-export==1.8.0"]),
    "poetry-2.1": ("3.12", ["poetry==2.5.1", "poetry-plugin-export"]),
    "poetry-2.1-standard": ("3.12", ["poetry==2.5.1", "poetry-plugin-export"]),
    "poetry-2.1-sources": ("3.12", ["poetry==2.5.1", "poetry-plugin-export"]),
}
OLD = {
    "main": [],
    "main+cli": ["-E", "cli"],
    "main+cli+fast": ["-E", "cli", "-E", "fast"],
    "main+fast+dev": ["-E", "fast", "--dev"],
    "main+dev": ["--dev"],
}
NEW = {
    "main": [],
    "main+cli": ["-E", "cli"],
    "main+cli+fast": ["-E", "cli", "-E", "fast"],
    "main+fast+dev": ["-E", "fast", "--with", "dev"],
    "main+dev+docs": ["--with", "dev,docs"],
    "dev": ["--only", "dev"],
    "docs": ["--only", "docs"],
}
INSTALLS = {
    "poetry-1.0": {"main": ["--no-dev"], "main+fast+dev": ["-E", "fast"]},
    "poetry-1.1": {"main": ["--no-dev"], "main+fast+dev": ["-E", "fast"]},
    "": {
        "main": ["--only", "main"],
        "main+cli+fast": ["--only", "main", "-E", "cli", "-E", "fast"],
        "main+dev+docs": ["--with", "dev,docs"],
    },
}
PYTHONS = {"poetry-1.0": ["3.9"], "poetry-1.1": ["3.9", "3.10"], "": ["3.9", "3.12", "3.13"]}


RANGES = """
* 1 1.* 1.2 1.2.* ==1.2 ==1.2.* !=1.2 !=1.2.* ^1 ^1.2 ^1.2.3 ^0 ^0.0 ^0.0.3 ^0.2 ^0.2.3 ^1.0rc1 ^1!1.2 ~1 ~1.2
~1.2.3 ~0.0 ~=1.2 ~=1.2.3 >1.2 >=1.2 <2 <=2 >=1,<2 >=1.2,<2,!=1.3 <1||>2 <1|>=2,<3 ^1.2||^3 >=1.2.3.4 >1.2.post1
<2.0rc1 >=2.0.dev1 ==1.2+local
"""
VERSIONS = """
0 0.0 0.0.3 0.0.4 0.1 0.2 0.2.2 0.2.3 0.2.9 0.3 0.9.9 1 1.0rc1 1.0.post1 1.1 1.2 1.2+local 1.2.dev1 1.2rc1
1.2.post1 1.2.post2 1.2.2 1.2.3 1.2.3.4 1.2.9 1.3 1.3.1 1.9 1.99.1 2.0.dev1 2.0a1 2.0rc1 2 2.0.post1 2.1 3 3.1.4 4
1!1.2 1!1.9 1!2
"""
ALLOWS = """
import json, sys
from poetry.core.constraints.version import Version, parse_constraint
ranges, versions = json.loads(sys.argv[1])
print(json.dumps({one: [v for v in versions if parse_constraint(one).allows(Version.parse(v))] for one in ranges}))
"""


def ranges():
    """Record which versions each range of poetry's dialect allows, as poetry-core says."""
    asked = json.dumps([RANGES.split(), VERSIONS.split()])
    program = [
        "run",
        "-q",
        "--no-project",
        "--python",
        workshop.interpreter("3.12"),
        "--with",
        "poetry-core==2.2.1",
    ]
    said = json.loads(workshop.uv(*program, "python", "-c", ALLOWS, asked, cwd=workshop.FILES))
    lines = "\n".join(f"  {json.dumps(one)}: {json.dumps(allowed)}," for one, allowed in said.items())
    (workshop.FILES / "poetry-ranges.json").write_text(f"{{\n{lines[:-1]}\n}}\n")


def make(folder):
    """Make everything in one folder."""
    python, requirements = TOOLS[folder]
    shop = workshop.Workshop(folder, "poetry", python=python, requirements=requirements)
    shop.folder.joinpath("poetry.lock").unlink(missing_ok=True)
    settings = {
        "POETRY_CACHE_DIR": str(workshop.TOYS / "cache" / folder),
        "POETRY_VIRTUALENVS_IN_PROJECT": "true",
    }
    if folder.endswith("sources"):
        workshop.wheel(shop.folder / "lib", "toy_file")
        workshop.source(shop.folder / "lib/toy_folder", "toy_folder")
    old = folder < "poetry-1.2"
    seeds = ("pip",) if old else ()
    # Poetry 1.0 runs on an older Python than the project takes.
    base = {**settings, "VIRTUAL_ENV": str(shop.environment("3.9" if old else python, *seeds))}
    shop.run("lock", "-n", environment=base)
    shop.keep("poetry.lock")
    if folder.endswith("sources"):
        return
    for name, arguments in (OLD if old else NEW).items():
        text = shop.run("export", "-f", "requirements.txt", "--without-hashes", *arguments, environment=base)
        lines = (line for line in text.splitlines() if line and not line.startswith(("-", "#")))
        shop.keep(f"export.{name}.txt", "".join(f"{line}\n" for line in lines))
    for version in PYTHONS.get(folder, PYTHONS[""]):
        for name, arguments in INSTALLS.get(folder, INSTALLS[""]).items():
            environment = shop.environment(version, *seeds)
            shop.run(
                "install",
                "-n",
                "--no-root",
                *arguments,
                environment={**settings, "VIRTUAL_ENV": str(environment)},
            )
            shop.keep(f"installed-{version}.{name}.txt", workshop.installed(environment))


if __name__ == "__main__":
    wanted = sys.argv[1:] or list(TOOLS)
    if any(one.endswith("sources") for one in wanted):
        # It serves until this process ends.
        workshop.toys()
    if not sys.argv[1:] or "ranges" in wanted:
        ranges()
    for one in wanted:
        if one in TOOLS:
            make(one)
