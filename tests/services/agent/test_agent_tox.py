"""What tox does in a job is told step by step, environment by environment, command by command."""

import json
import sys

from farm_images.wire import ProbeFrame, WarmFrame

from .conftest import AgentHost, Stream, tox_ini

SEVERAL = """
[tox]
skipsdist = true
skip_missing_interpreters = true
env_list = one, two, three, four
[testenv]
skip_install = true
set_env = OWN = kept
commands =
    python -c 'import os; assert os.environ["OWN"] == "kept"'
[testenv:two]
commands =
    - python -c 'raise SystemExit(3)'
    ! python -c 'raise SystemExit(4)'
[testenv:three]
ignore_outcome = true
commands = python -c 'raise SystemExit(5)'
[testenv:four]
base_python = python2.99
"""
BACKEND = """
[build-system]
requires = []
build-backend = "broken"
backend-path = ["."]
"""


def commands(stream: Stream, environment: str) -> list[tuple[int, bool, bool]]:
    """(exit code, failed, ignored) of each command of an environment."""
    found = [
        e.file_bytes for e in stream.events if e.route_code == environment and e.file_name == "commands.json"
    ]
    return [(c["exit_code"], c["failed"], c["ignored"]) for c in json.loads(found[0] or b"")]


def test_steps_and_commands_of_each_environment(agent: AgentHost) -> None:
    """Environments run in the given order; hidden failures are seen; a missing interpreter is a skip."""
    stream = agent.run({"tox.ini": SEVERAL}, environments=("two", "one", "three", "four"))
    begun = [e.route_code for e in stream.events if e.test_id == "farm:create" and e.status == "inprogress"]
    assert begun == ["two", "one", "three", "four"], stream.log
    assert commands(stream, "one") == [(0, False, False)]
    assert commands(stream, "two") == [(3, True, True), (4, False, False)]
    assert commands(stream, "three") == [(5, True, True)]
    assert stream.statuses("farm:commands", "two") == ["inprogress", "success"]
    assert stream.statuses("farm:commands", "three") == ["inprogress", "fail"]
    assert stream.statuses("farm:create", "four") == ["inprogress", "skip"]
    reasons = [e.file_bytes for e in stream.events if e.route_code == "four" and e.file_name == "reason"]
    assert b"python2.99" in (reasons[0] or b"")


def test_a_program_that_is_not_there(agent: AgentHost) -> None:
    """A program that `allowlist_externals` names and nobody has is told by name; one that nobody named is not."""
    text = "[tox]\nskipsdist = true\n[testenv]\nskip_install = true\nallowlist_externals = no-such-*\n"
    text += "[testenv:one]\ncommands = no-such-tool --x\n[testenv:two]\ncommands = never-installed\n"
    stream = agent.run({"tox.ini": text}, environments=("one", "two"))
    files = {e.route_code: e.file_bytes or b"" for e in stream.events if e.file_name == "commands.json"}
    assert [each["missing"] for each in json.loads(files["one"])] == ["no-such-tool"], stream.log
    assert [each["missing"] for each in json.loads(files["two"])] == [None], stream.log


def test_what_commands_print_is_not_in_the_result(agent: AgentHost) -> None:
    """However much a project prints, tox's result is whole; what was printed is in the log."""
    loud = "for i in range(20): print('loud' * 250_000)"
    stream = agent.run({"tox.ini": tox_ini(f'python -c "{loud}"')})
    (result,) = [e.file_bytes or b"" for e in stream.events if e.file_name == "tox-result.json"]
    (one,) = json.loads(result)["testenvs"].values()
    assert (one["result"]["exit_code"], one["test"][0]["retcode"]) == (0, 0)
    assert len(result) < 100_000
    assert "loudloud" in stream.log


def test_a_package_that_cannot_be_built(agent: AgentHost) -> None:
    """A build backend that fails is a failed package step, with the reason, and no commands."""
    ini = "[tox]\nenv_list = one\n[testenv]\ncommands = python -c pass\n"
    backend = "def build_wheel(*arguments, **named): raise RuntimeError('cannot build')\n"
    stream = agent.run({"tox.ini": ini, "pyproject.toml": BACKEND, "broken.py": backend})
    assert stream.statuses("farm:package", "one") == ["inprogress", "fail"], stream.log
    assert stream.statuses("farm:commands") == []
    assert "cannot build" in stream.log


def test_a_dependency_that_cannot_be_installed(agent: AgentHost) -> None:
    """An installation that fails is a failed install step."""
    ini = "[tox]\nskipsdist = true\n[testenv:one]\ndeps = ./nowhere\ncommands = python -c pass\n"
    stream = agent.run({"tox.ini": ini})
    assert stream.statuses("farm:create", "one") == ["inprogress", "success"], stream.log
    assert stream.statuses("farm:install", "one") == ["inprogress", "fail"]
    assert b"ERROR: Invalid requirement: './nowhere'" in stream.attachment("farm:install", "reason")


