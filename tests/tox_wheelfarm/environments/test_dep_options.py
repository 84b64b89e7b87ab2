"""Options in `deps` and in the files that it names: each means what it means to pip, or is refused or told by name."""

import hashlib
import os
import re
import shutil

import pytest

WRONG = "sha256:" + "0" * 64


pytestmark = pytest.mark.usefixtures("toys")


def deps(bench, *lines, more=()):
    """Write tox.ini with these lines of deps."""
    bench.ini("skip_install = true", *more, "deps =", *(f"  {line}" for line in lines))


def listed(bench, *lines, name="r.txt"):
    """Write a requirements file and tox.ini that names it."""
    bench.write(name, "".join(f"{line}\n" for line in lines))
    deps(bench, f"-r {name}")


@pytest.mark.parametrize("where", ["deps", "file"])
def test_require_hashes_refuses_what_has_none(bench, where):
    """With --require-hashes all that deps bring must have a hash."""
    (deps if where == "deps" else listed)(bench, "--require-hashes", "low==1.0")
    said = bench.fails().said
    assert "HashMissingError: " in said
    assert "low 1.0 has none" in said


def test_one_hash_means_all(bench, index):
    """Where one line has a hash, another line and what is needed must have one; the project's own need none."""
    right = index.release("low", "2.0")
    needy = index.release("needy", "1.0", "low")
    listed(bench, f"needy==1.0 --hash={needy}")
    assert "low 2.0 has none" in bench.fails().said
    listed(bench, f"needy==1.0 --hash={needy}", f"low==2.0 --hash={right}")
    assert bench.passes().packages() == ["low==2.0", "needy==1.0"]
    index.release("other", "1.0")
    bench.project("other")
    bench.write("r.txt", f"low==2.0 --hash={right}\n")
    bench.ini("deps = -r r.txt")
    assert bench.passes().packages()[-2:] == ["low==2.0", "other==1.0"]


@pytest.mark.parametrize("form", ["file", "file URL", "named", "URL", "fragment", "constraint", "lock"])
def test_a_wrong_hash_is_refused_wherever_it_stands(bench, index, wheels, form):
    """Behind a file, a URL and a constraint a hash is held as behind a name."""
    file = wheels / "low-1.0-py3-none-any.whl"
    right, url = index.put(file.name, wheels), f"{index.url}/files/low/{file.name}"
    forms = {
        "file": "./wheels/low-1.0-py3-none-any.whl --hash={}",
        "file URL": f"{file.as_uri()} --hash={{}}",
        "named": f"low @ {url} --hash={{}}",
        "URL": f"{url} --hash={{}}",
        "fragment": f"low @ {file.as_uri()}#{{}}",
        "constraint": "low==1.0",
        "lock": "low==1.0 --hash={}",
    }

    def asked(digest):
        told = digest.replace(":", "=") if form == "fragment" else digest
        bench.write("c.txt", f"low==1.0 --hash={digest}\n")
        listed(bench, forms[form].format(told), *(["-c c.txt"] if form == "constraint" else []))
        if form == "lock":
            bench.pylock(("low", "1.0"), ("needy", "1.0"))

    asked(WRONG)
    assert "has a hash" in bench.fails().said
    asked(right)
    assert bench.passes().packages()[0].startswith("low")


def test_a_hash_in_a_url_of_tox_ini_is_held(bench, wheels):
    """What tox takes for a comment is none, where it says a hash or a name; a weak hash is refused."""
    uri = (wheels / "low-1.0-py3-none-any.whl").as_uri()
    deps(bench, f"low @ {uri}#{WRONG.replace(':', '=')}")
    assert "has a hash that deps allow" in bench.fails().said
    deps(bench, f"low @ {uri}#md5={'0' * 32}")
    assert "#md5= is not held here; write #sha256=" in bench.fails().said
    deps(bench, "low==1.0#and why")
    assert bench.passes().packages() == ["low==1.0"]


@pytest.mark.parametrize("word", ["-c", "-r"])
def test_a_url_is_held_against_its_hash_and_had_once(bench, index, word):
    """A hash behind the URL of a file is held; with it, or offline, the file is not asked for again."""
    text = b"low==1.0\n"
    index.files["told"] = {"f.txt": (text, False)}
    url, digest = f"{index.url}/files/told/f.txt", hashlib.sha256(text).hexdigest()
    deps(bench, f"{word} {url}#sha256={'0' * 64}", "low")
    assert "have the hash sha256=" in bench.fails().said
    deps(bench, f"{word} {url}#sha256={digest}", "low")
    assert bench.passes().packages() == ["low==1.0"]
    index.asked.clear()
    assert bench.passes().packages() == ["low==1.0"]
    assert index.asked == []
    deps(bench, f"{word} {url}", "low")
    bench.passes()
    index.dead = True
    assert "could not be fetched" in bench.fails().said
    assert bench.passes("--offline").packages() == ["low==1.0"]
    deps(bench, f"{word} {url}?other", "low")
    assert "OfflineMissError: " in bench.fails("--offline").said


