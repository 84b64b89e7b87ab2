"""House rules 6 and 7, and how a process may be started: what a reader of the code can rely on everywhere."""

import ast
import re

IGNORE = re.compile(r"#\s*(noqa|type:\s*ignore|pragma|shellcheck|nosec|fmt:\s*off|pyright:)", re.IGNORECASE)
WITH_REASON = re.compile(
    r"#\s*(noqa:\s*[A-Z0-9, ]+|type:\s*ignore\[[\w, -]+\]|pragma: [\w ]+?)\s*(-|#|;|—|\()\s*\S+"
)
STARTERS = {"run", "call", "check_call", "check_output"}
EAGER_NAMES = {
    "open",
    "Settings",
    "Database",
    "create_engine",
    "print",
    "connect",
    "basicConfig",
    "celery_app",
}
EAGER_METHODS = {
    "read_text",
    "read_bytes",
    "write_text",
    "write_bytes",
    "mkdir",
    "exists",
    "is_file",
    "is_dir",
    "stat",
}
EAGER_MODULES = {"subprocess", "socket", "requests", "httpx", "urllib", "logging.config"}


def test_every_ignore_carries_its_reason(sources):
    """A `noqa` or `type: ignore` names its rule and says why it is right here."""
    wrong = [
        f"{source.name}:{number}"
        for source in sources
        if not source.name.startswith("tests/architecture/")
        for number, line in enumerate(source.lines, 1)
        if IGNORE.search(line) and not WITH_REASON.search(line)
    ]
    assert wrong == []


def test_every_process_is_given_a_time_limit(sources):
    """`subprocess.run` and its kin have a timeout, and nobody waits for a process or an event for ever."""
    wrong = [
        f"{source.name}:{call.lineno}"
        for source in sources
        if not source.guest
        for call in _calls(source.tree)
        if _waits_for_ever(call) and id(call) not in _awaited(source.tree)
    ]
    assert wrong == []


def test_importing_a_module_does_nothing(rooms):
    """Outside functions no module opens files, sockets, processes, databases or settings."""
    wrong = [
        f"{source.name}:{call.lineno}"
        for source in rooms
        if not source.guest and not source.migration and not source.name.endswith("__main__.py")
        for statement in source.tree.body
        for call in _calls_at_import(statement)
        if _is_eager(call)
    ]
    assert wrong == []


def test_no_module_holds_settings_an_engine_or_an_app(rooms):
    """No module-level name is a settings object, an engine or a database."""
    names = {"settings", "engine", "database", "session", "db"}
    wrong = [
        f"{source.name}:{node.lineno}"
        for source in rooms
        if not source.guest and not source.migration
        for node in source.tree.body
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and names & _assigned(node)
    ]
    assert wrong == []


def test_no_error_is_swallowed(sources):
    """No handler of `Exception` or of everything consists of `pass`."""
    wrong = [
        f"{source.name}:{node.lineno}"
        for source in sources
        for node in ast.walk(source.tree)
        if isinstance(node, ast.ExceptHandler) and _is_broad(node) and isinstance(node.body[0], ast.Pass)
    ]
    assert wrong == []


def test_the_farm_does_not_print(rooms):
    """No room uses `print`: the command writes through click and rich, the rest through logging."""
    wrong = [
        f"{source.name}:{call.lineno}"
        for source in rooms
        if not source.guest
        for call in _calls(source.tree)
        if isinstance(call.func, ast.Name) and call.func.id == "print"
    ]
    assert wrong == []


def _calls(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.Call)]


def _awaited(tree):
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Await):
            found.update(id(inner) for inner in ast.walk(node))
        if isinstance(node, ast.Call) and _name(node.func) in {
            "create_task",
            "wait_for",
            "gather",
            "ensure_future",
        }:
            found.update(id(inner) for argument in node.args for inner in ast.walk(argument))
    return found


def _name(node):
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _waits_for_ever(call):
    keywords = {keyword.arg for keyword in call.keywords}
    if not isinstance(call.func, ast.Attribute) or "timeout" in keywords or None in keywords:
        return False
    if isinstance(call.func.value, ast.Name) and call.func.value.id == "subprocess":
        return call.func.attr in STARTERS
    return (call.func.attr == "communicate") or (
        call.func.attr == "wait" and not call.args and not call.keywords
    )


def _calls_at_import(statement):
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return [call for decorator in statement.decorator_list for call in _calls(decorator)]
    if isinstance(statement, ast.ClassDef):
        return [call for inner in statement.body for call in _calls_at_import(inner)]
    if isinstance(statement, ast.If) and "__name__" in ast.dump(statement.test):
        return []
    lambdas = {
        id(inner) for node in ast.walk(statement) if isinstance(node, ast.Lambda) for inner in ast.walk(node)
    }
    return [call for call in _calls(statement) if id(call) not in lambdas]


def _is_eager(call):
    if isinstance(call.func, ast.Name):
        return call.func.id in EAGER_NAMES
    if not isinstance(call.func, ast.Attribute):
        return False
    owner = ast.unparse(call.func.value)
    return owner in EAGER_MODULES or call.func.attr in EAGER_METHODS or owner.startswith("os.environ")


def _assigned(node):
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _is_broad(handler):
    return handler.type is None or _name(handler.type) in {"Exception", "BaseException"}
