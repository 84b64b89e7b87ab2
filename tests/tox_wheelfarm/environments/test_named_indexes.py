"""Indexes that a project's `tool.uv` names and that want a login: uv's variables are enough, and nothing keeps it."""

import pytest

from .toy_index import serving

PASSWORD = "swordfish"
PRIVATE = "[[tool.uv.index]]\nname = 'my-own'\nurl = '{url}'\nexplicit = true\n"
SOURCE = "[tool.uv.sources]\nloc = {index = 'my-own'}\n"


@pytest.fixture
def index(index):
    """A stranger of the same name, and what the private one needs."""
    index.release("loc", "99")
    index.release("low", "1.0")
    return index


@pytest.fixture
def private():
    """An index that wants a login."""
    with serving() as toy:
        toy.release("loc", "5.0", "low")
        toy.release("low", "77")  # of the same name, and never meant
        toy.login = f"joe:{PASSWORD}"
        yield toy


@pytest.fixture
def bench(bench, private):
    """A project with a release from there."""
    bench.project("loc")
    path = bench.root / "pyproject.toml"
    path.write_text(path.read_text("utf-8") + SOURCE + PRIVATE.format(url=private.simple), "utf-8")
    bench.variables["UV_INDEX_MY_OWN_USERNAME"] = "joe"
    bench.variables["UV_INDEX_MY_OWN_PASSWORD"] = PASSWORD
    return bench


def written(bench):
    """The files of ours, of the environment and of uv that have the password in them."""
    places = [bench.root / ".tox", bench.cache]
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return [path for path in files if PASSWORD.encode() in path.read_bytes()]


@pytest.mark.parametrize("installer", ["latest", "lowest"])
def test_a_login_counts_where_the_file_is_fetched(bench, installer):
    """Without a lock file: the release comes from its index, what it needs from the other one."""
    bench.ini("package = deps-only", f"installer = {installer}")
    for flags in ((), ("--recreate",), ()):
        files = bench.passes(*flags).environment()["wheelfarm"]["files"]
        assert {(each["name"], each["version"]) for each in files} == {("loc", "5.0"), ("low", "1.0")}
    assert written(bench) == []


def test_a_login_counts_with_a_lock_file(bench):
    """A uv.lock has the index in it and no login: the same variables give it, though no other index is told."""
    bench.lock()
    path = bench.root / "uv.lock"
    assert PASSWORD not in path.read_text("utf-8")
    del bench.variables["UV_DEFAULT_INDEX"]
    bench.ini("package = deps-only")
    bench.passes()
    (version,) = (path.name for path in bench.site().glob("loc-*.dist-info"))
    assert version == "loc-5.0.dist-info"
    assert written(bench) == []


def test_a_password_in_the_url_counts_and_stays_there(bench, private):
    """Some write it into pyproject.toml; it gets no further."""
    path = bench.root / "pyproject.toml"
    url = private.simple.replace("//", f"//joe:{PASSWORD}@")
    path.write_text(path.read_text("utf-8").replace(private.simple, url), "utf-8")
    del bench.variables["UV_INDEX_MY_OWN_USERNAME"], bench.variables["UV_INDEX_MY_OWN_PASSWORD"]
    bench.ini("package = deps-only", "installer = latest")
    run = bench.passes()
    assert "loc" in [each["name"] for each in run.environment()["wheelfarm"]["files"]]
    assert PASSWORD not in str(run.report)
    assert written(bench) == []


def test_a_wrong_login_is_told_with_what_to_do(bench):
    """Not that a project with an invented name cannot be had."""
    bench.variables["UV_INDEX_MY_OWN_PASSWORD"] = "wrong"
    bench.ini("package = deps-only", "installer = latest")
    said = bench.fails().said
    assert "ResolutionError" in said
    assert "the project depends on loc" in said
    assert "loc is from the index 'my-own' alone" in said
    assert "UV_INDEX_MY_OWN_USERNAME and UV_INDEX_MY_OWN_PASSWORD" in said


@pytest.mark.parametrize(
    ("name", "text"), [("pyproject.toml", b"[broken"), ("pyproject.toml", b"# \xe9"), ("Pipfile", b"{{ x }}")]
)
def test_a_strangers_file_in_a_folder_above_is_nothing_to_us(bench, name, text):
    """Only what speaks of a workspace could mean this project."""
    (bench.root.parent / name).write_bytes(text)
    bench.ini("skip_install = true", "deps = low")
    assert bench.passes().packages() == ["low==1.0"]
