"""pip of Python 2.7: installs by hash, without a network where it can."""

import hashlib
import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tox_wheelfarm.errors import HashMissingError, InstallFailedError, LockFileError, OfflineMissError
from tox_wheelfarm.locks.pin import Pin, PinnedFile
from tox_wheelfarm.uv import Offline

from .toy_index import source, wheel


@dataclass(frozen=True)
class Local:
    """A local project, as `resolution` has it."""

    path: Path
    extras: tuple[str, ...] = ()
    editable: bool = False


def project(path):
    """The folder of a local project, with an extra."""
    path.mkdir()
    (path / "setup.py").write_text(
        "from setuptools import setup\n"
        'setup(name="local", version="3.0", py_modules=["local"], install_requires=["six-toy>=1"],\n'
        '      extras_require={"more": ["extra-toy; python_version < \'3\'"]})\n'
    )
    (path / "local.py").write_text("here = __file__\n")
    return path


def seed(environment, name):
    """The wheel of a seed, packed again from an environment that has it."""
    site = environment / "lib/python2.7/site-packages"
    (info,) = site.glob(f"{name}-*.dist-info")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for line in (info / "RECORD").read_text().splitlines():
            path = line.split(",")[0]
            if (site / path).is_file() and not path.startswith(".."):
                archive.write(site / path, path)
    return f"{info.name.replace('.dist-info', '')}-py2.py3-none-any.whl", packed.getvalue()


def test_a_set_is_installed_by_hash(py27, index, pip_of, imported, tmp_path):
    """Pins with hashes end as exactly these releases in the environment, with their scripts."""
    index.add("toy", wheel("toy", "1.0"))
    index.add("toy", wheel("toy", "2.0"))
    index.add("other-toy", wheel("other-toy", "0.1", requires=["toy"]))
    pins = [index.pin("toy", "1.0", "toy-1.0-py2.py3-none-any.whl"), index.pin("other-toy", "0.1")]
    pip_of(py27).install(pins, (), (), tmp_path / "work")
    assert imported(py27, "toy", "toy.version") == "1.0"
    assert imported(py27, "other_toy", "other_toy.version") == "0.1"
    assert (py27 / "bin/toy").exists()


def test_a_second_environment_needs_no_network(py27, empty, index, pip_of, imported, tmp_path):
    """What was installed once by hash is installed again with the index dead, sources included."""
    index.add("toy", wheel("toy", "1.0"))
    index.add("built", source("built", "1.0"))
    pins = [index.pin("toy", "1.0"), index.pin("built", "1.0")]
    pip_of(py27).install(pins, (), (), tmp_path / "work")
    empty()
    index.stop()
    pip_of(py27).install(pins, (), (), tmp_path / "work")
    assert imported(py27, "toy", "toy.version") == imported(py27, "built", "built.version") == "1.0"


def test_uninstalling_takes_scripts_as_well(py27, index, pip_of, imported, tmp_path):
    """A release that is uninstalled is gone with its scripts, also where there is nothing else to take away."""
    index.add("toy", wheel("toy", "1.0"))
    pip_of(py27).install([index.pin("toy", "1.0")], (), (), tmp_path / "work")
    pip_of(py27).uninstall(["Toy", "never-was", "--yes"])
    assert imported(py27, "toy", "toy.version") is None
    assert not (py27 / "bin/toy").exists()


def test_never_offline_asks_the_index_again(py27, index, pip_of, tmp_path):
    """With offline = never even a kept file is asked for anew."""
    index.add("toy", wheel("toy", "1.0"))
    pip = pip_of(py27, offline=Offline.NEVER)
    pip.install([index.pin("toy", "1.0")], (), (), tmp_path / "work")
    asked = len(index.asked)
    pip.install([index.pin("toy", "1.0")], (), (), tmp_path / "work")
    assert len(index.asked) > asked


def test_offline_and_not_kept_is_a_miss(empty_27, index, pip_of, tmp_path):
    """With offline = always a file that was never had is a miss that names it, and the index is not asked."""
    index.add("toy", wheel("toy", "1.0"))
    pip = pip_of(empty_27, offline=Offline.ALWAYS)
    with pytest.raises(OfflineMissError, match=r"no file is kept for toy 1\.0"):
        pip.install([index.pin("toy", "1.0")], (), (), tmp_path / "work")
    assert index.asked == []


