# -*- coding: utf-8 -*-
"""Tells the guest agent what tox does in each environment, and brings the plugins for tests into its commands.

tox loads it by its entry point: any tox 4; `wheelfarm_tox3` has what tox 3 needs. It also puts itself into
the environment that a project's `requires` makes tox provision. It never changes what is installed or run:
only variables of the commands' environment, and that `wheelfarm_uv` may install in pip's place.

Per environment, in order and never two at once: `farm:create`, `farm:install`, `farm:package` (install may
come again after package), `farm:commands`; each `inprogress`, then `success`, `fail` or `skip` with a
`reason`. Provisioning is `farm:provision`, without an environment.
"""

import importlib.util
import json
import os
import shutil
import threading
import traceback
from fnmatch import fnmatch

import wheelfarm_pth
from pluggy import HookimplMarker

STEPS = "WHEELFARM_STEPS"
RESULTS = "WHEELFARM_RESULTS"
ENVIRONMENT = "WHEELFARM_ENVIRONMENT"
PASS = "WHEELFARM_PASS"
"""Names of variables, with commas between them, that every environment gets, whatever its `pass_env` says."""

FOLDER = os.path.dirname(os.path.abspath(__file__))
INSTALLERS = os.path.join(os.path.dirname(os.path.dirname(FOLDER)), "installers")
PYTEST_FOLDER = os.path.join(os.path.dirname(FOLDER), "pytest")

hook = HookimplMarker("tox")
_REASON_CHARACTERS = 4000
_COMMAND_CHARACTERS = 2000
_COMMANDS = 1000


def _load_stream_module():
    path = os.path.join(PYTEST_FOLDER, "wheelfarm_stream.py")
    spec = importlib.util.spec_from_file_location("wheelfarm_stream", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Agent(object):
    """The connection to the agent; silent where there is none (tox by hand)."""

    def __init__(self):
        self._module = _load_stream_module()
        self._lock = threading.Lock()
        path = os.environ.get(STEPS)
        self._stream = self._module.Stream(path) if path else None
        self.results = os.environ.get(RESULTS)
        self._results_stream = self._module.Stream(self.results) if self.results else None

    def send(self, *arguments, **named):
        """One packet on the socket for steps, if there is one."""
        if self._stream is not None:
            with self._lock:
                self._stream.write(self._module.packet(*arguments, **named))

    def send_results(self, packets):
        """Whole packets on the socket for tests, if there is one."""
        if self._results_stream is not None:
            with self._lock:
                self._results_stream.write(packets)

    def attach(self, step, route, name, text, mime):
        """A whole attachment of a step, sent before its final status."""
        content = self._module.to_bytes(text)
        self.send(step, None, route, False, name, content, mime, True)


class Steps(object):
    """The steps of one environment: one at most is open."""

    def __init__(self, agent, route):
        self._agent = agent
        self._route = route
        self._open = None

    def begin(self, step):
        """Start a step; the one that is open has succeeded."""
        step = step if self._route else "farm:provision"
        if step != self._open:
            self.end("success")
            self._open = step
            self._agent.send(step, "inprogress", self._route, False)

    def end(self, status, reason=None):
        """Finish the open step, if there is one."""
        if self._open is not None:
            if reason:
                text = reason[:_REASON_CHARACTERS]
                self._agent.attach(self._open, self._route, "reason", text, "text/plain;charset=utf-8")
            self._agent.send(self._open, status, self._route, False)
            self._open = None

    def commands(self, entries):
        """Attach what each command did to the open step."""
        text = json.dumps(entries[:_COMMANDS])
        self._agent.attach(self._open, self._route, "commands.json", text, "application/json")


class Plugin(object):
    """The state of one tox process."""

    def __init__(self):
        self.agent = Agent()
        self._steps = {}
        self.complaint = ""
        self.declared = [name for name in os.environ.get(PASS, "").split(",") if name]
        paths = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path != FOLDER]
        if any(paths):
            os.environ["PYTHONPATH"] = os.pathsep.join(paths)
        else:
            os.environ.pop("PYTHONPATH", None)

    def steps(self, name, provision_name):
        """The steps of a run environment, or of the one that tox provisions itself in."""
        if name not in self._steps:
            self._steps[name] = Steps(self.agent, None if name == provision_name else name)
        return self._steps[name]

    def variables(self, name, current):
        """What the commands of an environment get so that pytest and unittest report, given what they would have."""
        # What tox starts from here on must not find the sockets, whatever `pass_env` says.
        for mine in (STEPS, RESULTS, PASS):
            os.environ.pop(mine, None)
        if not self.agent.results:
            return {}
        pythonpath = [PYTEST_FOLDER, current.get("PYTHONPATH", "")]
        return {
            "PYTHONPATH": os.pathsep.join(filter(None, pythonpath)),
            RESULTS: self.agent.results,
            ENVIRONMENT: name,
        }


