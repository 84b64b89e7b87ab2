"""When an environment is kept, and when it is made anew."""

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from uv import find_uv_bin

STATE = ".tox-wheelfarm.json"


@pytest.fixture
def index(index):
    """Two packages, one with a script."""
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.release("tool", "1.0", scripts=("tool-script",))
    return index


@pytest.fixture
def made(bench):
    """A bench whose environment is there and good."""
    bench.ini("skip_install = true", "deps =", "  low", "  tool")
    bench.passes()
    return bench


def test_nothing_changed_means_nothing_is_done(made, index):
    """A further run asks no index, and touches neither the environment nor its state."""
    made.passes()  # may still seal its folders: right after an install it is too early
    born, state = made.born(), (made.env() / STATE).stat().st_mtime_ns
    index.asked.clear()
    made.passes()
    assert (made.born(), (made.env() / STATE).stat().st_mtime_ns, index.asked) == (born, state, [])


@pytest.mark.parametrize("name", ["pyvenv.cfg", "bin/activate", "bin/python", STATE])
def test_what_makes_an_environment_is_gone(made, name):
    """Without one of its own files an environment is made anew."""
    (made.env() / name).unlink()
    run = made.passes()
    assert "recreate env because" in run.said
    assert (made.env() / name).exists()
    assert run.packages() == ["low==2.0", "tool==1.0"]


def test_a_python_that_leads_elsewhere(made):
    """An interpreter that was put in the place of the environment's own is seen."""
    own = made.env() / "bin/python"
    before = own.resolve()
    own.unlink()
    own.symlink_to("/bin/true")
    assert "its python is another" in made.passes().said
    assert own.resolve() == before


def test_a_file_of_a_package_is_gone(made):
    """A package that lost a file is mended by a rebuild."""
    (made.site() / "low.py").unlink()
    assert "low.py of low is gone" in made.passes().said
    assert (made.site() / "low.py").exists()


def test_a_file_of_a_sealed_package_is_gone(made):
    """What goes after several runs that found everything in its place is seen as well."""
    for _ in range(2):
        made.passes()
    assert json.loads((made.env() / STATE).read_text("utf-8"))["folders"]
    (made.site() / "low.py").unlink()
    assert "low.py of low is gone" in made.passes().said


@pytest.mark.parametrize("sealed", [False, True])
def test_a_file_that_was_replaced_is_seen(made, sealed):
    """A file with other content is another, also after runs that found everything in its place."""
    for _ in range(2 * sealed):
        made.passes()
    (made.site() / "low.py").unlink()  # a link into the cache
    (made.site() / "low.py").write_text("half", "utf-8")
    assert "low.py of low has 4 bytes where " in made.passes().said
    assert (made.site() / "low.py").read_text("utf-8") != "half"


def test_what_a_command_changes_is_rebuilt_by_the_next_run(bench):
    """A command may patch what is installed, at once and in the verdict's own run; the next run begins anew."""
    code = "import low, os; os.unlink(low.__file__); open(low.__file__, 'w').write('patched = 1')"
    bench.ini("skip_install = true", "deps = low", f'commands = python -c "{code}"')
    bench.passes()
    assert "low.py of low has 11 bytes where " in bench.passes().said


def test_nothing_is_looked_at_where_nothing_runs(made):
    """With --notest files are not looked at; a run with commands does so first, and rebuilds what is damaged."""
    assert made.passes("--recreate", "--notest").packages() == ["low==2.0", "tool==1.0"]
    assert not json.loads((made.env() / STATE).read_text("utf-8"))["verified"]
    (made.site() / "low.py").unlink()
    assert "recreate" not in made.passes("--notest").said
    assert "low.py of low is gone" in made.passes().said
    assert json.loads((made.env() / STATE).read_text("utf-8"))["verified"]


