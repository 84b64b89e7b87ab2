"""A uv.lock is held against pyproject.toml, and `uv lock --check` agrees."""

import os
import re
import site
import subprocess
from pathlib import Path

import pytest
from tests.pyenv import VERSIONS
from uv import find_uv_bin

from tox_wheelfarm.locks import uv_settings
from tox_wheelfarm.locks.project import Project

EDITS = [
    ('"click",', '"click>=8",', r"dependencies: uv\.lock was made for click, the project asks for click>=8"),
    ('"click",', "", "dependencies: uv.lock was made with click, which the project does not ask for"),
    ('"click",', '"click", "idna",', "dependencies: idna is not in uv.lock"),
    ('"requests[socks]>=2.30"', '"requests>=2.30"', "requests"),
    ("python_version < '3.11'", "python_version < '3.12'", "tomli"),
    ("sys_platform == 'win32'\",\n    \"pywin32", "sys_platform == 'cygwin'\",\n    \"pywin32", "colorama"),
    ('"uvicorn[standard]"', '"uvicorn"', "the extra 'web': .*uvicorn"),
    ('docs = ["sphinx"]', 'docs = ["sphinx"]\nmore = ["six"]', "the extra 'more' is not in uv.lock"),
    ("empty = []\n", "", "has the extra 'empty', which the project has not"),
    ('"pytest>=8"', '"pytest>=7"', "the group 'dev': .*pytest>=8, the project asks for pytest>=7"),
    ("lint = [\"mypy; python_version >= '3.10'\"", 'lint = ["mypy"', "the group 'dev': .*mypy"),
    ('requires-python = ">=3.9"', 'requires-python = ">=3.10"', "requires-python: .* made for >=3.9"),
    ('requires-python = ">=3.9"', 'requires-python = ">=3.8"', "requires-python"),
    ('"urllib3<3"', '"urllib3<2.5"', "tool.uv.constraint-dependencies: .*urllib3"),
    ('name = "web-shop"', 'name = "web-stall"', "name: uv.lock was made for web-shop"),
]
HARMLESS = [
    ('"click",', '"Click" ,', "nothing: a name is normalised"),
    ("python_version < '3.11'", "python_full_version < '3.11'", "nothing: a marker means the same"),
    ('"requests[socks]>=2.30"', '"requests [Socks] >= 2.30"', "nothing: spaces"),
    (
        '{ include-group = "lint" }',
        '"pycodestyle", "mypy; python_version >= \'3.10\'"',
        "nothing: included by hand",
    ),
    ('requires-python = ">=3.9"', 'requires-python = ">= 3.9"', "nothing: spaces"),
]


def _fresh(folder):
    command = [find_uv_bin(), "lock", "--check", "--offline"]
    # The project's own configuration counts, a person's does not.
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("UV_") or "CACHE" in name
    }
    variables = {**kept, "XDG_CONFIG_HOME": str(folder), "XDG_CONFIG_DIRS": str(folder)}
    done = subprocess.run(command, cwd=folder, env=variables, capture_output=True, timeout=60, check=False)
    return done.returncode == 0


def _edited(folder, old, new):
    path = folder / "pyproject.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    "name",
    ["uv_web", "uv_conflicts", "uv_workspace", "uv_forks", "uv_workspace/libs/a", "uv_workspace/libs/c"],
)
def test_an_untouched_project_is_fresh(name, committed, read):
    """A lock that uv made for the project as it is has no difference."""
    assert read(committed(name)).differences(Project.read(committed(name))) == ()


@pytest.mark.parametrize(("old", "new", "told"), EDITS)
def test_a_change_that_matters_is_told(copied, read, old, new, told):
    """What differs is named in one sentence, and uv finds the lock out of date as well."""
    folder = copied("uv_web")
    _edited(folder, old, new)
    differences = read(folder).differences(Project.read(folder))
    assert any(re.search(told, difference) for difference in differences), differences
    assert all("\n" not in difference for difference in differences)
    assert not _fresh(folder)


@pytest.mark.parametrize(("old", "new", "why"), HARMLESS)
def test_a_change_of_spelling_is_no_difference(copied, read, old, new, why):
    """What only reads differently is fresh, for uv as well."""
    folder = copied("uv_web")
    _edited(folder, old, new)
    assert read(folder).differences(Project.read(folder)) == (), why
    assert _fresh(folder)


