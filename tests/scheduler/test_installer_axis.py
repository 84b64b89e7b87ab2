"""The installers of a run: its cells by default, by a person's word and by the project's, and what is left out."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.constraint_words import check_words
from farm_scheduler.cutoff import read_cutoff
from farm_scheduler.errors import InputError, PlanError
from farm_scheduler.installers import Installer, lock_file
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.plan import Narrowing, Plan
from farm_scheduler.planning import make_plan
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.settings import Settings

LOCKS = ("pylock.toml", "pylock.dev.toml", "uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock")
HASHED = "six==1.17.0 --hash=sha256:" + "0" * 64


def image(name: str = "debian-12") -> SystemImage:
    """An image with four Pythons."""
    rows = [{"version": each, "works": True} for each in ("2.7.18", "3.7.16", "3.11.2", "3.12.1")]
    return system_image(name, rows)


def plan(
    *names: str,
    declared: str = "",
    env_list: str = "py311, py312, lint",
    tox: str = "",
    narrowing: Narrowing | None = None,
    **texts: str,
) -> Plan:
    """The plan of a project with a tox.ini, these further files, and what it declares."""
    written = {"tox.ini": f"[tox]\nenv_list = {env_list}\n{tox}", **texts}
    if declared:
        written["pyproject.toml"] = f"[tool.wheelfarm]\n{declared}\n"
    files = ProjectFiles(texts=written, names=frozenset({*written, *names}))
    return make_plan(files, (image(),), narrowing or Narrowing())


def asked(*installers: Installer, **more: object) -> Narrowing:
    """What a person asks for."""
    return Narrowing(installers=installers, **more)  # type: ignore[arg-type]  # the tests name what they mean


def labels(plan: Plan) -> list[str]:
    """The cells that want a machine, without the name of the system."""
    return [cell.label.replace(" · debian-12", "") for cell in plan.runnable]


def left_out(plan: Plan) -> dict[str | None, str]:
    """Why what is not there is not."""
    return {note.environment: note.reason for note in plan.notes}


def test_a_project_without_a_lock_has_one_cell_a_python() -> None:
    """Without a lock file and constraints what the project has is the newest already, so nothing is doubled."""
    found = plan("requirements.txt", **{"requirements.txt": "six\n"})
    assert labels(found) == ["py3.11", "py3.12", "other"]
    assert {cell.installer for cell in found.cells} == {Installer.PROJECT}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_puts_latest_beside_the_project(lock: str) -> None:
    """Where there is a lock file each Python has a cell with the newest releases as well, and what has none has not."""
    assert labels(plan(lock)) == ["py3.11", "py3.11 · latest", "py3.12", "py3.12 · latest", "other"]


def test_requirements_are_a_lock_when_they_have_hashes() -> None:
    """Files of requirements count by their hashes, also one that is too long to be read, and never in a folder."""
    assert lock_file(ProjectFiles(texts={"requirements.txt": "six==1.17.0"})) is None
    assert lock_file(ProjectFiles(texts={"requirements-dev.txt": HASHED})) == "requirements-dev.txt"
    assert lock_file(ProjectFiles(texts={}, names=frozenset({"requirements.txt"}))) == "requirements.txt"
    assert lock_file(ProjectFiles(texts={"docs/requirements.txt": HASHED, "sub/uv.lock": ""})) is None


def test_a_project_of_environments_without_a_python_is_doubled_too() -> None:
    """Where no environment has a Python of its own, their cell is the one that has `latest` beside it."""
    assert labels(plan("uv.lock", env_list="lint, docs")) == ["other", "other · latest"]


def test_constraints_stand_in_for_the_project() -> None:
    """Given constraints and no lock file, what the project has is what they allow, with the newest beside it."""
    found = plan(declared='constraints = "c.txt"', **{"c.txt": "six==1.16"})
    both = [f"py{python} · {word}" for python in ("3.11", "3.12") for word in ("constraints", "latest")]
    assert labels(found) == [*both, "other"]
    by_word = {cell.installer: cell.constraints for cell in found.cells}
    assert by_word[Installer.CONSTRAINTS] == ("c.txt",)
    assert by_word[Installer.LATEST] == ()


def test_a_person_names_installers() -> None:
    """Named by a person every cell is there once for each, and the project's word is not heard."""
    wish = asked(Installer.LOWEST, Installer.LOCKFILE)
    found = plan("uv.lock", declared='installer = ["latest"]', env_list="py312, lint", narrowing=wish)
    assert labels(found) == ["py3.12 · lockfile", "py3.12 · lowest", "other · lockfile", "other · lowest"]