def test_lines_of_the_same_name_for_other_pythons_keep_their_hashes(bench, index):
    """Of two lines with markers the one that holds here has its say, with its own hash."""
    right = index.release("low", "1.0")
    listed(
        bench,
        f"low==1.0 ; python_version >= '3' --hash={right}",
        f"low==2.0 ; python_version < '3' --hash={WRONG}",
    )
    assert bench.passes().packages() == ["low==1.0"]


def test_in_place_is_a_folder_or_nothing(bench, index):
    """`-e name` is the folder of that name, never a release; a folder with a marker, quoted or not, is one too."""
    index.release("app", "9.0")
    deps(bench, "-e app")
    assert "deps: '-e app': -e names no folder that is there" in bench.fails().said
    bench.project()
    (bench.root / "app").mkdir()
    for name in ("pyproject.toml", "backend.py", "app.py"):
        shutil.move(bench.root / name, bench.root / "app" / name)
    for line in ("-e app", "-e ./app ; python_version > '3'", f"-e app @ {(bench.root / 'app').as_uri()}"):
        deps(bench, line)
        (package,) = bench.passes().packages()
        assert package.startswith("-e "), line
    deps(bench, "-e app ; python_version < '3'")
    assert bench.passes().packages() == []


@pytest.mark.parametrize("line", ["./app", "-e ./app"])
def test_a_folder_is_installed_without_what_it_needs(bench, line):
    """--no-deps leaves out what the folder needs, and not the folder."""
    bench.root = bench.root / "app"
    bench.root.mkdir()
    bench.project("needy")
    bench.root = bench.root.parent
    deps(bench, "--no-deps", line)
    (package,) = bench.passes().packages()
    assert "app" in package


@pytest.mark.parametrize("package", ["wheel", "sdist", "editable"])
@pytest.mark.parametrize("line", [".[test]", "-e .[test]", "--no-deps\n  ."])
def test_the_project_itself_in_deps_brings_its_extras(bench, package, line):
    """What many write, `deps = .[test]`: the project is there once, as tox builds it, with what the extra needs."""
    bench.project("needy", extras={"test": ["low<2"]})
    bench.ini(f"package = {package}", f"deps =\n  {line}")
    run = bench.passes()
    assert "app" in run.packages()[0]
    assert run.packages()[1:] == ["low==1.0" if "[test]" in line else "low==2.0", "needy==1.0"]
    assert bench.passes().packages() == run.packages()


SPELLINGS = [
    "./lib[test];python_version>='3'",
    "./lib [test]",
    "-e ./lib\\ [test]",
    "file:lib[test]",
    "-rlist.txt",
    "--requirement=list.txt",
    "-r 'list.txt'  # ours",
    "-r file:list.txt",
    "${HERE}/lib[test]",
]


@pytest.mark.parametrize("line", SPELLINGS)
def test_what_tox_and_pip_read_is_read(bench, line):
    """Spellings of the same: markers and extras beside a path, files named in every way, continued lines."""
    bench.root = bench.root / "lib"
    bench.root.mkdir()
    bench.project(extras={"test": ["low<2"]})
    bench.root = bench.root.parent
    bench.write(
        "list.txt", "\ufeff./lib[test] \\\r\n  ;python_version>='3'\r\n# no more\r\nlow==\\\r\n1.0 \\"
    )
    deps(bench, line, more=(f"set_env = HERE={bench.root}",))
    app, low = sorted(bench.passes().packages(), key=lambda each: "low==" in each)
    assert "lib" in app
    assert low == "low==1.0"


def test_settings_reach_the_build(bench):
    """--config-settings are told to the build of that line, and another value builds it anew."""
    bench.root = bench.root / "app"
    bench.root.mkdir()
    bench.project()
    backend = bench.root / "backend.py"
    text = backend.read_text("utf-8").replace(
        "    return _wheel(wheel_directory, False)",
        "    open('app.py', 'w').write(f'SAID = {config_settings!r}')\n    return _wheel(wheel_directory, False)",
    )
    backend.write_text(text, "utf-8")
    bench.root = bench.root.parent
    for value in ("one", "two"):
        listed(bench, f"./app --config-settings key={value}")
        bench.passes()
        (module,) = bench.env().glob("lib/*/site-packages/app.py")
        assert module.read_text("utf-8") == f"SAID = {{'key': '{value}'}}"
    listed(bench, "./app --global-option=x")
    assert "'--global-option' is not understood behind a requirement" in bench.fails().said


