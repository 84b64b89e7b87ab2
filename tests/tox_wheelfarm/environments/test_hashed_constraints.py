"""Constraints with a hash, from every file in which tox's settings may stand: what was changed is never used."""

import hashlib

import pytest

TEXT = b"low===1.0\n"
RIGHT, WRONG = hashlib.sha256(TEXT).hexdigest(), "0" * 64
FORMS = ["{place}#sha256={digest}", r"{place}\#sha256={digest}", "{place} --hash=sha256:{digest}"]


@pytest.fixture
def index(index):
    """A package, and a document of constraints beside the packages."""
    index.release("low", "1.0")
    index.release("low", "2.0")
    index.files["bounds"] = {"c.txt": (TEXT, False)}
    return index


@pytest.fixture(params=["URL", "file"])
def place(request, bench, index):
    """Where the constraints are."""
    bench.write("c.txt", TEXT.decode())
    return f"{index.url}/files/bounds/c.txt" if request.param == "URL" else "c.txt"


def held(bench):
    """Hold that the wrong hash is refused and the right one is not: `write(digest)` has put either where it belongs."""

    def both(write):
        write(WRONG)
        said = bench.fails().said
        assert f"have the hash sha256={RIGHT}, not sha256={WRONG}" in said
        assert "a: failed with ConstraintsError: " in said
        write(RIGHT)
        assert bench.passes().packages() == ["low==1.0"]

    return both


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("begin", ["constraints = ", "constraints =\n  "])
def test_a_hash_in_tox_ini_is_held(bench, place, form, begin):
    """In the setting's own line and below it, in each form, the hash of a constraints file is held against it."""
    held(bench)(
        lambda digest: bench.ini(
            "skip_install = true", "deps = low", begin + form.format(place=place, digest=digest)
        )
    )


def test_a_hash_in_another_section_is_held(bench, place):
    """What the setting takes from another section, for some environments, through factors, keeps its hash."""

    def write(digest):
        bench.ini("skip_install = true", "deps = low", "constraints = {[base]bounds}")
        text = (bench.root / "tox.ini").read_text("utf-8")
        bench.write(
            "tox.ini", f"{text}[base]\nbounds =\n  a: {place}#sha256={digest}  # ours\n  b: nowhere.txt\n"
        )

    held(bench)(write)


def test_a_hash_in_setup_cfg_is_held(bench, place):
    """setup.cfg is an ini file as well."""
    held(bench)(
        lambda digest: bench.write(
            "setup.cfg",
            "[tox:tox]\nenv_list = a\n[testenv]\nrunner = wheelfarm\nskip_install = true\ndeps = low\n"
            f"constraints = {place}#sha256={digest}\ncommands = python -c pass\n",
        )
    )


def test_a_hash_in_pyproject_toml_is_held(bench, place):
    """pyproject.toml holds an ini file as a text, or tables, in which no `#` was ever a comment."""
    head = '[tool.tox]\nlegacy_tox_ini = """\n[tox]\nenv_list = a\n[testenv]\nrunner = wheelfarm\nskip_install = true\n'
    held(bench)(
        lambda digest: bench.write(
            "pyproject.toml",
            f'{head}deps = low\nconstraints =\n  {place}#sha256={digest}\ncommands = python -c pass\n"""\n',
        )
    )
    (bench.root / "pyproject.toml").unlink()
    table = '[env_run_base]\nrunner = "wheelfarm"\nskip_install = true\ndeps = ["low"]\n'
    held(bench)(
        lambda digest: bench.write(
            "tox.toml", f'env_list = ["a"]\n{table}constraints = ["{place}#sha256={digest}"]\n'
        )
    )


def test_a_hash_holds_for_builds_too(bench, place):
    """A package is not built under constraints that were changed."""
    bench.project("low")
    bench.ini("package = wheel", f"constraints = {place}#sha256={WRONG}")
    assert "ConstraintsError: " in bench.fails().said
    bench.ini("package = wheel", f"constraints = {place}#sha256={RIGHT}")
    assert "low==1.0" in bench.passes().packages()


def test_a_hash_inside_a_constraints_file_is_held(bench, place):
    """A file that a constraints file names may have a hash in either form there."""
    for form in ("-c {place}#sha256={digest}\n", "-c {place} --hash=sha256:{digest}\n"):

        def write(digest, form=form):
            bench.write("all.txt", form.format(place=place, digest=digest))
            bench.ini("skip_install = true", "deps = low", "constraints = all.txt")

        held(bench)(write)


@pytest.mark.parametrize("end", ["#sha256=", "#sha256:" + RIGHT, "#" + RIGHT, "#md5=abc", " --hash=md5:abc"])
def test_what_is_no_hash_is_refused(bench, place, end):
    """A URL with something behind it that checks nothing is refused; a file of such a name is not there."""
    bench.ini("skip_install = true", "deps = low", f"constraints = {place}{end}")
    said = bench.fails().said
    assert "ConstraintsError: " in said
    assert "the hash must be #sha256= (or --hash=sha256:) and 64" in said or "cannot be read: No such" in said


def test_a_hash_in_a_comment_is_refused(bench, place):
    """A space before the hash makes it a comment, which is said; other comments are comments."""
    bench.ini("skip_install = true", "deps = low", f"constraints = {place} #sha256={RIGHT}")
    said = bench.fails().said
    assert "ConstraintsError: constraints: " in said
    assert "is a comment, in which a hash checks nothing" in said
    bench.ini("skip_install = true", "deps = low", f"constraints =\n  # the lower ones\n  {place}  # see #12")
    assert bench.passes().packages() == ["low==1.0"]