def test_what_there_is_nothing_for_is_left_out_with_its_reason() -> None:
    """No cell is planned by a lock file or by constraints that are not there."""
    wish = asked(Installer.PROJECT, Installer.LOCKFILE, Installer.CONSTRAINTS, Installer.LATEST)
    found = plan(env_list="py27, py312", narrowing=wish)
    assert labels(found) == ["py2.7", "py2.7 · latest", "py3.12", "py3.12 · latest"]
    reasons = left_out(found)
    assert "no lock file" in reasons["py3.12 · debian-12 · lockfile"]
    assert "--constraints" in reasons["py3.12 · debian-12 · constraints"]


def test_python_27_leaves_tox_3_for_the_farms_installers() -> None:
    """By default it stays with tox 3; for another installer tox 4 drives it, an inferred configuration in its words."""
    assert labels(plan("uv.lock", env_list="py27, py312")) == ["py2.7", "py3.12", "py3.12 · latest"]
    texts = {
        "pyproject.toml": "[project]\nname = 'a'\nversion = '1'\nrequires-python = '>=2.7'\n",
        "test_a.py": "import pytest",
        "test-requirements.txt": "six\n",
    }
    files = ProjectFiles(texts=texts, names=frozenset(texts))
    cells = make_plan(files, (image(),), asked(Installer.PROJECT, Installer.LATEST, pythons=("2.7",))).cells
    assert [(cell.label, cell.tool) for cell in cells] == [
        ("py2.7 · debian-12", "tox3"),
        ("py2.7 · debian-12 · latest", "tox"),
    ]
    assert "{[tox]setupdir}" in str(cells[0].inferred)
    assert "setupdir" not in str(cells[1].inferred)


def test_a_run_without_a_cell_says_why() -> None:
    """A person who asks for a lock file that is not there is told so, and which option to drop."""
    with pytest.raises(PlanError, match=r"no lock file.*drop --installer"):
        plan(narrowing=asked(Installer.LOCKFILE))
    with pytest.raises(
        PlanError, match=r"by lockfile: .*no lock file.*; constraints: no constraints are given"
    ):
        plan(narrowing=asked(Installer.LOCKFILE, Installer.CONSTRAINTS))


def test_selectors_mean_cells_by_their_installer() -> None:
    """Cells of one installer can be excluded, added, expected to fail and limited in time."""
    found = plan(
        "uv.lock",
        env_list="py311, py312",
        declared="installer = ['project', 'latest']\n"
        "include = [{python = '3.12', installer = 'lowest'}]\n"
        "exclude = [{python = '3.11', installer = 'latest'}]\n"
        "timeouts = [{installer = 'latest', seconds = 9}]\n"
        "expected-failures = [{installer = 'lowest', reason = 'the bounds are too low'}]",
    )
    assert labels(found) == ["py3.11", "py3.12", "py3.12 · latest", "py3.12 · lowest"]
    assert [cell.expected_reason for cell in found.cells] == [None, None, None, "the bounds are too low"]
    assert [cell.seconds for cell in found.cells] == [None, None, 9, None]


def test_the_farm_runs_the_environments_of_its_installers() -> None:
    """Tox is told to take the farm's runner also where the project names another, and not what that one needed."""
    runner = "[testenv:py312]\nrunner = uv-venv-lock-runner\n"
    found = plan(
        "uv.lock", env_list="py37, py312", tox=runner, narrowing=asked(Installer.PROJECT, Installer.LATEST)
    )
    overrides = {
        cell.label.replace(" · debian-12", ""): cell.variables.get("TOX_OVERRIDE") for cell in found.cells
    }
    assert overrides == {
        "py3.7": "testenv.virtualenv_spec=virtualenv<20.22",
        "py3.7 · latest": "testenv.runner=wheelfarm",
        "py3.12": "tox.requires+=tox-uv",
        "py3.12 · latest": "testenv.runner=wheelfarm;testenv:py312.runner=wheelfarm",
    }


def test_the_sections_of_toml_are_overridden_by_their_own_names() -> None:
    """A tox.toml and a table of pyproject.toml have other names for the same settings."""
    table = 'env_list = ["py312"]\nenv.py312.runner = "uv-venv-runner"\n'
    for name, text, prefix in (
        ("tox.toml", table, ""),
        ("pyproject.toml", "[tool.tox]\n" + table, "tool.tox."),
    ):
        files = ProjectFiles(texts={name: text})
        (cell,) = make_plan(files, (image(),), asked(Installer.LATEST)).cells
        wanted = f"{prefix}env_run_base.runner=wheelfarm;{prefix}env.py312.runner=wheelfarm"
        assert cell.variables["TOX_OVERRIDE"] == wanted


