"""What is asked for becomes one exact set, and the recorded set gives the same again."""

import json
import subprocess
import sys
import tomllib
from dataclasses import replace

import pytest
from packaging.pylock import Pylock

from tox_wheelfarm.errors import InstallFailedError, OfflineMissError, ResolutionError
from tox_wheelfarm.resolution import Folder, resolve
from tox_wheelfarm.uv import Offline


def versions(resolution):
    """Name and version of each pin."""
    return {pin.name: pin.version for pin in resolution.pins}


def test_latest_is_the_newest_final_release(index, uv, ask):
    """Without constraints the newest final releases are chosen, of what is asked for and of what that needs."""
    index.release("apple", "1.0")
    index.release("apple", "2.0", "pear")
    index.release("apple", "3.0rc1")
    index.release("pear", "1.5")
    assert versions(resolve(ask("Apple"), uv)) == {"apple": "2.0", "pear": "1.5"}


def test_prereleases_by_choice(index, uv, ask):
    """A pre-release is chosen where that is asked for."""
    index.release("apple", "2.0")
    index.release("apple", "3.0rc1")
    assert versions(resolve(ask("apple", prereleases=True), uv)) == {"apple": "3.0rc1"}


def test_lowest_is_lowest_for_what_is_asked_for_directly(index, uv, ask):
    """`lowest` takes the lowest version of a direct requirement and the newest of what that needs."""
    for version in ("1.0", "1.1", "2.0"):
        index.release("apple", version, "pear>=1")
        index.release("pear", version)
    assert versions(resolve(ask("apple>=1.1", lowest=True), uv)) == {"apple": "1.1", "pear": "2.0"}


def test_the_cut_off_hides_what_is_newer(index, uv, ask):
    """What was uploaded after the cut-off is not seen."""
    index.release("apple", "1.0", uploaded="2021-01-01T00:00:00Z")
    index.release("apple", "2.0", uploaded="2023-01-01T00:00:00Z")
    assert versions(resolve(ask("apple", cutoff="2022-01-01"), uv)) == {"apple": "1.0"}


def test_a_pin_has_every_file_with_its_hash(index, uv, ask):
    """A pin names its wheel and its sdist, where each is, and the hash of each."""
    index.release("apple", "1.0")
    index.source("apple", "1.0")
    (pin,) = resolve(ask("apple"), uv).pins
    assert {(file.name, file.hashes, file.url) for file in pin.files} == {
        (file.name, (f"sha256:{file.sha256}",), f"{index.url}/files/apple/{file.name}")
        for file in index.files["apple"]
    }


def test_extras_and_markers_of_a_folder(index, uv, ask, project):
    """`.[mysql]` brings what the extra needs, and a dependency for Python 2 is left out."""
    for name in ("apple", "pear", "plum"):
        index.release(name, "1.0")
    folder = project(dependencies=["apple", 'plum; python_version < "3"'], extras={"mysql": ["pear"]})
    plain = resolve(ask(folders=[folder]), uv)
    with_extra = resolve(ask(folders=[Folder(folder, ("mysql",), editable=True)]), uv)
    assert set(versions(plain)) == {"apple", "toyproject"}
    assert set(versions(with_extra)) == {"apple", "pear", "toyproject"}
    pin = with_extra.pins[-1]
    assert (pin.reference, pin.editable, pin.files) == (str(folder), True, ())


def test_a_folder_whose_name_has_a_space(index, uv, ask, project, tmp_path):
    """A project in a folder with spaces and percent signs in its name is resolved."""
    index.release("apple", "1.0")
    odd = project(dependencies=["apple"]).rename(tmp_path / "a b%20c")
    resolution = resolve(ask(folders=[odd]), uv)
    assert resolution.pins[-1].reference == str(odd)


def test_a_direct_reference(index, uv, ask):
    """A wheel by URL is a pin with that reference and its hash."""
    index.release("apple", "1.0")
    url = f"{index.url}/files/apple/{index.file('apple').name}"
    (pin,) = resolve(ask(f"apple @ {url}"), uv).pins
    assert (pin.version, pin.reference, pin.hashes) == ("1.0", url, (f"sha256:{index.file('apple').sha256}",))


def test_a_repository(uv, ask, project):
    """A repository is a pin at the commit that its branch was at."""
    folder = project()

    def git(*words):
        told = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=trunk"]
        command = ["git", *told, *words]
        return subprocess.run(
            command, cwd=folder, check=True, capture_output=True, text=True, timeout=60
        ).stdout

    git("init")
    git("add", ".")
    git("commit", "-m", "x")
    (pin,) = resolve(ask(f"toyproject @ git+{folder.as_uri()}@trunk"), uv).pins
    assert pin.reference == f"git+{folder.as_uri()}@{git('rev-parse', 'HEAD').strip()}"
    assert pin.files == ()