def test_a_source_that_was_added_is_told(copied, read):
    """A dependency that the lock has from an index and the project from a folder is a difference."""
    folder = copied("uv_web")
    with (folder / "pyproject.toml").open("a") as text:
        text.write('\n[tool.uv.sources]\nclick = { path = "../click" }\n')
    (told,) = read(folder).differences(Project.read(folder))
    assert "click from an index" in told


def test_what_is_dynamic_is_not_compared(copied, read):
    """Dependencies that only a build backend knows are unknown, not missing."""
    folder = copied("uv_forks")
    path = folder / "pyproject.toml"
    text = path.read_text()
    start, end = text.index("dependencies = ["), text.index("[dependency-groups]")
    path.write_text(text[:start] + 'dynamic = ["dependencies"]\n\n' + text[end:])
    project = Project.read(folder)
    assert project.dependencies is None
    assert read(folder).differences(project) == ()


def test_a_member_that_the_project_needs_is_compared_as_well(copied, read):
    """A change of another member is told where the project needs it, and not where it does not."""
    folder = copied("uv_workspace")
    _edited(folder / "libs/b", '"attrs"', '"attrs>=20"')
    needing, root = folder / "libs/a", folder
    (told,) = read(needing).differences(Project.read(needing))
    assert told.startswith("libs/b: dependencies: ")
    assert read(root).differences(Project.read(root)) == (told,)
    assert read(folder / "libs/b").differences(Project.read(folder / "libs/b")) == (told.partition(": ")[2],)
    _edited(folder / "libs/c", '"idna"', '"idna>3"')
    assert read(needing).differences(Project.read(needing)) == (told,)


SETTINGS = [
    ('exclude-newer = "2025-01-01T00:00:00Z"', "exclude-newer"),
    ('exclude-newer = "2025-01-01"', "exclude-newer"),
    ('exclude-newer = "2 weeks"', "exclude-newer"),
    ('prerelease = "allow"', "prerelease"),
    ('resolution = "lowest-direct"', "resolution"),
    ('fork-strategy = "fewest"', "fork-strategy"),
    ("environments = [\"sys_platform == 'linux'\"]", "environments"),
    ("required-environments = [\"sys_platform == 'darwin'\"]", "required-environments"),
    ('conflicts = [[{ extra = "web" }, { extra = "docs" }]]', "conflicts"),
    (
        'dependency-metadata = [{ name = "click", version = "1.0", requires-dist = [] }]',
        "dependency-metadata",
    ),
    ('build-constraint-dependencies = ["setuptools<80"]', "build-constraint-dependencies"),
]


@pytest.mark.parametrize(("line", "setting"), SETTINGS)
def test_a_setting_that_the_lock_was_not_made_with_is_told(copied, read, line, setting):
    """A setting of uv that decides a resolution is named, and uv finds the lock out of date as well."""
    folder = copied("uv_web")
    _edited(folder, "[tool.uv]\n", f"[tool.uv]\n{line}\n")
    (told,) = read(folder).differences(Project.read(folder))
    assert told.startswith(f"tool.uv.{setting}: ")
    assert not _fresh(folder)
    (folder / "uv.toml").touch()  # where there is one, uv does not read [tool.uv]
    if setting != "build-constraint-dependencies":
        assert read(folder).differences(Project.read(folder)) == ()


@pytest.mark.parametrize("python", ["3.9", "3.13"])
def test_a_time_is_the_same_however_it_is_written(python):
    """Python 3.9 and 3.10 do not read every form of RFC 3339; what uv writes is read there too."""
    forms = ["2025-01-01T00:00:00.5Z", "2025-01-01T01:00:00.50+01:00", "2025-01-01T00:00:00.500000000Z"]
    code = (
        "import sys, types; sys.modules['tomli'] = types.ModuleType('tomli')\n"  # no TOML is read here
        "from tox_wheelfarm.locks import uv_settings\n"
        f"print(len(set(map(uv_settings._moment, {forms!r}))))"
    )
    (interpreter,) = list(VERSIONS.glob(f"{python}.*/bin/python"))[:1]
    paths = [Path(uv_settings.__file__).parents[2], *map(Path, site.getsitepackages())]
    done = subprocess.run(
        [str(interpreter), "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("1\n", "")


@pytest.mark.parametrize("line", ['prerelease = "if-necessary-or-explicit"', 'resolution = "highest"'])
def test_a_setting_that_is_usual_is_no_difference(copied, read, line):
    """What counts anyway may be said."""
    folder = copied("uv_web")
    _edited(folder, "[tool.uv]\n", f"[tool.uv]\n{line}\n")
    assert read(folder).differences(Project.read(folder)) == ()
    assert _fresh(folder)