@pytest.mark.parametrize(
    "word", ["/etc/passwd", "../c.txt", "a/../../c.txt", "-r", "~/c", "ftp://x/c", "https://", "a\nb"]
)
def test_constraints_stay_within_the_source_or_the_web(word: str) -> None:
    """A path that leaves the source, an option or another scheme is refused with a sentence."""
    with pytest.raises(PlanError, match=r"is no (file below|URL of)"):
        plan(narrowing=asked(constraints=(word,)))


def test_constraints_that_are_not_there_are_refused() -> None:
    """A file that the source does not have is named."""
    with pytest.raises(PlanError, match=r"nothere\.txt are no file of the source"):
        plan(narrowing=asked(constraints=("nothere.txt",)))


def test_a_cut_off_counts_for_every_cell() -> None:
    """The person's cut-off comes before the project's, and a project may write it as TOML does."""
    found = plan(declared="cutoff = 2026-01-31", env_list="py27, py312")
    assert {cell.cutoff for cell in found.cells} == {datetime(2026, 2, 1, tzinfo=UTC)}
    wish = asked(cutoff=datetime(2025, 5, 1, tzinfo=UTC))
    assert {cell.cutoff for cell in plan(declared='cutoff = "2026-01-31"', narrowing=wish).cells} == {
        wish.cutoff
    }


def test_a_day_counts_to_its_end_in_utc() -> None:
    """A day ends at the next midnight, a time is what it is, and one without a zone is in UTC."""
    assert read_cutoff("2026-02-28") == read_cutoff(date(2026, 2, 28)) == datetime(2026, 3, 1, tzinfo=UTC)
    assert read_cutoff("2026-01-31T12:00:00+02:00") == datetime(2026, 1, 31, 10, tzinfo=UTC)
    assert read_cutoff("2026-01-31T12:00:00") == datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01", "31.01.2026", "9999-12-31T23:59:59-12:00"])
def test_what_is_no_day_is_refused(text: str) -> None:
    """A cut-off that cannot be read says how to write one."""
    with pytest.raises(PlanError, match="write it as 2026-01-31"):
        read_cutoff(text)


def test_a_day_to_come_is_no_cut_off() -> None:
    """Today is one, wherever on earth it is today; what is later is refused, as nothing would be hidden."""
    today = datetime.now(tz=UTC).date()
    read_cutoff(today)
    read_cutoff(today + timedelta(days=1))
    for later in (today + timedelta(days=3), "2199-01-01", "2199-01-01T00:00:00Z"):
        with pytest.raises(PlanError, match="still to come; leave it out"):
            read_cutoff(later)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("http://example.org/c.txt", "over https only"),
        ("ftp://example.org/c.txt", "no URL of constraints"),
        ("https://127.0.0.1/c.txt#sha256=" + "a" * 64, "no public address"),
        ("https://localhost/c.txt", "no public address"),
        ("/etc/passwd", "no file below the project's folder"),
    ],
)
def test_constraints_that_no_job_could_have_are_refused_at_once(word: str, sentence: str) -> None:
    """What the form tells, and what the farm never asks, costs no machine and no wait."""
    check_words(
        ["c.txt", "https://example.org/c.txt", "https://example.org/c.txt#sha256=" + "a" * 64], Settings()
    )
    with pytest.raises(InputError, match=sentence):
        check_words(["c.txt", word], Settings())


@given(
    st.builds(
        Narrowing,
        pythons=st.lists(st.text()).map(tuple),
        systems=st.lists(st.text()).map(tuple),
        installers=st.lists(st.sampled_from(Installer)).map(tuple),
        constraints=st.lists(st.text()).map(tuple),
        cutoff=st.none() | st.datetimes(timezones=st.just(UTC)),
    )
)
def test_what_was_asked_for_is_kept(wish: Narrowing) -> None:
    """What the record keeps of a person's choice gives the same choice again."""
    assert Narrowing.of(wish.document()) == wish


def test_a_choice_of_an_older_record_is_read() -> None:
    """A run that was recorded before there were installers asked for none."""
    assert Narrowing.of({"pythons": ["3.12"], "systems": []}) == Narrowing(pythons=("3.12",))