PLUGIN = Plugin()


def entry(name, command, exit_code, seconds, failed, ignored, missing=None):
    """One command as `commands.json` has it: `ignored` is a failure that does not count for tox.

    `missing` is the program from outside of the environment that it asked for and that this machine does not have.
    """
    return {
        "name": name,
        "command": command[:_COMMAND_CHARACTERS],
        "exit_code": exit_code,
        "seconds": None if seconds is None else round(seconds, 3),
        "failed": bool(failed),
        "ignored": bool(failed and ignored),
        "missing": missing,
    }


def come_along(site_packages):
    """Make this plugin importable in the environment that tox provisions itself in, and tox-wheelfarm if it is used."""
    folders = [FOLDER] + [INSTALLERS] * bool(os.environ.get("WHEELFARM_TOX"))
    with open(os.path.join(str(site_packages), "wheelfarm_tox.pth"), "w") as pth:
        pth.write("".join(folder + "\n" for folder in folders))


def safely(function, *arguments):
    """Do the work of a hook; its own failure is told as the farm's, and never ends the project's run.

    Not a decorator: the pluggy of an old tox reads the hooks' own signatures.
    """
    try:
        function(*arguments)
    except Exception:
        tell_failure(traceback.format_exc())


def tell_failure(text):
    """A failure of ours: the farm's error."""
    PLUGIN.agent.attach("farm:error", None, "text", text, "text/plain;charset=utf-8")
    PLUGIN.agent.send("farm:error", "fail", None, False)


def _steps4(tox_env):
    try:
        provision_name = tox_env.core["provision_tox_env"]
    except KeyError:
        provision_name = ".tox"
    return PLUGIN.steps(tox_env.conf["env_name"], provision_name), tox_env.conf["env_name"] == provision_name


def _is_package_env(tox_env):
    return hasattr(tox_env, "perform_packaging")


@hook(optionalhook=True)
def tox_on_install(tox_env, arguments, section, of_type):
    """An installation begins; those of a packaging environment belong to the package step."""
    safely(_on_install, tox_env)


def _on_install(tox_env):
    if _is_package_env(tox_env):
        return
    steps, is_provision = _steps4(tox_env)
    steps.begin("farm:install")
    if is_provision:
        come_along(tox_env.conf["env_site_packages_dir"])


@hook(optionalhook=True)
def tox_before_run_commands(tox_env):
    """The environment is made; its commands begin."""
    safely(_before_run_commands, tox_env)


def _before_run_commands(tox_env):
    steps, _ = _steps4(tox_env)
    steps.begin("farm:commands")
    name = tox_env.conf["env_name"]
    tox_env.conf["set_env"].update(PLUGIN.variables(name, tox_env.environment_variables))
    if PLUGIN.agent.results and "env_site_packages_dir" in tox_env.conf:
        wheelfarm_pth.start_plugins_in(tox_env.conf["env_site_packages_dir"], RESULTS, PYTEST_FOLDER)


@hook(optionalhook=True)
def tox_after_run_commands(tox_env, exit_code, outcomes):
    """The commands ended, or were broken off."""
    safely(_after_run_commands, tox_env, exit_code, outcomes)


def _after_run_commands(tox_env, exit_code, outcomes):
    steps, _ = _steps4(tox_env)
    if "env_site_packages_dir" in tox_env.conf:
        wheelfarm_pth.leave(tox_env.conf["env_site_packages_dir"])
    steps.commands(_entries4(tox_env, outcomes))
    steps.end("fail" if exit_code else "success")


@hook(optionalhook=True)
def tox_env_teardown(tox_env):
    """The environment is done with; a step still open did not succeed."""
    safely(_env_teardown, tox_env)


def _env_teardown(tox_env):
    if not _is_package_env(tox_env):
        _steps4(tox_env)[0].end("fail")


