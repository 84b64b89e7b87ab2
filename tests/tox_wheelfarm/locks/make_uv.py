"""Makes uv.lock of the `uv_*` projects and records what `uv sync` installs from each on this Linux machine.

Run by hand: `.venv/bin/python make_uv.py`. The lock of `uv_sources` holds a commit of a repository that this makes
anew, always with the same content and date, in /tmp; nobody else needs it.
"""

import shutil
import zipfile
from pathlib import Path

from toolbox import FILES, copied, interpreter, keep, keep_json, listed, run, uv

PYTHONS = ("3.9.18", "3.13.0")
TOYS = Path("/tmp/wheelfarm-locks")
DATE = "2026-01-01T00:00:00+0000"
WISHES = {
    "uv_web": [((), ()), (("web",), ("dev",)), (("all",), ("lint", "self"))],
    "uv_conflicts": [((), ("dev",)), (("cpu",), ()), (("gpu", "web"), ()), ((), ("old",))],
    "uv_workspace": [((), ("dev",))],
    "uv_forks": [((), ("test",))],
    "uv_sources": [((), ())],
}


def main():
    """Make them all."""
    toy_wheel(FILES / "uv_sources/wheels", "toy_wheel", "1.0")
    for version in ("1.0", "2.0"):
        toy_wheel(FILES / "uv_sources/flat", "toy_flat", version)
    repository()
    for project, wishes in WISHES.items():
        with copied(project) as folder:
            uv("lock", "--python", interpreter(PYTHONS[1]), cwd=folder)
            keep(project, "uv.lock", (folder / "uv.lock").read_text())
            pythons = PYTHONS[1:] if project == "uv_forks" else PYTHONS
            made = [installed(folder, python, *wish) for python in pythons for wish in wishes]
            keep_json(project, "installed.json", made)


def installed(folder, python, extras, groups):
    """What `uv sync` makes of a wish."""
    words = [word for extra in extras for word in ("--extra", extra)]
    words += [word for group in groups for word in ("--group", group)]
    uv("sync", "--frozen", "--no-install-project", "--python", interpreter(python), *words, cwd=folder)
    packages = listed(folder / ".venv")
    shutil.rmtree(folder / ".venv")
    return {"python": python, "extras": extras, "groups": groups, "packages": packages}


def toy_wheel(folder, name, version):
    """A wheel with nothing but its metadata, always the same bytes."""
    folder.mkdir(exist_ok=True)
    info = f"{name}-{version}.dist-info"
    texts = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    texts[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*texts, f"{info}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in texts.items():
            wheel.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), text)


def repository():
    """A repository with a project in a folder of it, always of the same commit."""
    there = TOYS / "repository"
    shutil.rmtree(there, ignore_errors=True)
    (there / "below").mkdir(parents=True)
    backend = '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
    project = '[project]\nname = "toy-repository"\nversion = "4.0"\ndependencies = ["attrs<26"]\n\n'
    (there / "below/pyproject.toml").write_text(project + backend)
    (there / "below/toy_repository.py").write_text("")
    who = {"NAME": "A Toy", "EMAIL": "toy@example.org", "DATE": DATE}
    variables = {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()}
    for words in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "A toy"]):
        run(["git", *words], cwd=there, **variables)


if __name__ == "__main__":
    main()
