"""uv installs in pip's place, and a project sees what pip would have given it."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from tests.services.index.conftest import proxy, start_proxy, toy_index
from uv import find_uv_bin

from .conftest import AgentHost, Stream

__all__ = ["proxy", "start_proxy", "toy_index"]
"""Fixtures of the index proxy's tests."""

SHOW = """
import importlib.metadata, sys
for name in sys.argv[1:]:
    try: print("found", name, importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError: print("found", name, "nothing")
"""
BACKEND = """
import zipfile
INFO = "project-1.0.dist-info"
def get_requires_for_build_wheel(config_settings=None): return []
def build_sdist(sdist_directory, config_settings=None):
    import tarfile
    with tarfile.open(sdist_directory + "/project-1.0.tar.gz", "w:gz") as tar:
        for name in ("backend.py", "pyproject.toml", "PKG-INFO"): tar.add(name, "project-1.0/" + name)
    return "project-1.0.tar.gz"
def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(wheel_directory + "/project-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("project/__init__.py", "")
        archive.writestr("project/data.txt", "data")
        script = zipfile.ZipInfo("project-1.0.data/scripts/project-script")
        script.external_attr = 0o100755 << 16
        archive.writestr(script, "#!python\\nprint('script')\\n")
        archive.writestr(INFO + "/entry_points.txt", "[console_scripts]\\nproject = project:main\\n")
        archive.writestr(INFO + "/METADATA", open("PKG-INFO").read())
        archive.writestr(INFO + "/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        archive.writestr(INFO + "/RECORD", "".join(name + ",,\\n" for name in archive.namelist()))
    return "project-1.0-py3-none-any.whl"
"""
PROJECT = {
    "pyproject.toml": """
        [build-system]
        requires = []
        build-backend = "backend"
        backend-path = ["."]
        [tool.uv]
        constraint-dependencies = ["dep<1"]
    """,
    "backend.py": BACKEND,
    "PKG-INFO": "Metadata-Version: 2.1\nName: project\nVersion: 1.0\nRequires-Dist: toy\n",
    "show.py": SHOW,
}


@pytest.fixture
def index(proxy: Any, toy_index: Any) -> Any:
    """The toy index with what pip and uv choose differently, behind a real proxy."""
    toy_index.add("upper", "1.0", **{"requires-python": ">=3.6"})
    toy_index.add("upper", "2.0", **{"requires-python": ">=3.6,<3.8"})
    toy_index.add("early", "1.0")
    toy_index.add("early", "1.1a1")
    toy_index.add("deep", "1.0", "early>=1.0b1")
    toy_index.add("pip", "99.0")
    toy_index.machine = proxy.machine()
    return toy_index


@pytest.fixture
def uv_agent(guest_root: Path, index: Any, agent: AgentHost) -> AgentHost:
    """An agent in a guest's folder with uv, and with pip and uv told of the index."""
    (guest_root / "opt/wheelfarm/bin/uv").symlink_to(find_uv_bin())
    url = index.machine.url
    for name, text in {
        "etc/uv/uv.toml": f'[[index]]\nurl = "{url}"\ndefault = true\n',
        "home/job/.config/pip/pip.conf": f"[global]\nindex-url = {url}\ntrusted-host = 127.0.0.1\n",
    }.items():
        path = guest_root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return agent


def found(stream: Stream) -> list[str]:
    """What the projects found installed."""
    return [line.removeprefix("found ") for line in stream.log.splitlines() if line.startswith("found ")]


def used(stream: Stream) -> list[str]:
    """The installers that ran, in order."""
    lines = [line for line in stream.log.splitlines() if re.match(r"\s*\S+: install_\S+ \S+> ", line)]
    return ["uv" if "/uv pip " in line else "pip" for line in lines]


def one(deps: str, show: str, **settings: str) -> dict[str, str]:
    """A project with the environment `one`."""
    lines = [f"deps = {deps}", f"commands = python show.py {show}"]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    return {"tox.ini": "[tox]\nskipsdist = true\n[testenv:one]\n" + "\n".join(lines) + "\n", "show.py": SHOW}


def test_dependencies_come_by_uv(uv_agent: AgentHost) -> None:
    """What an environment depends on is installed by uv alone; pip is in the environment as ever."""
    files = one("toy", "toy dep")
    files["tox.ini"] += "    python -m pip --version\n    python -c 'import toy'\n"
    stream = uv_agent.run(files)
    assert (used(stream), found(stream)) == (["uv"], ["toy 1.0", "dep 1.0"]), stream.log
    assert stream.job["exit_code"] == 0, stream.log
    assert stream.statuses("farm:install", "one") == ["inprogress", "success"]


def test_what_uv_cannot_install_is_for_pip(uv_agent: AgentHost) -> None:
    """A failure of uv is followed by pip, whose failure is the outcome; the log shows both."""
    stream = uv_agent.run(one("nowhere-to-be-found", ""))
    assert used(stream) == ["uv", "pip"], stream.log
    assert "nowhere-to-be-found was not found" in stream.log
    assert "No matching distribution found for nowhere-to-be-found" in stream.log
    assert stream.statuses("farm:install", "one") == ["inprogress", "fail"]