def test_the_record_is_a_lock_that_gives_the_same_set(index, uv, ask, tmp_path):
    """The text is a valid pylock.toml, and an environment made from it has exactly that set, also years later."""
    index.release("apple", "1.0", "pear")
    index.release("pear", "1.0")
    resolution = resolve(ask("apple"), uv)
    index.release("pear", "2.0")
    assert {package.name for package in Pylock.from_dict(tomllib.loads(resolution.pylock)).packages} == {
        "apple",
        "pear",
    }
    (tmp_path / "pylock.toml").write_text(resolution.pylock)
    uv.run(["venv", "--python", sys.executable, "again"], cwd=tmp_path, network=False)
    uv.run(["pip", "sync", "--python", "again", "pylock.toml"], cwd=tmp_path)
    listed = uv.run(["pip", "list", "--format", "json", "--python", "again"], cwd=tmp_path, network=False)
    assert {each["name"]: each["version"] for each in json.loads(listed)} == versions(resolution)


def test_no_set_has_the_derivation(index, uv, ask):
    """Where no set exists the error has the resolver's derivation, without its frame."""
    index.release("apple", "1.0", "pear<1")
    index.release("pear", "1.0")
    with pytest.raises(ResolutionError, match="of apple depend on pear<1") as raised:
        resolve(ask("apple==1.0"), uv)
    assert "cause:" not in str(raised.value)
    assert "exit code" not in str(raised.value)


def test_another_failure_of_uv_is_told_as_such(index, uv, ask):
    """A build that fails is no missing set."""
    index.source("apple", "1.0", backend="nowhere")
    with pytest.raises(InstallFailedError, match="nowhere"):
        resolve(ask("apple"), uv)


def test_an_option_is_not_a_requirement(uv, ask):
    """What looks like an option of uv is refused."""
    with pytest.raises(ResolutionError, match="is not a requirement"):
        resolve(ask("--index-url http://127.0.0.1:1/"), uv)


def test_formats_are_chosen(index, uv, ask):
    """`--only-binary` and `--no-binary` lines choose among the releases."""
    index.release("apple", "1.0")
    index.source("apple", "2.0")
    assert versions(resolve(ask("apple", "--only-binary :all:"), uv)) == {"apple": "1.0"}
    assert versions(resolve(ask("apple", "--no-binary apple"), uv)) == {"apple": "2.0"}


def test_exact_and_cached_asks_nobody(index, uv, ask, constrain):
    """A set that the constraints name exactly, and whose data are cached, is resolved without a single request."""
    index.release("apple", "1.0", "pear")
    index.release("pear", "1.0")
    question = ask("apple", constraints=(constrain("apple===1.0\npear==1.0\n"),))
    first = resolve(question, uv)
    index.asked.clear()
    again = resolve(question, uv)
    assert (index.asked, again.asked, again.pins) == ([], False, first.pins)


def test_what_is_not_exact_is_asked_for_each_time(index, uv, ask, constrain):
    """Where one release of the set is not named with its version the index is asked, so that newest is newest."""
    index.release("apple", "1.0", "pear")
    index.release("pear", "1.0")
    question = ask("apple", constraints=(constrain("apple===1.0\n"),))
    resolve(question, replace(uv, variables={**uv.variables, "UV_HTTP_TIMEOUT": "5"}))
    index.release("pear", "2.0")
    index.asked.clear()
    again = resolve(question, uv)
    assert again.asked
    assert index.asked


def test_offline_always_never_asks(index, uv, ask):
    """`offline = always` without a cache is an error that says so, and nobody was asked."""
    index.release("apple", "1.0")
    with pytest.raises(OfflineMissError):
        resolve(ask("apple"), replace(uv, offline=Offline.ALWAYS))
    assert index.asked == []


def test_a_withdrawn_release_is_marked_offline_too(index, uv, ask):
    """A withdrawn release that is named exactly is marked with its reason, from the cache as well."""
    index.release("apple", "1.0", yanked='it "broke"')
    index.release("apple", "2.0", yanked=True)
    (online,) = resolve(ask("apple==1.0"), uv).pins
    (cached,) = resolve(ask("apple==1.0"), replace(uv, offline=Offline.ALWAYS)).pins
    (silent,) = resolve(ask("apple==2.0"), uv).pins
    assert (online.yanked, cached.yanked, silent.yanked) == ('it "broke"', 'it "broke"', "")


def test_an_older_interpreter_gets_what_it_can_use(index, uv, ask, old_python):
    """The set is for the interpreter that is named, not for the one that runs."""
    index.release("apple", "1.0", "pear; python_version < '3.9'")
    index.release("pear", "1.0")
    assert set(versions(resolve(replace(ask("apple"), python=old_python), uv))) == {"apple", "pear"}


def test_what_a_folder_of_wheels_lacks_is_asked_of_the_index(index, uv, tmp_path):
    """An older release at hand without the network is no proof that there is none that fits."""
    index.release("apple", "1.0")
    (old,) = index.files["apple"]
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / old.name).write_bytes(old.body)
    index.release("apple", "2.0")
    asking = replace(uv, variables={**uv.variables, "UV_FIND_LINKS": str(tmp_path / "wheels")})
    (tmp_path / "wanted.txt").write_text("apple>=2\n", "utf-8")
    assert "apple==2.0" in asking.run(["pip", "compile", "wanted.txt"], cwd=tmp_path)
