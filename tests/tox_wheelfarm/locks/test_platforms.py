"""Targets by name take the wheels that their platforms take."""

import pytest
from packaging.utils import parse_wheel_filename

from tox_wheelfarm.locks import platforms, tags
from tox_wheelfarm.locks.pin import PinnedFile
from tox_wheelfarm.locks.selection import best

WHEELS = {
    "numpy-2.0.2-cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64.whl": ("linux",),
    "numpy-2.0.2-cp312-cp312-musllinux_1_1_x86_64.whl": ("alpine",),
    "numpy-2.0.2-cp312-cp312-manylinux_2_17_aarch64.whl": ("linux-arm",),
    "numpy-2.0.2-cp312-cp312-win_amd64.whl": ("windows",),
    "numpy-2.0.2-cp312-cp312-macosx_11_0_arm64.whl": ("macos",),
    "numpy-2.0.2-cp312-cp312-macosx_10_9_universal2.whl": ("macos", "macos-intel"),
    "numpy-2.0.2-cp313-cp313-win_amd64.whl": (),
    "numpy-2.0.2-py2.py3-none-any.whl": tuple(platforms.SYSTEMS),
    "cryptography-45-cp39-abi3-win_amd64.whl": ("windows",),
}


@pytest.mark.parametrize("name", WHEELS)
def test_a_wheel_fits_where_its_tags_say(name):
    """Of all platforms CPython 3.12 takes a wheel exactly where it was built for."""
    fitting = parse_wheel_filename(name)[3]
    found = {system for system in platforms.SYSTEMS if fitting & set(platforms.target("3.12", system).tags)}
    assert found == set(WHEELS[name])


def test_a_free_threaded_build_takes_no_wheel_of_the_stable_abi():
    """CPython 3.13t takes cp313t wheels and pure ones, but neither abi3 nor cp313 ones."""
    there = {str(tag) for tag in platforms.target("3.13", free_threaded=True).tags}
    assert "cp313-cp313t-manylinux_2_28_x86_64" in there
    assert "py3-none-any" in there
    assert not any("-abi3-" in tag or "-cp313-" in tag for tag in there)


def test_pypy_takes_its_own_wheels():
    """PyPy 3.10 takes pp310 wheels of PyPy 7.3 and pure ones, but none of CPython."""
    target = platforms.target("3.10", implementation="pypy")
    there = [str(tag) for tag in target.tags]
    assert "pp310-pypy310_pp73-manylinux_2_17_x86_64" in there
    assert not any(tag.startswith("cp") for tag in there)
    assert target.environment["platform_python_implementation"] == "PyPy"


@pytest.mark.parametrize(
    ("suffix", "implementation", "wanted"),
    [
        (".pypy39-pp73-x86_64-linux-gnu.so", "pypy", "pp39-pypy39_pp73-linux_x86_64"),
        (".graalpy240-39-native-x86_64-linux.so", "graalpy", "graalpy39-graalpy240_39_native-linux_x86_64"),
    ],
)
def test_another_implementation_is_known_by_its_modules(suffix, implementation, wanted):
    """What is not CPython has the ABI that the names of its extension modules tell."""
    build = tags.Build(implementation, (3, 9), suffix=suffix)
    assert str(next(iter(tags.of(build, ["linux_x86_64"])))) == wanted


def test_a_narrow_build_on_a_wide_kernel_is_another_machine():
    """A 32-bit interpreter on x86_64 takes i686 wheels, down to manylinux1."""
    there = tags.linux("linux-x86_64", 32, "glibc 2.17")
    assert there[0] == "linux_i686"
    assert there[-1] == "manylinux1_i686"


def test_the_best_wheel_is_taken_and_else_the_source():
    """Of several files it is the most specific wheel; the source where no wheel fits; nothing where there is none."""
    names = [
        "x-1.0.tar.gz",
        "x-1.0-py3-none-any.whl",
        "x-1.0-cp312-cp312-win_amd64.whl",
        "x-1.0-cp312-cp312-manylinux_2_17_x86_64.whl",
    ]
    offered = [PinnedFile(name, ()) for name in names]
    target = platforms.target("3.12")
    assert best(offered, target).name == names[3]
    assert best(offered[:1] + offered[2:3], target).name == names[0]
    assert best(offered[2:3], target) is None


def test_an_unknown_libc_leaves_only_what_was_built_here():
    """Without a known libc no manylinux or musllinux wheel is taken."""
    assert tags.linux("linux-x86_64", 64, "") == ["linux_x86_64"]