def test_a_file_with_another_hash_is_refused(empty_27, index, pip_of, imported, tmp_path):
    """A file whose bytes are not those of the pin is not installed, and not kept."""
    index.add("toy", wheel("toy", "1.0"))
    pin = index.pin("toy", "1.0")
    index.add("toy", wheel("toy", "1.0", body="evil = True\n"))
    pip = pip_of(empty_27)
    with pytest.raises(InstallFailedError, match="DO NOT MATCH THE HASHES"):
        pip.install([pin], (), (), tmp_path / "work")
    assert imported(empty_27, "toy", "1") is None
    assert [path for path in pip.house.folder.rglob("*") if path.is_file()] == []


def test_a_damaged_kept_file_is_had_anew(py27, empty, index, pip_of, imported, tmp_path):
    """A kept file that no longer has its hash is thrown away and downloaded again."""
    index.add("toy", wheel("toy", "1.0"))
    pip = pip_of(py27)
    pip.install([index.pin("toy", "1.0")], (), (), tmp_path / "work")
    empty()
    for path in pip.house.folder.rglob("*.whl"):
        path.write_bytes(b"damaged")
    pip.install([index.pin("toy", "1.0")], (), (), tmp_path / "work")
    assert imported(py27, "toy", "toy.version") == "1.0"


def test_the_wheel_of_the_right_abi_is_taken(py27, index, pip_of, imported, tmp_path):
    """Of wheels for both ABIs of 2.7 the interpreter gets its own, also when the other one is kept already."""
    names = [
        index.add("toy", wheel("toy", "1.0", tag=f"cp27-{abi}-linux_x86_64")) for abi in ("cp27m", "cp27mu")
    ]
    pip = pip_of(py27)
    own = next(tag.split("-")[1] for tag in pip.facts[1])
    for name in names:
        path = tmp_path / name
        path.write_bytes(index.files["toy"][name])
        if own not in name.split("-"):
            pip.house.keep(path)
    pip.install([index.pin("toy", "1.0")], (), (), tmp_path / "work")
    assert imported(py27, "toy", "toy.tag") == f"cp27-{own}-linux_x86_64"


def test_what_fits_no_2_7_is_told(empty_27, index, pip_of, tmp_path):
    """A pin whose only wheel is for another Python is refused with pip's words."""
    index.add("toy", wheel("toy", "1.0", tag="cp312-cp312-linux_x86_64"))
    with pytest.raises(InstallFailedError, match=r"toy==1\.0"):
        pip_of(empty_27).install([index.pin("toy", "1.0")], (), (), tmp_path / "work")


def test_hashed_and_unhashed_pins_in_one_order(py27, index, pip_of, imported, tmp_path):
    """Pins with and without hashes, a direct reference to a folder and a local project are installed together."""
    index.add("toy", wheel("toy", "1.0"))
    index.add("loose", wheel("loose", "2.0"))
    folder = project(tmp_path / "local project")
    pins = [index.pin("toy", "1.0"), Pin("loose", "2.0")]
    pip_of(py27).install(pins, [Local(folder, ("more",))], (), tmp_path / "work")
    assert imported(py27, "toy", "toy.version") == "1.0"
    assert imported(py27, "loose", "loose.version") == "2.0"
    assert str(py27) in imported(py27, "local", "local.here")


def test_a_folder_in_place(py27, empty, pip_of, imported, tmp_path):
    """An editable folder is imported from where it is, as a local project and as a pin."""
    folder = project(tmp_path / "here")
    pip_of(py27).install((), [Local(folder, editable=True)], (), tmp_path / "work")
    assert imported(py27, "local", "local.here").startswith(str(folder))
    empty()
    pin = Pin("local", "", reference=str(folder), editable=True)
    pip_of(py27).install([pin], (), (), tmp_path / "work")
    assert imported(py27, "local", "local.here").startswith(str(folder))


def test_a_direct_reference_by_hash(py27, empty, index, pip_of, imported, tmp_path):
    """A file at an address is installed by its hash, and again with the network dead."""
    name = index.add("toy", wheel("toy", "1.0"))
    address = index.url.replace("simple/", f"files/toy/{name}")
    pin = replace(index.pin("toy", "1.0"), reference=address)
    pip = pip_of(py27)
    pip.install([pin], (), (), tmp_path / "work")
    index.stop()
    empty()
    pip.install([pin], (), (), tmp_path / "work")
    assert imported(py27, "toy", "toy.version") == "1.0"