def _entries4(tox_env, outcomes):
    names = [outcome.request.run_id for outcome in outcomes]
    entries = []
    for position, outcome in enumerate(outcomes):
        command = _command4(tox_env, names[position])
        inverted = getattr(command, "invert_exit_code", False)
        failed = (outcome.exit_code == 0) if inverted else (outcome.exit_code != 0)
        tolerated = tox_env.conf["ignore_outcome"] or getattr(command, "ignore_exit_code", False)
        retried = names[position] in names[position + 1 :]
        text = outcome.request.shell_cmd
        lacks = _missing_program(tox_env, str(outcome.request.cmd[0])) if failed else None
        ignored = tolerated or retried
        entries.append(entry(names[position], text, outcome.exit_code, outcome.elapsed, failed, ignored, lacks))
    return entries


def _missing_program(tox_env, program):
    """The program, if `allowlist_externals` names it and it is nowhere; one that nobody named was to be installed."""
    if shutil.which(program, path=tox_env.environment_variables.get("PATH")) is not None:
        return None
    return program if any(fnmatch(program, str(each)) for each in tox_env.conf["allowlist_externals"]) else None


def _command4(tox_env, run_id):
    key, _, index = run_id.rstrip("]").partition("[")
    try:
        return tox_env.conf[key][int(index)]
    except (KeyError, IndexError, ValueError):
        return None


def _watch_setup(tox_env_class):
    original = tox_env_class.setup

    def setup(self):
        if _is_package_env(self):
            return original(self)
        steps, is_provision = _steps4(self)
        steps.begin("farm:create")
        safely(_pass_declared, self)
        PLUGIN.complaint = ""
        try:
            original(self)
        except BaseException as error:
            skipped = type(error).__name__ == "Skip"
            said = PLUGIN.complaint if isinstance(error, SystemExit) else str(error)
            steps.end("skip" if skipped else "fail", said or type(error).__name__)
            raise
        if is_provision:
            steps.end("success")

    tox_env_class.setup = setup


def _hear_complaints(outcome_class):
    """Keep what a failed command said for the reason of its step; tox itself only has its exit code there."""
    original = outcome_class._assert_fail

    def _assert_fail(self, *arguments):
        lines = [line.strip() for line in ((self.out or "") + "\n" + (self.err or "")).splitlines()]
        errors = [line for line in lines if line.lower().startswith("error")]
        PLUGIN.complaint = " ".join(errors) or next((line for line in reversed(lines) if line), "")
        return original(self, *arguments)

    outcome_class._assert_fail = _assert_fail


def _pass_declared(tox_env):
    """Let the environment have the variables that the project declares to the farm; tox asks this list each time."""
    passed = tox_env.conf["pass_env"]
    passed.extend(name for name in PLUGIN.declared if name not in passed)


def _watch_packaging(runner_class):
    original = runner_class._build_packages

    def _build_packages(self):
        steps, _ = _steps4(self)
        steps.begin("farm:package")
        packages = original(self)
        steps.end("success")
        return packages

    runner_class._build_packages = _build_packages


def _watch_settling():
    """tox-wheelfarm gathers what tox has it install, and installs it in one go: that is told as installing, too."""
    try:
        from tox_wheelfarm.installer import SetInstaller
    except ImportError:
        return
    original = SetInstaller.settle

    def settle(self):
        safely(_on_install, self._env)
        return original(self)

    SetInstaller.settle = settle


def _watch_tox4():
    """Hooks say when commands and installations begin; for the rest, methods are watched where they exist."""
    try:
        from tox.execute.api import Outcome
        from tox.execute.local_sub_process import LocalSubProcessExecuteInstance
        from tox.journal.env import EnvJournal
        from tox.tox_env.api import ToxEnv
        from tox.tox_env.python.pip.pip_install import Pip
        from tox.tox_env.python.runner import PythonRun
    except ImportError:
        return
    _watch_setup(ToxEnv)
    if hasattr(PythonRun, "_build_packages"):
        _watch_packaging(PythonRun)
    if os.environ.get(STEPS):
        if hasattr(Outcome, "_assert_fail"):
            _hear_complaints(Outcome)
        import wheelfarm_result
        import wheelfarm_subunit
        import wheelfarm_uv

        wheelfarm_result.take_over(Pip, EnvJournal)
        wheelfarm_uv.take_over(ToxEnv, Pip)
        _use_own_index()
        _watch_settling()
        wheelfarm_subunit.take_over(
            LocalSubProcessExecuteInstance, ENVIRONMENT, PLUGIN.agent.send_results, tell_failure
        )


def _use_own_index():
    """tox-uv's lock runner, if it is there: in the tox that a project's `requires` has made."""
    try:
        from tox_uv._run_lock import UvVenvLockRunner
    except ImportError:
        return
    import wheelfarm_lock

    wheelfarm_lock.take_over(UvVenvLockRunner)


_watch_tox4()
