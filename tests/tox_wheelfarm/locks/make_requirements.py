"""Makes hashed requirements files of the `requirements_*` projects, and records what each tool installs from its own.

Run by hand: `.venv/bin/python make_requirements.py`.
"""

from toolbox import copied, interpreter, keep, keep_json, listed, uv

PIP_TOOLS = "pip-tools==7.5.2"
PYTHONS = ("3.9.18", "3.13.0")


def main():
    """Make them all."""
    by_pip_compile()
    by_uv()


def by_pip_compile():
    """One file for each Python, as pip-compile makes them, and what pip installs from it."""
    made = []
    with copied("requirements_pip") as folder:
        for python in PYTHONS:
            name = f"requirements-{python.rpartition('.')[0]}.txt"
            start = [
                "tool",
                "run",
                "-q",
                "--python",
                interpreter(python),
                "--from",
                PIP_TOOLS,
                "--with",
                "pip<25.3",
            ]
            options = ["--generate-hashes", "--allow-unsafe", "--strip-extras", "-q", "-o", name]
            uv(*start, "pip-compile", *options, "pyproject.toml", cwd=folder)
            keep("requirements_pip", name, (folder / name).read_text())
            made.append({"lock": name, "python": python, "packages": installed(folder, name, python)})
    keep_json("requirements_pip", "installed.json", made)


def by_uv():
    """`uv pip compile --universal`, and `uv export` with the project in it, and what uv installs from both."""
    made = []
    with copied("requirements_uv") as folder:
        compiling = [
            "pip",
            "compile",
            "-q",
            "--universal",
            "--python",
            interpreter("3.9.18"),
            "--generate-hashes",
        ]
        told = {"UV_CUSTOM_COMPILE_COMMAND": "make_requirements.py"}  # not where this machine has its Pythons
        uv(*compiling, "--emit-index-url", "pyproject.toml", "-o", "requirements.txt", cwd=folder, **told)
        uv("lock", "-q", "--python", interpreter("3.13.0"), cwd=folder)
        uv("export", "-q", "--frozen", "-o", "requirements-export.txt", cwd=folder)
        for name in ("requirements.txt", "requirements-export.txt"):
            keep("requirements_uv", name, (folder / name).read_text())
            made += [
                {"lock": name, "python": python, "packages": installed(folder, name, python)}
                for python in PYTHONS
            ]
    keep_json("requirements_uv", "installed.json", made)


def installed(folder, name, python):
    """What is in an environment after an install from one of them; hashes are checked where there are any."""
    uv("venv", "-q", "--clear", "--python", interpreter(python), cwd=folder)
    uv("pip", "sync", "-q", "--python", ".venv", name, cwd=folder)
    packages = listed(folder / ".venv")
    packages.pop("web-shop", None)
    return packages


if __name__ == "__main__":
    main()
