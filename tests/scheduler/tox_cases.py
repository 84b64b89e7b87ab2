"""Projects' tox configurations, on which the farm's static reader and tox itself must agree; by name, then by file."""

CASES = {
    "pluggy": {
        "tox.ini": """
[tox]
envlist=docs,py{310,311,312,313,314,py3},py{310}-pytestmain
[testenv]
deps=
  coverage: coverage
  pytestmain: git+https://github.com/pytest-dev/pytest.git@main
[testenv:docs]
deps =
    -r{toxinidir}/docs/requirements.txt
"""
    },
    "ranges, comments and lines": {
        "tox.ini": """
[tox]
min_version = 4.0
env_list =
    py3{9-11}, # the old ones
    # py2
    py{312,313}-{a,b}
    lint
skip_missing_interpreters = true
"""
    },
    "substitutions": {
        "tox.ini": """
[base]
names = py310, py311
extra =
    six
    attrs
[tox]
envlist =
    {[base]names}
    docs
[testenv]
deps =
    {[base]extra}
    py310: {env:OTHER_PACKAGE:tomli}
[testenv:docs]
basepython = python3.11
depends = py310, py311
deps =
    {[testenv]deps}
    sphinx
"""
    },
    "terminals and escapes": {
        "tox.ini": """
[base]
names = {tty:py39:py3\\{10,11\\}}
[tox]
envlist = {tty:py312:py313}, {tty:x:{env:OTHER:py310}}-\\{a,b\\}, {[base]names}, {tty:py39:docs:no}
[testenv]
deps =
    attrs\\[tests\\]
    https\\://example.com/{tty:x.zip:{env:OTHER:y\\:z:1}.zip}
    a: {env:OTHER:http://example.com/a.zip}
"""
    },
    "generative sections and factors": {
        "tox.ini": """
[tox]
env_list = py3{10,11}-tests, py311-mypy, coverage
[testenv]
deps =
    tests: pytest
    !tests: mypy
    py310,py311: six
    py311-mypy: attrs
[testenv:py3{10,11}-tests]
deps = pytest-cov
[testenv:coverage]
base_python = py311
depends = py3{10,11}-tests
deps = coverage[toml]>=5.3
"""
    },
    "base": {
        "tox.ini": """
[tox]
env_list = a, b
[special]
deps = six
[testenv]
deps = attrs
[testenv:a]
base = special
[testenv:b]
"""
    },
    "setup.cfg": {
        "setup.cfg": "[metadata]\nname=x\n[tox:tox]\nenvlist = py{311,312}\n[testenv]\ndeps = six\n"
    },
    "legacy in pyproject": {
        "pyproject.toml": '[tool.tox]\nlegacy_tox_ini = """\n[tox]\nenvlist = py311,b\n[testenv]\ndeps = six\n"""\n'
    },
    "native pyproject": {
        "pyproject.toml": """
[tool.tox]
requires = ["tox>=4.21"]
env_list = ["3.12", "3.11", "lint"]
[tool.tox.env_run_base]
deps = ["pytest", "six>=1"]
[tool.tox.env.lint]
base_python = ["3.11"]
depends = ["3.12"]
deps = [{ replace = "ref", of = ["tool", "tox", "env_run_base", "deps"], extend = true }, "ruff"]
"""
    },
    "products": {
        "tox.toml": """
env_list = ["docs", { product = [["py311", "py312"], ["a", "b"]], exclude = ["py312-b"] }]
[env_run_base]
deps = ["six"]
"""
    },
    "product of a range": {
        "tox.toml": 'env_list = [{ product = [{ prefix = "py3", start = 11, stop = 13 }, ["a"]] }]\n'
    },
    "env_base": {
        "tox.toml": """
env_list = ["test-a", "test-b"]
[env_base.test]
factors = ["a", "b"]
deps = ["six"]
[env_run_base]
deps = ["attrs"]
"""
    },
    "names out of substitutions": {
        "tox.ini": """
[minors]
old = 39,310
new = 311,312
[tox]
env_list =
    py{{[minors]old},{[minors]new}}-{a,b}
    {env:MORE_ENVIRONMENTS:lint,{env:EVEN_MORE:docs}}
    \\
    last
[testenv]
deps = {posargs:six}
"""
    },
    "conditions in the list": {
        "tox.ini": """
[tox]
env_list =
    py311
    linux: only-linux
    win32: only-windows
    !win32: not-windows
"""
    },
    "base_python by factor": {
        "tox.ini": """
[tox]
env_list = a-new, a-old, b
[testenv]
base_python =
    new: python3.12
    old: python3.8
deps =
    {[testenv:b]deps}
    new,old: attrs
[testenv:b]
deps = six
depends =
    a-new
    a-{old,odd}
"""
    },
    "references from section to section": {
        "tox.ini": """
[base]
deps =
    six
    {[more]deps}
[more]
deps = attrs  # with a comment
[tox]
envlist = py3{11,12}
[testenv]
deps =
    {[base]deps}
    -r{toxinidir}/requirements.txt
[testenv:py3{11,12}]
deps =
    {[testenv]deps}
    -c {tox_root}/constraints.txt
"""
    },
    "old spellings": {
        "tox.ini": """
[tox]
minversion = 3.8
skipsdist = True
envlist = py27,py3{6,7},pypy{2,3},flake8
[testenv:flake8]
basepython = python3
skip_install = True
deps = flake8
[testenv:py27]
basepython = python2.7
"""
    },
    "setup.cfg with references": {
        "setup.cfg": """
[metadata]
name = x
[tox:tox]
names = py311,py312
envlist = {[tox:tox]names}, docs
[testenv]
deps = six
[testenv:docs]
deps =
    {[testenv]deps}
    sphinx
"""
    },
    "legacy beside native": {
        "pyproject.toml": (
            '[tool.tox]\nenv_list = ["n"]\nlegacy_tox_ini = """\n[tox]\nenvlist = l\n"""\n'
            '[tool.tox.env.n]\ndeps = ["six"]\n'
        )
    },
    "replacements": {
        "tox.toml": """
env_list = ["a", "b", { replace = "env", name = "MORE_ENVIRONMENTS", default = "c" }]
[env_run_base]
deps = [
    { replace = "env", name = "A_PACKAGE", default = "six" },
    { replace = "posargs", default = ["attrs"], extend = true },
]
[env.a]
base_python = ["3.11", "3.12"]
deps = [{ replace = "ref", env = "b", key = "deps", extend = true }, "tomli"]
[env.b]
deps = ["ruff"]
depends = ["a"]
"""
    },
    "conditions": {
        "tox.toml": """
env_list = [
    "a-x",
    { replace = "if", condition = "env.NEVER_SET", then = ["ci"], else = ["b", "c"], extend = true },
    { replace = "if", condition = "not env.NEVER_SET and env_name == ''", then = ["d"], extend = true },
    { replace = "if", condition = "env['NEVER_SET'] != ''", then = ["e"], else = [], extend = true },
]
[env_run_base]
deps = [
    { replace = "if", condition = "factor.x and factor.linux or factor['b']", then = "six", else = "attrs" },
    { replace = "if", condition = "env_name == 'c'", then = "tomli", else = "ruff" },
]
[env.c]
depends = [{ replace = "if", condition = "factor.c", then = ["a-x", "b"], extend = true }]
"""
    },
    "a list chosen whole": {
        "tox.toml": 'env_list = { replace = "if", condition = "env.NEVER_SET", then = ["a"], else = ["b", "c"] }\n'
    },
    "base in TOML": {
        "tox.toml": """
env_list = ["a", "b", "c"]
[env_run_base]
deps = ["six"]
[env.a]
base = ["special"]
[env.special]
deps = ["attrs"]
[env.b]
base = []
[env.c]
description = "nothing of its own"
"""
    },
    "tox.ini before everything": {
        "tox.ini": "[tox]\nenv_list = a\n",
        "setup.cfg": "[tox:tox]\nenv_list = b\n",
        "tox.toml": 'env_list = ["c"]\n',
    },
    "setup.cfg without tox, then pyproject": {
        "setup.cfg": "[metadata]\nname = x\n",
        "pyproject.toml": '[tool.tox]\nenv_list = ["p"]\n',
        "tox.toml": 'env_list = ["c"]\n',
    },
}