def test_an_inferred_configuration_stays_outside(agent: AgentHost) -> None:
    """An inferred configuration works on the project's folder and leaves no file in it."""
    files = {
        "test_it.py": "import os\ndef test_it(): assert os.listdir('.').count('tox.ini') == 0, os.listdir('.')"
    }
    stream = agent.run(files, inferred=tox_ini())
    assert stream.tests() == {"test_it.py::test_it": "success"}, stream.log
    assert stream.job["exit_code"] == 0
    assert (agent.root / "home/job/project/project/.tox/one/bin/python").exists()


def test_the_log_comes_while_it_is_written(agent: AgentHost) -> None:
    """What a command prints reaches the host while the command still runs."""
    script = """
        import os, time
        print("begun", flush=True)
        while not os.path.exists("go"): time.sleep(0.05)
    """
    agent.start({"tox.ini": tox_ini("python script.py"), "script.py": script})
    log = ""
    while "begun\n" not in log:
        event = agent.next_event()
        log += (event.file_bytes or b"").decode() if event.file_name == "log" else ""
        assert event.test_id != "farm:job", log
    (agent.root / "home/job/project/project/go").touch()
    assert agent.until().job["exit_code"] == 0


def test_variables_of_the_job(agent: AgentHost) -> None:
    """The job's own variables reach tox, and only those: the agent's are not inherited."""
    ini = tox_ini("python -c 'import os; print(sorted(os.environ))'").replace(
        "set_env", "pass_env = *\nset_env"
    )
    stream = agent.run({"tox.ini": ini}, env={"OWN_VARIABLE": "1"})
    assert "OWN_VARIABLE" in stream.log
    assert "WHEELFARM_STEPS" not in stream.log


def test_a_probe(agent: AgentHost) -> None:
    """Each interpreter is started and described; one that does not start has a reason."""
    agent.send(ProbeFrame(job="p", interpreters=("/usr/bin/python3", "/usr/bin/true", "/nowhere")))
    stream = agent.until()
    answers = [json.loads(e.file_bytes or b"") for e in stream.events if e.file_name == "interpreter.json"]
    assert [answer["works"] for answer in answers] == [True, False, False]
    assert answers[0]["implementation"] == "CPython"
    assert answers[0]["tags"][0].startswith(f"cp{answers[0]['version'].replace('.', '')[:3]}-cp3")
    assert all(answer["reason"] for answer in answers[1:])
    assert stream.statuses("farm:interpreter") == ["success", "fail", "fail"]


def test_warming(agent: AgentHost) -> None:
    """Filling the caches leaves something in the user's cache and nothing else, and jobs run after it."""
    agent.send(WarmFrame(job="w", interpreters=(sys.executable,)))
    stream = agent.until()
    assert stream.job["exit_code"] == 0, stream.attachment("farm:job", "reason")
    home = agent.root / "home/job"
    assert not [path.name for path in home.iterdir() if not path.name.startswith(".")]
    assert list(home.glob(".*/**/virtualenv/**/*.json"))
    assert agent.run({"tox.ini": tox_ini("python -c pass")}).job["exit_code"] == 0


def test_declared_variables_reach_every_environment(agent: AgentHost) -> None:
    """The declared variables are there in an environment with a `pass_env` of its own, `set_env` wins over them."""
    show = (
        'python -c \'import os; print([os.environ.get(n) for n in ("A_1", "B_2", "C_3", "WHEELFARM_PASS")])\''
    )
    ini = (
        tox_ini(show)
        + f"""
[testenv:two]
pass_env = NOTHING
set_env = B_2 = mine
commands = {show}
[testenv:three]
pass_env = *
commands = {show}
"""
    )
    variables = {"A_1": "1", "B_2": "2", "C_3": "3", "WHEELFARM_PASS": "A_1,B_2"}
    stream = agent.run({"tox.ini": ini}, environments=("one", "two", "three"), env=variables)
    found = [line for line in stream.log.splitlines() if line.startswith("[")]
    assert found == ["['1', '2', None, None]", "['1', 'mine', None, None]", "['1', '2', '3', None]"], (
        stream.log
    )


def test_a_command_cannot_speak_of_steps(agent: AgentHost) -> None:
    """What connects to the socket for steps once an environment has begun is not heard."""
    script = """
        import os, socket, sys
        sys.path.insert(0, os.environ["PYTHONPATH"].split(os.pathsep)[0])
        from wheelfarm_stream import packet
        path = os.path.join(os.path.dirname(os.environ["WHEELFARM_RESULTS"]), "steps.sock")
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(path)
            try:
                connection.sendall(packet("farm:error", "fail", None, False))
                connection.sendall(packet("farm:create", "skip", "one", False))
            except OSError as error:
                print("refused", error)
        sys.exit(1)
    """
    stream = agent.run({"tox.ini": tox_ini("python script.py"), "script.py": script})
    assert "Traceback" not in stream.log
    assert stream.statuses("farm:error") == []
    assert stream.statuses("farm:create", "one")[-1] == "success"
    assert stream.statuses("farm:commands", "one")[-1] == "fail"
    assert stream.job["refused"] >= 1, stream.job