def test_what_has_no_meaning_is_told(bench):
    """--prefer-binary and an editable repository are told by name; what nobody knows is refused."""
    deps(bench, "--prefer-binary", "low==1.0")
    assert "--prefer-binary means nothing here" in bench.passes().said
    for line in (
        "-c https://[bad",
        "-r https://[bad",
        "-r ftp://there/r.txt",
        "--no-binary ${MANY}",
        "--no-binary a/b",
    ):
        bench.write("r.txt", f"{line}\nlow\n")
        deps(bench, "-r r.txt", more=("set_env = MANY=low --pre",))
        assert re.search(r"nowhere|scheme|needs names", bench.fails().said), line
    os.mkfifo(bench.root / "low-1.0-py3-none-any.whl")
    deps(bench, "./low-1.0-py3-none-any.whl")
    assert "is no regular file" in bench.fails().said
    bench.write("r.txt", "--unheard-of\nlow\n")
    deps(bench, "-r r.txt")
    assert "r.txt line 1: '--unheard-of' is not understood here" in bench.fails().said
    bench.write("c.txt", "--no-index\nlow==1.0\n")
    bench.ini("skip_install = true", "constraints = c.txt", "deps = low")
    assert "c.txt line 1: --no-index means nothing in constraints; write it in deps" in bench.passes().said
    bench.variables["PIP_REQUIRE_HASHES"] = "1"
    assert "PIP_REQUIRE_HASHES means nothing" in bench.passes().said


def test_files_that_name_one_another_are_read_once(bench):
    """A circle of -r is no error; a file that is not there is, by its name and who names it."""
    bench.write("sub/b.txt", "-r ../a.txt\nlow==1.0\n")
    bench.write("a.txt", "-r sub/b.txt\n")
    deps(bench, "-r a.txt")
    assert bench.passes().packages() == ["low==1.0"]
    bench.write("a.txt", "-r nowhere.txt\n")
    assert "the requirements nowhere.txt (named by a.txt line 1) cannot be read" in bench.fails().said
    os.mkfifo(bench.root / "pipe")
    bench.write("a.txt", "-r pipe\n")
    assert "it is no regular file" in bench.fails().said
    (bench.root / "a.txt").write_bytes("low".encode("utf-16"))
    assert (
        "InstallFailedError: a.txt is UTF-16 (as some shells write it); save it as UTF-8"
        in bench.fails().said
    )
    bench.write("a.txt", "-c sub/c.txt\nlow>=2\n")
    bench.write("sub/c.txt", "# ours\nlow==1.0\n")
    assert "`low==1.0` (sub/c.txt line 2)" in bench.fails().said


def test_a_variable_in_a_file_is_filled_in(bench):
    """As pip does; it never becomes an option."""
    bench.write("r.txt", "low==${WANTED}\n")
    deps(bench, "-r r.txt", more=("set_env = WANTED=1.0",))
    assert bench.passes().packages() == ["low==1.0"]
    deps(bench, "-r r.txt", more=("set_env = WANTED=1.0 --hash=" + WRONG,))
    assert "r.txt line 1: it is no requirement" in bench.fails().said


def test_an_index_of_set_env_and_one_of_deps(bench, index):
    """--extra-index-url is asked beside the index of the environment, `-i` instead of all."""
    bench.variables.pop("UV_DEFAULT_INDEX", None)
    index.release("mine", "1.0")
    other = f"{index.url}/none/"
    own = (f"set_env = PIP_INDEX_URL={index.simple}",)
    deps(bench, f"--extra-index-url {other}", "mine", more=own)
    assert bench.passes().packages() == ["mine==1.0"]
    assert "/none/mine/" in index.asked
    deps(
        bench, f"-i {index.simple}", "mine", more=(f"set_env =\n  PIP_INDEX_URL={other}\n  UV_INDEX={other}",)
    )
    index.asked.clear()
    assert bench.passes("--recreate").packages() == ["mine==1.0"]
    assert not [path for path in index.asked if path.startswith("/none/")]


def test_what_a_cache_knows_does_not_decide_between_indexes(bench, index):
    """A release that two indexes have is had from the first, whichever a cache knows."""
    from .toy_index import wheel

    deps(bench, "low==1.0")
    bench.passes()
    body = wheel("low", "1.0", code="VERSION = 'other'\n")
    index.files["extra/low"] = index.files.pop("extra/low", {})
    folder = bench.root / "extra"
    folder.mkdir()
    (folder / "low-1.0-py3-none-any.whl").write_bytes(body)
    deps(bench, "--no-index", f"-f {folder}", "low==1.0")
    (origin,) = bench.passes().environment()["wheelfarm"]["files"]
    assert origin["hash"] == f"sha256:{hashlib.sha256(body).hexdigest()}"
    (module,) = bench.env().glob("lib/*/site-packages/low.py")
    assert "other" in module.read_text("utf-8")


@pytest.mark.parametrize("value", ["0", "false"])
def test_a_variable_that_is_off_is_off(bench, value):
    """PIP_NO_INDEX=0 leaves the index on."""
    deps(bench, "low==1.0", more=(f"set_env = PIP_NO_INDEX={value}",))
    assert bench.passes().packages() == ["low==1.0"]