def test_a_file_that_was_emptied_in_place_is_seen(made):
    """A file of a sealed package that is written in place is seen, and what uv's cache lost with it is told."""
    for _ in range(2):
        made.passes()
    assert json.loads((made.env() / STATE).read_text("utf-8"))["folders"]
    linked = (made.site() / "low.py").stat().st_nlink > 1
    os.truncate(made.site() / "low.py", 0)
    run = made.tox()
    assert "low.py of low has 0 bytes where " in run.said
    if linked:  # the same file is in uv's cache
        assert "what uv's cache has of it is damaged: run `uv cache clean low`" in made.fails().said
        made.program([find_uv_bin(), "cache", "clean", "low"])
    made.passes()
    assert (made.site() / "low.py").stat().st_size


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (r"(low.py,sha256=[^,]+),\d+", r"\1,7"),
        (r"(low.py),sha256=[^,]+,\d+", r"\1,,7"),
        (r"(RECORD),,", r"\1,,7"),
    ],
    ids=["a hash", "no hash", "RECORD itself"],
)
def test_a_wheel_that_tells_a_wrong_size_is_whole(bench, index, row, told):
    """Where a RECORD has another size and the right hash, or no hash at all, nothing is damaged."""
    index.release("low", "1.0")
    name, (body, yanked) = next(iter(index.files["low"].items()))
    fresh = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(body)) as old, zipfile.ZipFile(fresh, "w") as archive:
        for each in old.namelist():
            content = old.read(each).decode()
            if each.endswith("RECORD"):
                content, changed = re.subn(row, told, content)
                assert changed == 1
            archive.writestr(each, content)
    index.files["low"] = {name: (fresh.getvalue(), yanked)}
    bench.ini("skip_install = true", "deps = low")
    bench.passes()
    assert ",7\n" in next(bench.site().glob("low-*.dist-info/RECORD")).read_text("utf-8")
    assert "recreate" not in bench.passes().said


def test_a_file_that_two_packages_ship_is_whole(bench, index):
    """The last that was installed wins, and nothing is damaged; without it the other one is made anew."""
    for name in ("left", "right"):
        index.release(name, "1.0", shared={"both.py": f"# the file of {name}\n"}, scripts=("both-script",))
    bench.ini("skip_install = true", "deps =", "  left", "  right")
    bench.passes()
    born = bench.born()
    bench.passes()
    (bench.env() / STATE).write_text(
        (bench.env() / STATE).read_text("utf-8").replace('"folders"', '"unsealed"')
    )
    assert "recreate" not in bench.passes().said
    assert bench.born() == born
    bench.ini("skip_install = true", "deps = left")
    assert " of left is gone now" in bench.passes().said
    assert (bench.site() / "both.py").read_text("utf-8") == "# the file of left\n"
    (bench.site() / "both.py").unlink()
    (bench.site() / "both.py").write_text("another", "utf-8")
    assert "both.py of left has 7 bytes" in bench.passes().said


def test_what_python_compiles_breaks_nothing(made):
    """A folder in which Python wrote its own is looked at again, and the environment stays."""
    for _ in range(2):
        made.passes()
    born = made.born()
    (made.site() / "__pycache__").mkdir()
    (made.site() / "__pycache__/low.cpython-312.pyc").write_bytes(b"compiled")
    assert "recreate" not in made.passes().said
    assert made.born() == born


def test_a_stray_of_a_run_that_spares_it_is_seen_later(made):
    """What a run without pruning left in place goes with the next run that prunes."""
    made.passes()
    stray = made.site() / "stray-1.dist-info"
    stray.mkdir()
    (stray / "METADATA").write_text("Metadata-Version: 2.1\nName: stray\nVersion: 1\n")
    (stray / "RECORD").write_text("stray-1.dist-info/METADATA,,\nstray-1.dist-info/RECORD,,\n")
    made.passes("--no-prune")
    made.passes("--no-prune")
    assert stray.exists()
    made.passes()
    assert not stray.exists()


def test_metadata_is_gone(made):
    """A package without its metadata is mended by a rebuild."""
    next(made.site().glob("low-*.dist-info/METADATA")).unlink()
    assert "recreate env" in made.passes().said
    assert next(made.site().glob("low-*.dist-info/METADATA")).exists()


def test_an_environment_that_was_moved_is_made_anew(made, tmp_path):
    """Scripts name the folder they were made in, so a moved environment is no good."""
    made.root.rename(tmp_path / "elsewhere")
    made.root = tmp_path / "elsewhere"
    run = made.passes()
    assert "it was moved here from" in run.said
    assert str(made.root) in (made.env() / "bin/tool-script").read_text("utf-8")


def test_system_site_packages_was_toggled(made):
    """Whether the interpreter's own packages are seen is part of what an environment is."""
    made.ini("skip_install = true", "system_site_packages = true", "deps =", "  low", "  tool")
    assert "system_site_packages was False" in made.passes().said


def test_other_seeds_make_another_environment(made, index):
    """Pip in an environment that had none means that it is made anew."""
    index.release("pip", "99.0")
    made.ini("skip_install = true", "seed = pip", "deps = low")
    run = made.passes()
    assert "its seeds were none" in run.said
    assert run.packages() == ["low==2.0", "pip==99.0"]


@pytest.fixture
def interpreter(tmp_path):
    """A copy of an interpreter, which a test may replace."""
    base = Path(sys.base_prefix)
    real = Path(sys.executable).resolve()
    home = tmp_path / "interpreter"
    (home / "bin").mkdir(parents=True)
    copy = home / "bin" / real.name
    shutil.copy2(real, copy)
    (home / "lib").symlink_to(base / "lib")
    told = subprocess.run([copy, "-c", "import json"], capture_output=True, timeout=60, check=False)
    assert told.returncode == 0, told.stderr
    return copy


