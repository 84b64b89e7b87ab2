"""Which facts of a plan no file tells."""

import pytest

from farm_scheduler.dynamic_facts import dynamic_facts
from farm_scheduler.project_files import ProjectFiles

ALL = ("requires-python", "classifiers", "extras")
BARE = "from setuptools import setup\nsetup()\n"
COMPUTED = "from setuptools import setup\nsetup(name='x', python_requires='>=3.%d' % 9)\n"
PROJECT = "[project]\nname = 'x'\n"
CFG = """\
[metadata]
name = x
classifiers =
    Programming Language :: Python :: 3
[options]
python_requires = >=3.9
"""
SETUPTOOLS = "[build-system]\nrequires = ['setuptools']\nbuild-backend = 'setuptools.build_meta'\n"
POETRY = """\
[build-system]
requires = ["poetry-core"]
build-backend = "poetry.core.masonry.api"
[tool.poetry]
name = "x"
"""
TOX = "[tox]\nenv_list = py311\n"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ({"pyproject.toml": PROJECT + "version = '1'\nrequires-python = '>=3.9'\n"}, ()),
        ({"pyproject.toml": PROJECT + "version = '1'\n"}, ()),
        ({"pyproject.toml": PROJECT + "dynamic = ['version']\n"}, ()),
        ({"pyproject.toml": PROJECT + "dynamic = ['requires-python']\n"}, ("requires-python",)),
        ({"pyproject.toml": PROJECT + "dynamic = ['version', 'optional-dependencies']\n"}, ("extras",)),
        ({"pyproject.toml": PROJECT + "dynamic = ['optional-dependencies']\n", "tox.ini": TOX}, ()),
        ({"pyproject.toml": PROJECT + "dynamic = 7\n"}, ()),
        ({"setup.py": COMPUTED}, ALL),
        ({"setup.py": COMPUTED, "tox.ini": TOX}, ("requires-python", "classifiers")),
        ({"setup.py": ""}, ()),
        ({"setup.py": BARE, "setup.cfg": CFG}, ()),
        ({"setup.py": COMPUTED, "setup.cfg": CFG}, ("extras",)),
        ({"setup.py": BARE, "setup.cfg": CFG.replace("\n    Programming", " file: c.txt\n    #")}, ("classifiers",)),
        ({"setup.cfg": CFG, "pyproject.toml": SETUPTOOLS}, ()),
        ({"setup.cfg": "][", "setup.py": COMPUTED}, ALL),
        ({"pyproject.toml": POETRY}, ALL),
        ({"pyproject.toml": "[tool.black]\n", "tox.ini": TOX}, ()),
        ({"tox.ini": TOX}, ()),
    ],
)  # fmt: skip
def test_what_only_a_build_knows_is_dynamic(texts: dict[str, str], expected: tuple[str, ...]) -> None:
    """A folder is believed where its files say something or can only mean that there is nothing."""
    assert dynamic_facts(ProjectFiles(texts=texts, names=frozenset(texts))) == expected


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ("Metadata-Version: 2.2\nName: x\n", ()),
        ("Metadata-Version: 2.4\nName: x\nRequires-Python: >=3\nDynamic: requires-python\n", ("requires-python",)),
        ("Metadata-Version: 2.2\nName: x\nDynamic: Provides-Extra\nDynamic: Classifier\n", ("classifiers", "extras")),
        ("Metadata-Version: 2.1\nName: x\n", ()),
        ("Metadata-Version: 1.2\nName: x\n", ("extras",)),
        ("Metadata-Version: 1.1\nName: x\n", ("requires-python", "extras")),
        ("Metadata-Version: 1.0\nName: x\n", ALL),
        ("Metadata-Version: 1.0\nName: x\nRequires-Python: >=3\nClassifier: a\nProvides-Extra: test\n", ()),
        ("Name: x\n", ALL),
        ("Metadata-Version: ten\n", ALL),
        ("", ALL),
    ],
)  # fmt: skip
def test_pkg_info_is_believed_unless_it_says_dynamic(headers: str, expected: tuple[str, ...]) -> None:
    """An sdist's own words count, its silence only where its format could have said it (PEP 643)."""
    texts = {"PKG-INFO": headers, "setup.py": COMPUTED}
    assert dynamic_facts(ProjectFiles(texts=texts, names=frozenset(texts))) == expected
