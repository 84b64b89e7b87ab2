"""Environments of interpreters that today's tools no longer make."""

import subprocess

import pytest

from tox_wheelfarm.errors import InterpreterError, OfflineMissError
from tox_wheelfarm.old_python import family, identify, make, seeds
from tox_wheelfarm.uv import Offline, Uv

ASK = "import sys; print('%d.%d %s' % (sys.version_info[0], sys.version_info[1], sys.prefix))"


@pytest.mark.parametrize(
    ("version", "implementation", "expected"),
    [
        ((2, 7, 18), "CPython", "pip"),
        ((2, 7, 13), "PyPy", "pip"),
        ((3, 6), "cpython", "uv"),
        ((3, 6), "PyPy", "uv"),
        ((3, 14), "CPython", "uv"),
        ((3, 12), "GraalVM", "uv"),
    ],
)
def test_a_family_is_by_version(version, implementation, expected):
    """2.7 is left to pip and virtualenv, everything from 3.6 on to uv, PyPy like CPython."""
    assert family(version, implementation) == expected


@pytest.mark.parametrize(
    ("version", "implementation"), [((2, 6), "CPython"), ((3, 5, 10), "CPython"), ((2, 7), "Jython")]
)
def test_what_no_tool_makes_is_refused(version, implementation):
    """An interpreter that no tool at hand makes environments of is refused by name."""
    with pytest.raises(InterpreterError, match=rf"{implementation} {version[0]}.{version[1]} cannot be used"):
        family(version, implementation)


@pytest.mark.parametrize("version", ["2.7", "3.6", "3.7", "3.8", "3.9"])
def test_an_environment_runs_its_own_interpreter(interpreter, tmp_path, version):
    """An environment of each old Python runs that Python from its own prefix, in a folder with spaces too."""
    path = tmp_path / "an environment"
    make(path, interpreter(version), Uv(), system_site_packages=False)
    command = [str(path / "bin/python"), "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"{version} {path}\n"
    assert "include-system-site-packages = false" in (path / "pyvenv.cfg").read_text()


@pytest.mark.parametrize("version", ["2.7", "3.6"])
def test_system_site_packages_can_be_seen(interpreter, tmp_path, version):
    """With system_site_packages an environment sees what is installed beside its interpreter."""
    path = tmp_path / "env"
    make(path, interpreter(version), Uv(), system_site_packages=True)
    assert "include-system-site-packages = true" in (path / "pyvenv.cfg").read_text()


def test_2_7_has_the_last_pip_that_runs_there(empty_27):
    """An environment of 2.7 has pip 20.3.4, whatever a person's virtualenv would seed."""
    command = [str(empty_27 / "bin/pip"), "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("pip 20.3.4 ")


@pytest.mark.parametrize("version", ["3.6", "3.7", "3.8"])
def test_the_seeds_of_old_pythons_are_the_last_that_run_there(interpreter, tmp_path, version):
    """The exact seeds of 3.6, 3.7 and 3.8 install there and their pip runs."""
    path, info = tmp_path / "env", identify(interpreter(version)).version_info
    make(path, interpreter(version), Uv(), system_site_packages=False)
    wanted = seeds(info, ("pip", "setuptools", "wheel"))
    Uv().run(["pip", "install", "--python", str(path / "bin/python"), "--no-deps", *wanted], cwd=tmp_path)
    command = [str(path / "bin/python"), "-m", "pip", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert f"pip {wanted[0].partition('==')[2]} " in done.stdout


def test_the_seeds_of_newer_pythons_are_not_pinned():
    """From 3.9 on the newest seeds are right."""
    assert seeds((3, 9, 18), ("pip", "wheel")) == ("pip", "wheel")


def test_virtualenv_settings_of_a_person_take_no_part(interpreter, tmp_path, monkeypatch):
    """Variables of virtualenv and of Python that a person has set change nothing about an environment of 2.7."""
    monkeypatch.setenv("VIRTUALENV_NO_SEED", "1")
    monkeypatch.setenv("VIRTUALENV_SYSTEM_SITE_PACKAGES", "1")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    path = tmp_path / "env"
    make(path, interpreter("2.7"), Uv(), system_site_packages=False)
    assert (path / "bin/pip").exists()
    assert "include-system-site-packages = false" in (path / "pyvenv.cfg").read_text()


def test_2_7_without_network_and_cache_says_so(interpreter, tmp_path):
    """Offline and with an empty cache, an environment of 2.7 is an offline miss that names virtualenv."""
    uv = Uv(offline=Offline.ALWAYS, variables={"UV_CACHE_DIR": str(tmp_path / "cache")})
    with pytest.raises(OfflineMissError, match="virtualenv"):
        make(tmp_path / "env", interpreter("2.7"), uv, system_site_packages=False)


def test_2_7_offline_from_the_cache(empty_27, interpreter, tmp_path):
    """Once it was made, an environment of 2.7 is made again with no network at all."""
    assert empty_27.exists()
    make(tmp_path / "env", interpreter("2.7"), Uv(offline=Offline.ALWAYS), system_site_packages=False)
    assert (tmp_path / "env/bin/pip").exists()


@pytest.mark.parametrize("kind", ["absent", "folder", "silent", "other"])
def test_what_is_no_interpreter_is_told_in_a_sentence(tmp_path, kind):
    """A path that is no interpreter that works is an error of one sentence which names it."""
    path = tmp_path / "python"
    if kind == "folder":
        path.mkdir()
    elif kind != "absent":
        path.write_text(
            "#!/bin/sh\n" + ("exit 0\n" if kind == "silent" else "echo 'no, thanks' >&2; exit 3\n")
        )
        path.chmod(0o755)
    with pytest.raises(InterpreterError, match=str(path)):
        identify(path)
