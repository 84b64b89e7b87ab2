# -*- coding: utf-8 -*-
"""Tells the guest agent what tox 3.28 does, which the farm uses for Python 2.7 only; silent in tox 4.

tox loads it by its entry point beside `wheelfarm_tox`, whose steps and variables it uses. It never changes
what is installed or run.
"""

import os

import wheelfarm_pth
from wheelfarm_tox import PLUGIN, PYTEST_FOLDER, RESULTS, STEPS, come_along, entry, hook, safely


def _steps3(venv):
    return PLUGIN.steps(venv.envconfig.envname, getattr(venv.envconfig.config, "provision_tox_env", ".tox"))


def _is_isolated_build(venv):
    return venv.envconfig.envname == getattr(venv.envconfig.config, "isolated_build_env", ".package")


@hook(optionalhook=True, hookwrapper=True)
def tox_testenv_create(venv, action):
    """tox 3 makes an environment."""
    if not _is_isolated_build(venv):
        _steps3(venv).begin("farm:create")
    yield


@hook(optionalhook=True, hookwrapper=True)
def tox_testenv_install_deps(venv, action):
    """tox 3 installs the dependencies of an environment."""
    config = venv.envconfig.config
    if not _is_isolated_build(venv):
        _steps3(venv).begin("farm:install")
        if venv.envconfig.envname == getattr(config, "provision_tox_env", None):
            come_along(venv.envconfig.get_envsitepackagesdir())
    outcome = yield
    if outcome.excinfo is not None and not _is_isolated_build(venv):
        _steps3(venv).end("fail", str(outcome.excinfo[1]))


@hook(optionalhook=True, hookwrapper=True)
def tox_package(session, venv):
    """tox 3 makes the source distribution, once for all environments."""
    steps = _steps3(venv)
    steps.begin("farm:package")
    outcome = yield
    failed = outcome.excinfo is not None or (outcome.get_result() is None and not session.config.skipsdist)
    steps.end("fail" if failed else "success")
    if not failed:
        steps.begin("farm:install")


@hook(optionalhook=True)
def tox_runtest_pre(venv):
    """tox 3 begins with the commands of an environment."""
    safely(_runtest_pre, venv)


def _runtest_pre(venv):
    _steps3(venv).begin("farm:commands")
    current = venv._get_os_environ(is_test_command=True)
    for name, value in PLUGIN.variables(venv.envconfig.envname, current).items():
        venv.envconfig.setenv[name] = value
    if PLUGIN.agent.results:
        wheelfarm_pth.start_plugins_in(venv.envconfig.get_envsitepackagesdir(), RESULTS, PYTEST_FOLDER)


@hook(optionalhook=True, trylast=True)
def tox_runtest_post(venv):
    """tox 3 is done with the commands of an environment."""
    safely(_runtest_post, venv)


def _runtest_post(venv):
    steps = _steps3(venv)
    wheelfarm_pth.leave(venv.envconfig.get_envsitepackagesdir())
    steps.commands(_entries3(venv))
    steps.end("fail" if venv.status else "success", str(venv.status or ""))


@hook(optionalhook=True)
def tox_cleanup(session):
    """tox 3 ends: what is still open failed, and the status says why."""
    safely(_cleanup, session)


def _cleanup(session):
    for name, venv in getattr(session, "venv_dict", {}).items():
        _steps3(venv).end("fail", str(getattr(venv, "status", "")))


def _entries3(venv):
    ignore_outcome = venv.envconfig.ignore_outcome
    logged = venv.env_log.dict.get("test", [])
    entries = []
    for position, command in enumerate(logged):
        code = command.get("retcode")
        text = command.get("command") or ""
        text = " ".join(text) if isinstance(text, (list, tuple)) else str(text)
        failed = str(code) != "0"
        last = position == len(logged) - 1
        ignored = ignore_outcome or not venv.status or not last
        entries.append(entry("commands[%d]" % position, text, int(code or 0), None, failed, ignored))
    return entries


def _watch_tox3():
    """What no hook tells is changed in its classes."""
    try:
        from tox.logs.command import CommandLog
    except ImportError:
        return
    if os.environ.get(STEPS):
        import wheelfarm_result

        wheelfarm_result.leave_output_out3(CommandLog)


_watch_tox3()
