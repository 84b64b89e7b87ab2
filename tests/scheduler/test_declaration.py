"""`[tool.wheelfarm]`: what a project may declare, what it does to the plan, and what is refused with its line."""

import json
import os
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm_scheduler.declaration import Declaration, read_declaration
from farm_scheduler.errors import PlanError
from farm_scheduler.interpreters import SystemImage, system_image
from farm_scheduler.plan import Narrowing, Plan
from farm_scheduler.planning import make_plan
from farm_scheduler.project_files import ProjectFiles
from farm_scheduler.toml_lines import line_of
from farm_scheduler.verdicts import Verdict

SCHEMA = Path(__file__).resolve().parents[2] / "docs/wheelfarm.schema.json"
PAGE = SCHEMA.with_name("declaration.md")
ACCEPT = "WHEELFARM_ACCEPT=1 .venv/bin/pytest tests/scheduler/test_declaration.py"


def image(name: str = "debian-12") -> SystemImage:
    """An image with three Pythons."""
    rows = [{"version": each, "works": True} for each in ("2.7.18", "3.11.2", "3.12.1")]
    return system_image(name, rows)


def plan(declared: str, env_list: str = "py27, py311, py312, lint", **narrowing: tuple[str, ...]) -> Plan:
    """The plan of a project with a tox.ini that declares something."""
    texts = {
        "tox.ini": f"[tox]\nenv_list = {env_list}\n",
        "pyproject.toml": f"[tool.wheelfarm]\n{declared}\n",
    }
    return make_plan(ProjectFiles(texts=texts), (image(), image("debian-13")), Narrowing(**narrowing))


def labels(plan: Plan) -> list[str]:
    """The cells that want a machine, of the first system without its name."""
    return [cell.label.removesuffix(" · debian-12") for cell in plan.runnable]


def test_lists_narrow_and_include_adds() -> None:
    """`pythons` and `systems` leave the rest out with a note each, and `include` takes some of it back."""
    found = plan(
        'pythons = ["3.12"]\nsystems = ["debian-12"]\ninclude = [{python = "3.11", system = "debian-13"}]\n'
    )
    assert labels(found) == ["py3.12", "other", "py3.11 · debian-13"]
    assert {note.reason for note in found.notes} == {
        "[tool.wheelfarm] names other Pythons than 2.7",
        "[tool.wheelfarm] names other Pythons than 3.11",
        "[tool.wheelfarm] names other systems than debian-13",
    }


def test_exclude_takes_cells_and_environments_out() -> None:
    """A place excludes whole cells; with an environment only that goes, and the cell with its last one."""
    declared = (
        'systems = ["debian-12"]\n'
        'exclude = [{python = "2.7"}, {environment = "py312-*"}, {environment = "lint", system = "debian-12"}]\n'
    )
    found = plan(declared, "py27, py311, py312, py312-slow, lint")
    assert {cell.label: cell.environments for cell in found.runnable} == {
        "py3.11 · debian-12": ("py311",),
        "py3.12 · debian-12": ("py312",),
    }
    reasons = {note.environment: note.reason for note in found.notes}
    assert reasons["py312-slow"] == "[tool.wheelfarm] excludes it on py3.12 · debian-12"


def test_include_names_an_environment_that_tox_does_not_list() -> None:
    """An environment that `include` names outright is run as if it were listed."""
    found = plan('systems = ["debian-12"]\ninclude = [{environment = "py312-slow"}]', "py311")
    assert {cell.label: cell.environments for cell in found.runnable} == {
        "py3.11 · debian-12": ("py311",),
        "py3.12 · debian-12": ("py312-slow",),
    }


def test_what_is_declared_and_not_there_is_unsupported() -> None:
    """A Python or a system that the project names and the farm lacks is a cell with its reason."""
    found = plan('pythons = ["3.12", "3.19"]\nsystems = ["debian-12", "plan-9"]')
    reasons = {cell.label: cell.unsupported for cell in found.cells if cell.unsupported}
    assert reasons == {
        "py3.19 · debian-12": "no image has Python 3.19, which [tool.wheelfarm] names",
        "other · plan-9": "this farm has no system plan-9, which [tool.wheelfarm] names; it has debian-12, debian-13",
    }


def test_expectations_and_limits_go_to_their_cells() -> None:
    """An expected failure and a time limit are those of the cells that their entry means."""
    declared = (
        "timeout = 600\ntimeouts = [{python = '2.7', seconds = 1200}]\n"
        "expected-failures = [{environment = 'lint', reason = 'the linter moved on'}]\n"
    )
    found = {cell.label: cell for cell in plan(declared).cells}
    assert found["py2.7 · debian-12"].seconds == 1200
    assert found["py3.12 · debian-12"].seconds == 600
    assert found["py3.12 · debian-12"].expected is Verdict.PASSED
    other = found["other · debian-12"]
    assert (other.expected, other.expected_reason) == (Verdict.EXPECTED_FAILURE, "the linter moved on")


def test_variables_are_told_to_tox() -> None:
    """A declared variable is in the environment of tox, and both versions of tox let it through."""
    found = {cell.label: cell for cell in plan("environment = {A = '1', B = '2'}").cells}
    told = {"A": "1", "B": "2", "WHEELFARM_PASS": "A,B", "TOX_TESTENV_PASSENV": "A B"}
    assert found["py3.12 · debian-12"].variables == told
    assert found["py2.7 · debian-12"].variables == told


