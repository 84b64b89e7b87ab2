"""House rules 1 and 3: a file is a noun of the flow, and says what it is."""

import ast
import re
from pathlib import PurePosixPath

EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "base", "misc", "shared", "tools"}
NEGATION = re.compile(r"\b(never|nothing|no|not|nobody|none|neither|without)\b", re.IGNORECASE)


def test_no_file_has_an_empty_name(sources):
    """No file or folder is called utils, helpers, common, base or the like."""
    found = [
        s.name for s in sources if EMPTY_NAMES & {part.removesuffix(".py") for part in s.name.split("/")}
    ]
    assert found == []


def test_packages_hold_a_docstring_and_re_exports_only(rooms):
    """An `__init__.py` has a docstring, imports and `__all__`, and nothing that computes."""
    wrong = [
        f"{source.name}:{node.lineno}"
        for source in rooms
        if source.name.endswith("/__init__.py")
        for node in source.tree.body
        if not isinstance(node, (ast.Import, ast.ImportFrom))
        and not _is_docstring(node)
        and not _is_all(node)
    ]
    assert wrong == []


def test_every_module_says_what_it_is_and_what_it_never_does(rooms):
    """A module's docstring has a first sentence, and more that says who calls it and what it never does."""
    modules = [s for s in rooms if not s.name.endswith("/__init__.py") and "/versions/" not in s.name]
    wrong = [
        source.name for source in modules if not _tells_its_contract(ast.get_docstring(source.tree) or "")
    ]
    assert wrong == []


def test_every_test_says_its_behaviour_in_one_sentence(sources):
    """A test has a docstring of one paragraph that ends with a full stop."""
    tests = [s for s in sources if s.name.startswith("tests/") and _stem(s.name).startswith("test_")]
    tests = [s for s in tests if not s.name.startswith("tests/minifarm/")]  # what other people write
    wrong = [
        f"{source.name}:{node.lineno} {node.name}"
        for source in tests
        for node in ast.walk(source.tree)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name.startswith("test_")
        if not _is_one_sentence(ast.get_docstring(node) or "")
    ]
    assert wrong == []


def test_ansible_is_no_package(root):
    """`ansible/` has no `__init__.py`: ansible is an import name of someone else."""
    assert list(root.glob("ansible/**/__init__.py")) == []


def _stem(name):
    return PurePosixPath(name).stem


def _is_docstring(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_all(node):
    names = [target.id for target in getattr(node, "targets", []) if isinstance(target, ast.Name)]
    return isinstance(node, ast.Assign) and names == ["__all__"]


def _tells_its_contract(docstring):
    paragraphs = docstring.strip().split("\n\n")
    return len(paragraphs) > 1 and bool(NEGATION.search("\n".join(paragraphs[1:])))


def _is_one_sentence(docstring):
    text = docstring.strip()
    return bool(text) and "\n\n" not in text and text.endswith((".", "?", "!"))
