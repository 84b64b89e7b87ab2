"""Resolution for Python 2.7, inside its environment."""

import pytest

from tox_wheelfarm.errors import ConstraintsError, OfflineMissError, ResolutionError
from tox_wheelfarm.uv import Offline

from .test_pip_installs import Local, project
from .toy_index import source, wheel

pytestmark = pytest.mark.usefixtures("toys")


@pytest.fixture
def toys(index):
    """Releases that need each other, some only on some Pythons."""
    index.add("six-toy", wheel("six-toy", "1.0"))
    index.add("six-toy", wheel("six-toy", "1.5"))
    index.add("six-toy", wheel("six-toy", "2.0"))
    index.add("six-toy", wheel("six-toy", "2.1b1"))
    index.add("extra-toy", source("extra-toy", "0.9"))
    index.add("backport", wheel("backport", "4.0"))
    index.add("modern", wheel("modern", "5.0"))
    needs = ["six-toy<2", 'backport; python_version < "3"', 'modern; python_version >= "3"']
    index.add("top", wheel("top", "1.0", requires=needs))
    return index


def named(pins):
    """The pins as `name==version`."""
    return [f"{pin.name}=={pin.version}" for pin in pins]


def test_the_set_is_for_the_interpreter_inside(empty_27, toys, pip_of):
    """Markers are those of 2.7, and what a release needs takes part; each pin has its file and hash."""
    pins = pip_of(empty_27).resolve(["Top"], ())
    assert named(pins) == ["backport==4.0", "six-toy==1.5", "top==1.0"]
    assert [pin.files for pin in pins] == [toys.pin(p.name, p.version, p.files[0].name).files for p in pins]


def test_what_was_resolved_is_installed_without_network(py27, toys, pip_of, imported, tmp_path):
    """After a resolution the install needs no index, a source archive included."""
    pip = pip_of(py27)
    pins = pip.resolve(["top", "extra_toy"], ())
    toys.stop()
    pip.install(pins, (), (), tmp_path / "work")
    assert imported(py27, "top", "top.version") == "1.0"
    assert imported(py27, "extra_toy", "extra_toy.version") == "0.9"


def test_offline_resolves_from_what_is_kept(empty_27, toys, pip_of):
    """With offline = always the kept files are the index, and what is not among them is a miss."""
    pip_of(empty_27).resolve(["top"], ())
    asked = len(toys.asked)
    offline = pip_of(empty_27, offline=Offline.ALWAYS)
    assert named(offline.resolve(["top"], ())) == ["backport==4.0", "six-toy==1.5", "top==1.0"]
    with pytest.raises(OfflineMissError, match="modern"):
        offline.resolve(["modern"], ())
    assert len(toys.asked) == asked


def test_constraints_hold_for_everything(empty_27, pip_of, tmp_path):
    """A constraint decides what is needed indirectly, a line for another Python does not."""
    constraints = tmp_path / "upper constraints.txt"
    constraints.write_text('six-toy===1.0;python_version<"3"\nsix-toy===2.0;python_version>="3"\n# no more\n')
    pins = pip_of(empty_27).resolve(["top"], [constraints])
    assert named(pins) == ["backport==4.0", "six-toy==1.0", "top==1.0"]


def test_no_set_is_told_with_its_derivation(empty_27, pip_of):
    """Requirements that exclude each other are no set, and pip's derivation names both sides."""
    with pytest.raises(ResolutionError, match=r"(?s)six-toy>=2.*top 1.0 depends on six-toy<2"):
        pip_of(empty_27).resolve(["top", "six-toy>=2"], ())


def test_what_no_index_has_is_no_set(empty_27, toys, pip_of):
    """A name that the index does not have is told by name."""
    with pytest.raises(ResolutionError, match="absent-toy"):
        pip_of(empty_27).resolve(["absent-toy"], ())
    assert "/simple/absent-toy/" in toys.asked


@pytest.mark.parametrize("line", ["--index-url=http://evil", "-r other.txt", "toy ==", "./folder"])
def test_only_requirements_are_resolved(empty_27, pip_of, line):
    """An option, a file or a path among the requirements is refused."""
    with pytest.raises(ResolutionError, match="is not a requirement"):
        pip_of(empty_27).resolve([line], ())


def test_lowest_is_for_what_is_asked_for_directly(empty_27, toys, pip_of):
    """The lowest of what is named, within its bounds, and the newest of what that needs."""
    toys.add("needy", wheel("needy", "1.0", requires=["backport"]))
    toys.add("needy", wheel("needy", "2.0", requires=["backport"]))
    toys.add("backport", wheel("backport", "5.0"))
    pins = pip_of(empty_27).resolve(["needy", "six-toy>1.0"], (), lowest=True)
    assert named(pins) == ["backport==5.0", "needy==1.0", "six-toy==1.5"]


def test_lowest_within_constraints(empty_27, pip_of, tmp_path):
    """A constraint is a bound of the lowest as well, and one that leaves nothing is told."""
    constraints = tmp_path / "bounds.txt"
    constraints.write_text("six-toy>=1.5\n")
    assert named(pip_of(empty_27).resolve(["six_toy"], [constraints], lowest=True)) == ["six-toy==1.5"]
    both = r"`six-toy<1.5` \(tox.ini\) against `six-toy>=1.5` \(.*bounds.txt line 1\)\nno release of six-toy satisfies"
    with pytest.raises(ConstraintsError, match=both):
        pip_of(empty_27).resolve(["six-toy<1.5 # tox.ini"], [constraints], lowest=True)
    with pytest.raises(ResolutionError, match=r"no release of six-toy satisfies \S*>2"):
        pip_of(empty_27).resolve(["six-toy>2,<2.1b1"], [constraints], lowest=True)


def test_a_folder_takes_part_with_its_extras(empty_27, pip_of, tmp_path):
    """A local project's dependencies and extras are resolved, and it is no part of the set itself."""
    folder = Local(project(tmp_path / "a project"), ("more",))
    assert named(pip_of(empty_27).resolve((), (), folders=[folder])) == ["extra-toy==0.9", "six-toy==2.0"]
    lowest = pip_of(empty_27).resolve((), (), lowest=True, folders=[folder])
    assert named(lowest) == ["extra-toy==0.9", "six-toy==1.0"]


def test_pre_releases_by_choice(empty_27, pip_of):
    """A pre-release is taken only where that was asked for."""
    pip = pip_of(empty_27)
    assert named(pip.resolve(["six-toy"], ())) == ["six-toy==2.0"]
    assert named(pip.resolve(["six-toy"], (), options=["--pre"])) == ["six-toy==2.1b1"]


def test_a_direct_reference_keeps_its_address(empty_27, toys, pip_of):
    """A requirement with an address of its own is pinned to that address, with the hash of what was there."""
    address = toys.url.replace("simple/", "files/six-toy/six_toy-1.0-py2.py3-none-any.whl")
    (pin,) = pip_of(empty_27).resolve([f"six-toy @ {address}"], ())
    assert (pin.version, pin.reference) == ("1.0", address)
    assert pin.hashes == (toys.hash("six-toy", "six_toy-1.0-py2.py3-none-any.whl"),)