def test_system_packages_are_for_every_cell() -> None:
    """What a project needs of the system is installed in the machine of each cell, and no cell is left out for it."""
    cells = plan('system-packages = ["libxml2-dev", "g++"]').cells
    assert {cell.packages for cell in cells} == {("libxml2-dev", "g++")}
    assert not any(cell.unsupported for cell in cells if "system" in (cell.unsupported or ""))


@pytest.mark.parametrize(
    "name", ["-y", "a=1", "a/sid", "./a.deb", "a:i386", "A", "a", "a-", "a b", "a^", "a*"]
)
def test_names_of_packages_are_names(name: str) -> None:
    """What apt would take for an option, a version, a file, a pattern or a removal is refused."""
    with pytest.raises(PlanError, match="system-packages"):
        plan(f'system-packages = ["{name}"]')


def test_a_declaration_that_leaves_nothing_is_told() -> None:
    """When the project itself excludes everything, the sentence says where to look."""
    with pytest.raises(PlanError, match=r"nothing is left to run on .*; correct \[tool.wheelfarm\]"):
        plan('exclude = [{system = "debian-12"}, {system = "debian-13"}]')


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("[tool.wheelfarm]\npythons = []\nfoo = 1\n", 3, "foo: there is no such setting"),
        ("# x\n\n[tool.wheelfarm]\npythons = ['x']\n", 4, "pythons.0: string should match pattern"),
        ("[tool.wheelfarm]\npythons = [\n 'x',\n]\n", 2, "pythons.0"),
        ("[tool.wheelfarm]\n[[tool.wheelfarm.exclude]]\n", 2, "say at least one of python, system"),
        (
            "[tool.wheelfarm]\n[[tool.wheelfarm.timeouts]]\npython='3.12'\nseconds=1\n[[tool.wheelfarm.timeouts]]\nseconds=3\n",
            5,
            "timeouts.1: say at least one of python",
        ),
        ("[[tool.wheelfarm.timeouts]]\npython='3.12'\n", 1, "timeouts.0.seconds: this setting is missing"),
        ("[tool.wheelfarm.environment]\nA = '1'\nTOX_OVERRIDE = 'x'\n", 3, "belongs to the farm"),
        ("[tool.wheelfarm.environment]\n'B C' = '1'\n", 2, "environment.B C"),
        ("[tool]\nwheelfarm.timeout = -1\n", 2, "timeout: input should be greater than 0"),
        ("[tool]\nwheelfarm = 3\n", 2, "[tool.wheelfarm]"),
        ("[tool.wheelfarm]\nsystem-packages = ['--yes']\n", 2, "system-packages.0"),
        (
            "[tool.wheelfarm]\nsystem_packages = []\ntimeout = 'x'\n",
            3,
            "timeout: input should be a valid number",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(text: str, line: int, said: str) -> None:
    """What cannot stand in the table is one sentence that names file, line and key."""
    with pytest.raises(PlanError) as caught:
        read_declaration(ProjectFiles(texts={"pyproject.toml": text}))
    assert caught.value.sentence.startswith(f"pyproject.toml, line {line}: [tool.wheelfarm]")
    assert said in caught.value.sentence


def test_broken_toml_is_told_with_its_line() -> None:
    """A pyproject.toml that is no TOML is refused, also beside a tox.ini."""
    with pytest.raises(PlanError, match=r"pyproject.toml is not TOML: .*line 2"):
        plan("= nothing")


LINES = st.lists(
    st.sampled_from(
        [
            "[a]",
            "[[a.b]]",
            "[a.c]",
            "x = 1",
            "y = [\n 1,\n 2]",
            "'q r' = 2",
            "# c",
            "",
            "d.e = 1",
            'z = """\n[a]\n"""',
        ]
    ),
    max_size=8,
).map("\n".join)


@given(LINES)
def test_a_line_is_always_one_of_the_text(text: str) -> None:
    """Whatever the text and the path, the line is in the text, and a top-level key is found where it stands."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    for key in document:
        line = line_of(text, (key, 0, "more"))
        # A string of several lines may look like a header; then the line is a guess, or there is none.
        assert line is not None or '"""' in text
        assert 1 <= (line or 1) <= text.count("\n") + 1
    assert line_of(text, ("not", "there")) is None


def test_the_schema_is_that_of_the_model() -> None:
    """The JSON schema in docs is what the model gives, and the page names every setting."""
    wanted = json.dumps(Declaration.model_json_schema(by_alias=True), indent=2) + "\n"
    if os.environ.get("WHEELFARM_ACCEPT"):
        SCHEMA.write_text(wanted, "utf-8")
    assert SCHEMA.read_text("utf-8") == wanted, f"to accept the new schema: {ACCEPT}"
    page = PAGE.read_text("utf-8")
    assert [name for name in json.loads(wanted)["properties"] if f"`{name}`" not in page] == []


def test_the_example_of_the_page_is_valid() -> None:
    """The example that people copy is read, and uses every setting."""
    example = PAGE.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    declaration = read_declaration(ProjectFiles(texts={"pyproject.toml": example}))
    assert declaration.model_fields_set == set(Declaration.model_fields)
