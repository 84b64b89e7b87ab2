"""The installers of the farm in the real agent: tox-wheelfarm decides, and the result says what it decided."""

from pathlib import Path
from typing import Any

import pytest
import tomli_w
import uv
from tests.services.agent.test_uv_installs import (
    BACKEND,
    SHOW,
    found,
    index,
    proxy,
    start_proxy,
    toy_index,
    used,
    uv_agent,
)
from tests.services.index.test_index_clients import PYTHON_27
from uv import find_uv_bin

from farm_images.installer_frame import InstallerFrame
from farm_scheduler.cutoff import read_cutoff
from farm_scheduler.told_sets import ToldSet
from farm_scheduler.tox_report import read_report
from farm_workers.index_policy import set_cutoff

from .conftest import AgentHost, Stream

__all__ = ["index", "proxy", "start_proxy", "toy_index", "uv_agent"]
"""Fixtures of the tests of uv, and of the index proxy's."""

OLD_SHOW = (
    "import six, sys; print('found %d.%d %s' % (sys.version_info[0], sys.version_info[1], six.__version__))"
)
PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "project"
version = "1.0"
dependencies = ["toy>=1.0"]
"""
TOX = """
[tox]
env_list = one
[testenv:one]
package = wheel
commands = python show.py toy dep project
"""
FILES = {
    "pyproject.toml": PYPROJECT,
    "backend.py": BACKEND,
    "PKG-INFO": "Metadata-Version: 2.1\nName: project\nVersion: 1.0\nRequires-Dist: toy>=1.0\n",
    "show.py": SHOW,
    "tox.ini": TOX,
}


@pytest.fixture
def releases(index: Any) -> Any:
    """The toy index with newer releases of both, of which the project's lock has none."""
    index.add("toy", "1.5", "dep>=1")
    index.add("toy", "2.0", "dep>=1")
    index.add("dep", "1.7")
    return index


@pytest.fixture
def lock(releases: Any) -> str:
    """A pylock.toml of the releases in between."""
    lines = ['lock-version = "1.0"', 'created-by = "a test"']
    for name, version in (("toy", "1.5"), ("dep", "1.0")):
        (link,) = [each for each in releases.links[name] if each["filename"].startswith(f"{name}-{version}-")]
        lines += ["[[packages]]", f'name = "{name}"', f'version = "{version}"']
        lines += [
            "[[packages.wheels]]",
            f'name = "{link["filename"]}"',
            f'url = "https://example.org/{link["filename"]}"',
        ]
        lines += [f'hashes = {{sha256 = "{link["hashes"]["sha256"]}"}}']
    return "\n".join(lines) + "\n"


def set_of(stream: Stream) -> ToldSet:
    """What the result says of the environment."""
    report = read_report(stream.attachment("farm:tox", "tox-result.json"))
    assert report is not None, stream.log
    return report.sets["one"]


def run(agent: AgentHost, index: Any, word: str, files: dict[str, str], **frame: Any) -> Stream:
    """A job of this installer to its end."""
    installer = InstallerFrame(name=word, **frame)  # type: ignore[arg-type]  # the words of the tests are its own
    env = {"UV_DEFAULT_INDEX": index.machine.url, "TOX_OVERRIDE": "testenv.runner=wheelfarm"}
    stream = agent.run(files, installer=installer, env=env)
    assert stream.job["exit_code"] == 0, stream.log
    assert used(stream) == []  # neither pip nor the uv that stands in for it
    return stream


@pytest.mark.parametrize(
    ("word", "toy", "dep"), [("latest", "2.0", "1.7"), ("lowest", "1.0", "1.7"), ("lockfile", "1.5", "1.0")]
)
def test_the_word_of_the_job_decides(
    uv_agent: AgentHost, releases: Any, lock: str, word: str, toy: str, dep: str
) -> None:
    """Newest, oldest or locked releases are installed as the job says, and the result has the exact set."""
    stream = run(uv_agent, releases, word, FILES | {"pylock.toml": lock})
    assert found(stream) == [f"toy {toy}", f"dep {dep}", "project 1.0"]
    told = set_of(stream)
    assert told.installer == word
    versions = {each.name: each.version for each in told.packages}
    assert (versions["toy"], versions["dep"]) == (toy, dep)
    hashes = {each.name: each.hash or "" for each in told.packages}
    assert [hashes[name].startswith("sha256:") for name in ("toy", "dep")] == [True, True]
    assert (told.lock is not None) == (word == "lockfile")