def test_the_same_version_built_anew_is_another_interpreter(bench, interpreter):
    """An interpreter whose bytes changed under the same version and path is seen."""
    bench.ini("skip_install = true", "deps = low", f"base_python = {interpreter}")
    bench.passes()
    born = bench.born()
    body = interpreter.read_bytes()
    interpreter.unlink()
    interpreter.write_bytes(body + b"\0rebuilt")
    interpreter.chmod(0o755)
    assert "was built anew" in bench.passes().said
    assert bench.born() != born


def test_a_touched_interpreter_is_the_same(bench, interpreter):
    """Another time on the same bytes rebuilds nothing."""
    bench.ini("skip_install = true", "deps = low", f"base_python = {interpreter}")
    bench.passes()
    born = bench.born()
    interpreter.touch()
    assert "recreate" not in bench.passes().said
    assert bench.born() == born


def test_an_upgrade_of_uv_or_virtualenv_changes_nothing(made):
    """Neither version is part of the state."""
    text = (made.env() / STATE).read_text("utf-8")
    held = json.dumps({**json.loads(text), "record": {}})
    assert [name for name in ("uv", "virtualenv") if version(name) in held] == []
    assert "uv" not in (made.env() / ".tox-info.json").read_text("utf-8")


def test_a_kill_in_the_middle_is_seen(made):
    """An environment whose change began and did not end is made anew."""
    born = made.born()
    (made.env() / STATE).unlink()
    (made.site() / "low.py").unlink()  # a link into the cache
    (made.site() / "low.py").write_text("half", "utf-8")
    run = made.passes()
    assert "half-made" in run.said
    assert made.born() != born
    assert (made.site() / "low.py").read_text("utf-8") != "half"


def test_a_run_that_is_killed_while_it_installs_is_seen(made, index):
    """After SIGKILL in the middle of an install the next run makes the environment anew."""
    index.release("late", "1.0")
    made.pylock(("low", "1.0"), ("late", "1.0"))
    made.ini("skip_install = true")
    index.gate.clear()
    command = [sys.executable, "-m", "tox"]
    with subprocess.Popen(
        command, cwd=made.root, env=made.environment(), stdout=subprocess.DEVNULL, start_new_session=True
    ) as run:
        end = time.monotonic() + 60
        # The state goes before the install; the index lets no file out.
        while (made.env() / STATE).exists() and time.monotonic() < end:
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
        run.wait(timeout=60)
    index.gate.set()
    assert not (made.env() / STATE).exists()
    said = made.passes()
    assert "half-made" in said.said
    assert said.packages() == ["late==1.0", "low==1.0"]


def test_a_state_that_is_nonsense_is_none(made):
    """A damaged state is no state, and no error."""
    (made.env() / STATE).write_text('{"format": 1, "interpreter": []}', "utf-8")
    assert "recreate env" in made.passes().said


def test_recreate_is_a_rebuild_with_a_whole_report(made):
    """`--recreate` makes it anew, and the report has the packages and the interpreter."""
    born = made.born()
    run = made.passes("--recreate")
    assert made.born() != born
    assert run.packages() == ["low==2.0", "tool==1.0"]
    assert run.environment()["python"]["executable"] == str(Path(sys.executable).resolve())


def test_a_rebuild_that_tox_was_told_of_has_a_whole_report(made):
    """A rebuild in the middle of a run leaves neither packages nor interpreter out of the report."""
    (made.env() / "pyvenv.cfg").unlink()
    run = made.passes()
    assert run.packages() == ["low==2.0", "tool==1.0"]
    assert run.environment()["python"]["implementation"] == "CPython"
    assert run.environment()["wheelfarm"]["files"][0]["file"] == "low-2.0-py3-none-any.whl"


def test_another_version_is_installed_in_place(made):
    """A changed requirement changes the package and not the environment."""
    born = made.born()
    made.ini("skip_install = true", "deps =", "  low<2", "  tool")
    assert made.passes().packages() == ["low==1.0", "tool==1.0"]
    assert made.born() == born


def test_an_environment_of_another_runner_is_made_anew(bench):
    """What tox's own runner made is not taken over."""
    bench.write("tox.ini", "[testenv:a]\nskip_install = true\ncommands = python -c pass\n")
    bench.passes("-e", "a", "--runner", "virtualenv")
    assert bench.passes("-e", "a", "--runner", "wheelfarm").packages() == []