def test_constraints_bind_what_is_needed_for_building(py27, index, pip_of, imported, tmp_path):
    """A release that builds takes its build requirement in the version of the constraints file."""
    index.add("backend-toy", wheel("backend-toy", "1.0"))
    index.add("backend-toy", wheel("backend-toy", "2.0"))
    for name in ("setuptools", "wheel"):
        index.add(name, seed(py27, name))
    setup = (
        "from setuptools import setup\nimport backend_toy\n"
        f'open({str(tmp_path / "saw")!r}, "w").write(backend_toy.version)\n'
        'setup(name="built", version="1.0", py_modules=["built"])\n'
    )
    needs = '[build-system]\nrequires = ["setuptools", "wheel", "backend-toy"]\n'
    needs += 'build-backend = "setuptools.build_meta"\n'
    index.add("built", source("built", "1.0", more={"pyproject.toml": needs, "setup.py": setup}))
    constraints = tmp_path / "the constraints.txt"
    constraints.write_text("backend-toy===1.0\n")
    pip_of(py27).install([index.pin("built", "1.0")], (), [constraints], tmp_path / "work")
    assert (tmp_path / "saw").read_text() == "1.0"
    assert imported(py27, "built", "built.version") == "1.0"


@pytest.mark.parametrize(
    "pin",
    [
        Pin("toy --index-url=http://evil", "1.0"),
        Pin("toy", "1.0\n--index-url http://evil"),
        Pin("toy", "*"),
        Pin("toy", "", reference="https://example.org/x.whl --extra-index-url=http://evil"),
        Pin("toy", ""),
    ],
)
@pytest.mark.parametrize("hashes", [(), ("sha256:" + "0" * 64,)])
def test_a_hostile_pin_is_refused(empty_27, pip_of, tmp_path, pin, hashes):
    """A name, version or reference that holds more than that is refused before pip sees it."""
    pin = replace(pin, files=(PinnedFile("", hashes),))
    with pytest.raises(LockFileError, match="toy"):
        pip_of(empty_27).install([pin], (), (), tmp_path / "work")


def test_weak_hashes_are_no_hashes(empty_27, pip_of, tmp_path):
    """A pin that has only an MD5 hash is refused, and the message says so."""
    pin = Pin("toy", "1.0", (PinnedFile("", ("md5:" + "0" * 32,)),))
    with pytest.raises(HashMissingError, match=r"only md5"):
        pip_of(empty_27).install([pin], (), (), tmp_path / "work")


def test_pip_that_hangs_is_stopped(empty_27, index, pip_of, tmp_path):
    """A run that takes longer than its limit is ended with a sentence."""
    index.add("toy", source("toy", "1.0", more={"setup.py": "import time\ntime.sleep(60)\n"}))
    pip = pip_of(empty_27, seconds=3)
    with pytest.raises(InstallFailedError, match=r"pip download took longer than 3 s"):
        pip.install([index.pin("toy", "1.0")], (), (), tmp_path / "work")


def test_an_environment_without_pip_is_told(tmp_path, interpreter, index, pip_of):
    """Where the environment's pip was taken away, a sentence says so and what to do."""
    index.add("toy", wheel("toy", "1.0"))
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "env/bin/python").write_text(f'#!/bin/sh\nexec "{interpreter("2.7")}" -S "$@"\n')
    (tmp_path / "env/bin/python").chmod(0o755)
    with pytest.raises(InstallFailedError, match="has no pip of its own"):
        pip_of(tmp_path / "env").install([index.pin("toy", "1.0")], (), (), tmp_path / "work")


def test_several_kinds_of_hash(py27, empty, index, pip_of, imported, tmp_path):
    """A pin with a SHA-512 hash alone is installed by it, and again with the network dead."""
    name = index.add("toy", wheel("toy", "1.0"))
    digest = hashlib.sha512(index.files["toy"][name]).hexdigest()
    pin, pip = Pin("toy", "1.0", (PinnedFile(name, (f"sha512:{digest}",)),)), pip_of(py27)
    pip.install([pin], (), (), tmp_path / "work")
    index.stop()
    empty()
    pip.install([pin], (), (), tmp_path / "work")
    assert imported(py27, "toy", "toy.version") == "1.0"


def test_an_index_that_is_named_for_uv_holds_for_pip(empty_27, index, pip_of):
    """Indexes are named once: what uv is told of them, pip is told as well."""
    pip = replace(pip_of(empty_27), variables={"UV_DEFAULT_INDEX": f"toys={index.url}", "PIP_RETRIES": "0"})
    index.add("toy", wheel("toy", "1.0"))
    assert [(pin.name, pin.version) for pin in pip.resolve(["toy"], ())] == [("toy", "1.0")]