@pytest.mark.parametrize(
    ("deps", "show", "installers", "versions"),
    [
        ("upper", "upper", ["uv", "uv", "pip"], ["upper 1.0"]),
        ("deep", "deep early", ["uv", "uv", "uv"], ["deep 1.0", "early 1.1a1"]),
        ("early>=1.0b1", "early", ["uv"], ["early 1.1a1"]),
        ("early>=1.0b1; python_version>'3'", "early", ["pip"], ["early 1.1a1"]),
        ("early", "early", ["uv"], ["early 1.0"]),
        ("early>1.0", "early", ["uv"], ["early 1.1a1"]),
        ("-r needs.txt", "toy dep", ["uv"], ["toy 1.0", "dep 1.0"]),
        ("--no-binary=nothing\n    toy", "toy", ["pip"], ["toy 1.0"]),
    ],
)
def test_choices_are_those_of_pip(
    uv_agent: AgentHost, deps: str, show: str, installers: list[str], versions: list[str]
) -> None:
    """Bounds of the Python version, pre-releases, files and options give what pip gives, or pip is asked."""
    stream = uv_agent.run(
        one(deps, show) | {"needs.txt": "# two\ntoy  # one\n-c limits.txt\n", "limits.txt": "dep<2\n"}
    )
    assert (used(stream), found(stream)) == (installers, versions), stream.log


@pytest.mark.parametrize(
    "settings",
    [{"set_env": "PIP_NO_BINARY = nothing"}, {"install_command": "python -m pip install {packages}"}],
    ids=["variable", "command"],
)
def test_wishes_for_pip_are_heard(uv_agent: AgentHost, settings: dict[str, str]) -> None:
    """A project that configures pip, or names its installer, gets pip."""
    stream = uv_agent.run(one("toy", "toy", **settings))
    assert (used(stream), found(stream)) == (["pip"], ["toy 1.0"]), stream.log


def test_variables_of_uv_do_not_reach_it(uv_agent: AgentHost) -> None:
    """What a project sets for a uv of its own changes nothing here."""
    stream = uv_agent.run(one("toy", "toy", set_env="UV_INDEX_URL = http://127.0.0.1:9/"))
    assert (used(stream), found(stream)) == (["uv"], ["toy 1.0"]), stream.log


def test_uv_can_be_turned_off(uv_agent: AgentHost) -> None:
    """With the variable, everything is pip's."""
    stream = uv_agent.run(one("toy", "toy"), env={"WHEELFARM_PIP": "1"})
    assert (used(stream), found(stream)) == (["pip"], ["toy 1.0"]), stream.log


_TELLING = {"INSTALLER", "direct_url.json", "uv_cache.json", "uv_build.json", ".lock"}


def _files(environment: Path) -> dict[str, int]:
    """The installed files and their permissions, without what tells who installed them."""
    names = {}
    for folder, _, members in os.walk(environment):
        for name in members:
            path = Path(folder, name)
            if "__pycache__" not in path.parts and name not in _TELLING:
                names[str(path.relative_to(environment))] = path.stat().st_mode
    return {name: mode for name, mode in names.items() if not name.startswith((".tox", "log", "tmp"))}


def test_a_package_is_installed_as_by_pip(uv_agent: AgentHost) -> None:
    """The project's package, as sdist and as wheel, gives the same files and permissions; `tool.uv` does not count."""
    text = "[testenv]\ndeps = dep\ncommands = python show.py project toy dep\n    project-script\n"
    files = PROJECT | {
        "tox.ini": text + "[testenv:sdist]\npackage = sdist\n[testenv:wheel]\npackage = wheel\n"
    }
    trees = []
    for environ, installers in ({}, {"uv"}), ({"WHEELFARM_PIP": "1"}, {"pip"}):
        stream = uv_agent.run(files, environments=("sdist", "wheel"), env=environ)
        assert set(used(stream)) == installers, stream.log
        assert found(stream) == ["project 1.0", "toy 1.0", "dep 1.0"] * 2, stream.log
        folder = uv_agent.root / "home/job/project/project/.tox"
        trees += [_files(folder / name) for name in ("sdist", "wheel")]
    for by_uv, by_pip in zip(trees[:2], trees[2:], strict=True):
        assert set(by_uv.items()) ^ set(by_pip.items()) == set()


def test_a_package_for_another_python_is_refused(uv_agent: AgentHost) -> None:
    """A project whose Requires-Python leaves the interpreter out is not installed, as pip does not."""
    information = PROJECT["PKG-INFO"] + "Requires-Python: <3.8\n"
    files = PROJECT | {
        "tox.ini": "[testenv:one]\npackage = wheel\ncommands = python show.py\n",
        "PKG-INFO": information,
    }
    stream = uv_agent.run(files)
    assert stream.statuses("farm:install", "one")[-1] == "fail", stream.log
    assert "requires a different Python" in stream.log


def test_shared_seeds_are_left_alone(uv_agent: AgentHost) -> None:
    """An environment that wants another pip gets it from pip, and the next one has the shared pip still."""
    text = "[tox]\nskipsdist = true\n[testenv:other]\ndeps = pip>=99\ncommands = python show.py pip\n[testenv:one]\n"
    files = {"tox.ini": text + "deps = toy\ncommands = python -m pip --version\n", "show.py": SHOW}
    linked = {"VIRTUALENV_SYMLINK_APP_DATA": "true"}
    stream = uv_agent.run(files, environments=("other", "one"), env=linked)
    assert used(stream) == ["uv", "pip", "uv"], stream.log
    assert found(stream) == ["pip 99.0"]
    assert "/site-packages/pip (python" in stream.log