def test_constraints_of_the_source_and_from_elsewhere_bind(uv_agent: AgentHost, releases: Any) -> None:
    """A file of the source and a text that the farm fetched bind together, and the result names both."""
    files = FILES | {"requirements/c.txt": "toy==1.5\n"}
    stream = run(
        uv_agent, releases, "constraints", files, constraints=("requirements/c.txt",), texts=("dep==1.0\n",)
    )
    assert found(stream)[:2] == ["toy 1.5", "dep 1.0"]
    told = set_of(stream)
    assert len(told.constraints) == 2
    assert all(each["sha256"] for each in told.constraints)


def test_the_runner_of_the_project_gives_way(uv_agent: AgentHost, releases: Any, lock: str) -> None:
    """A runner that the project names for an environment is overridden, as the plan has it."""
    files = FILES | {"pylock.toml": lock, "tox.ini": f"{TOX}runner = virtualenv\n"}
    installer = InstallerFrame(name="lockfile")
    override = "testenv.runner=wheelfarm;testenv:one.runner=wheelfarm"
    env = {"UV_DEFAULT_INDEX": releases.machine.url, "TOX_OVERRIDE": override}
    stream = uv_agent.run(files, installer=installer, env=env)
    assert found(stream)[:2] == ["toy 1.5", "dep 1.0"], stream.log


def test_steps_are_told_as_of_any_environment(uv_agent: AgentHost, releases: Any) -> None:
    """The environment is made, the project built and installed, and its commands run, each told as a step."""
    stream = run(uv_agent, releases, "latest", FILES)
    steps = [
        (event.test_id, event.status) for event in stream.events if event.route_code == "one" and event.status
    ]
    names = ("create", "install", "package", "install", "commands")
    assert steps == [(f"farm:{name}", status) for name in names for status in ("inprogress", "success")]


def test_a_lock_that_is_not_there_fails_with_its_sentence(uv_agent: AgentHost, releases: Any) -> None:
    """The environment fails with what is wrong and no traceback, and the step has the reason."""
    env = {"UV_DEFAULT_INDEX": releases.machine.url}
    stream = uv_agent.run(FILES, installer=InstallerFrame(name="lockfile"), env=env)
    assert stream.job["exit_code"] != 0
    assert "LockFileError" in stream.log
    assert "Traceback" not in stream.log
    assert stream.statuses("farm:create", "one")[-1] == "fail"
    assert "has no lock file" in stream.attachment("farm:create", "reason").decode()


def test_commands_do_not_see_the_farms_words(uv_agent: AgentHost, releases: Any) -> None:
    """The variables that tell tox-wheelfarm are not in the environment of the project's commands."""
    words = "('WHEELFARM_TOX', 'WHEELFARM_INSTALLER')"
    files = FILES | {
        "seen.py": f"import os; print('found', [each for each in {words} if each in os.environ])"
    }
    files["tox.ini"] = TOX.replace("show.py toy dep project", "seen.py")
    assert found(run(uv_agent, releases, "latest", files)) == ["[]"]


@pytest.mark.usefixtures("releases")
def test_a_project_that_decides_itself_is_as_before(uv_agent: AgentHost) -> None:
    """Without an installer in the job pip's place is taken by uv as ever, and the set is what tox lists."""
    stream = uv_agent.run(FILES)
    assert stream.job["exit_code"] == 0, stream.log
    assert set(used(stream)) <= {"uv", "pip"}
    assert used(stream)
    told = set_of(stream)
    assert (told.installer, told.lock) == ("project", None)
    assert {each.name: each.version for each in told.packages}["toy"] == "2.0"


def bring_what_it_needs(guest_root: Path) -> None:
    """What an image has in the folder of tox-wheelfarm beside it."""
    folder = guest_root / "opt/wheelfarm/installers"
    (folder / "bin").mkdir()
    (folder / "bin/uv").symlink_to(find_uv_bin())
    for module in (uv, tomli_w):
        place = Path(module.__file__).parent
        (folder / place.name).symlink_to(place)


@pytest.mark.parametrize(("word", "release"), [("latest", ""), ("lockfile", "1.16.0"), ("lowest", "1.14.0")])
def test_a_tox_that_a_project_provisions_has_it_too(
    agent: AgentHost, guest_root: Path, start_proxy: Any, word: str, release: str
) -> None:
    """Where `requires` has tox run itself in an environment of its own, the job's installer decides all the same."""
    bring_what_it_needs(guest_root)
    needs = {name: text.replace("toy>=1.0", "six>=1.14.0") for name, text in FILES.items()}
    lock = (Path(__file__).parents[2] / "minifarm/installers/pylock.toml").read_text(encoding="utf-8")
    tox = TOX.replace("[tox]", "[tox]\nrequires =\n    tox>=4.30\n    colorlog").replace("toy dep", "six")
    with start_proxy("--upstream", "https://pypi.org/simple/") as proxy:
        env = {"UV_DEFAULT_INDEX": proxy.machine().url, "TOX_OVERRIDE": "testenv.runner=wheelfarm"}
        files = needs | {"tox.ini": tox, "pylock.toml": lock}
        stream = agent.run(files, installer=InstallerFrame(name=word), env=env)  # type: ignore[arg-type]  # as above
    assert stream.job["exit_code"] == 0, stream.log
    assert stream.statuses("farm:provision")[-1] == "success"
    six, project = found(stream)
    assert (six.startswith(f"six {release}"), project) == (True, "project 1.0")
    assert set_of(stream).installer == word


@pytest.mark.skipif(PYTHON_27 is None, reason="there is no Python 2.7 here")
@pytest.mark.parametrize("word", ["latest", "lowest"])
def test_python_27_has_what_the_job_says(agent: AgentHost, start_proxy: Any, word: str) -> None:
    """By the farm's installers tox 4 drives Python 2.7, whose own pip installs from the machine's index."""
    lines = ["[tox]", "skipsdist = true", "[testenv:one]", f"base_python = {PYTHON_27}", "deps = six>=1.14.0"]
    files = {"tox.ini": "\n".join([*lines, "commands = python show.py"]), "show.py": OLD_SHOW}
    with start_proxy("--upstream", "https://pypi.org/simple/") as proxy:
        env = {"UV_DEFAULT_INDEX": proxy.machine().url, "UV_INSECURE_HOST": "127.0.0.1"}
        env["TOX_OVERRIDE"] = "testenv.runner=wheelfarm"
        stream = agent.run(files, installer=InstallerFrame(name=word), env=env)  # type: ignore[arg-type]  # as above
    assert stream.job["exit_code"] == 0, stream.log
    ((python, six),) = (line.split() for line in found(stream))
    assert (python, six == "1.14.0") == ("2.7", word == "lowest")
    assert {each.name: each.version for each in set_of(stream).packages}["six"] == six


def test_a_cut_off_holds_in_the_guest_as_well(agent: AgentHost, guest_root: Path, start_proxy: Any) -> None:
    """Told of the moment that the proxy holds, tox-wheelfarm sees the same releases, builds included."""
    bring_what_it_needs(guest_root)
    needs = {name: text.replace("toy>=1.0", "six>=1.14.0") for name, text in FILES.items()}
    moment = read_cutoff("2023-06-01")
    with start_proxy("--upstream", "https://pypi.org/simple/") as proxy:
        env = {"UV_DEFAULT_INDEX": proxy.machine("m-old").url, "TOX_OVERRIDE": "testenv.runner=wheelfarm"}
        set_cutoff(proxy.control, "m-old", moment)
        installer = InstallerFrame(name="latest", cutoff=moment.isoformat())
        files = needs | {"tox.ini": TOX.replace("toy dep", "six")}
        stream = agent.run(files, installer=installer, env=env)
    assert found(stream) == ["six 1.16.0", "project 1.0"], stream.log
