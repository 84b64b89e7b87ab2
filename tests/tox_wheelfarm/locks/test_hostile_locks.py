"""Spoiled lock files of every format end in a set or in one of our errors, never in anything else."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tox_wheelfarm.errors import InstallerError
from tox_wheelfarm.locks import files, platforms
from tox_wheelfarm.locks.project import Project
from tox_wheelfarm.locks.wish import Wish

FILES = Path(__file__).parent / "files"
JUNK = (
    *("1", "-1.5", "true", "[]", "{}", "[[]]", "[1]", '[""]', '[{ name = "six" }]', "2026-01-01", "nan"),
    *(
        '""',
        '"\\n--pre"',
        '"../../etc"',
        '"-e"',
        "\"extra == 'x'\"",
        '"os_name"',
        '">=3"',
        '"http://["',
        '"six"',
    ),
)
LOCKS = ("uv_conflicts/uv.lock", "uv_sources/uv.lock", "pylock_uv/pylock.toml", "pylock_pdm/pylock.toml")
VALUE = re.compile(r"(?<== )(\"[^\"\n]*\"|\[[^\n]*\]|\{[^\n]*\}|\d+)")
TARGET = platforms.target("3.12")


def _ends_well(tmp_path_factory, name, text, wish):
    place = tmp_path_factory.getbasetemp() / "hostile"
    place.mkdir(exist_ok=True)
    (place / name).write_text(text, encoding="utf-8")
    try:
        lock = files.read(place / name, Project(place))
        lock.differences(Project(place))
        pins = lock.select(TARGET, wish)
    except InstallerError as refused:
        return str(refused)
    told = [pin.name + pin.version + pin.reference + "".join(pin.hashes) for pin in pins]
    assert not re.search(r"[\s\x00-\x1f]", "".join(told).replace(str(place), ""))
    assert not any(pin.reference.startswith("-") for pin in pins)
    return ""


@pytest.mark.parametrize("lock", LOCKS)
@settings(max_examples=40)
@given(data=st.data())
def test_a_spoiled_value_does_no_harm(tmp_path_factory, lock, data):
    """Any value replaced by any other gives pins that are safe to pass on, or an error of ours."""
    text = (FILES / lock).read_text()
    values = list(VALUE.finditer(text))
    # Half of the time near the top and the project's own entry, where most is decided.
    last = data.draw(st.sampled_from([len(values) - 1, 40]))
    found = values[data.draw(st.integers(0, last))]
    spoiled = text[: found.start()] + data.draw(st.sampled_from(JUNK)) + text[found.end() :]
    wish = data.draw(st.sampled_from([Wish(), Wish(dev=True), Wish(names=("six",))]))
    _ends_well(tmp_path_factory, Path(lock).name, spoiled, wish)


@settings(max_examples=150)
@given(
    data=st.data(),
    junk=st.text(st.sampled_from(" \\\n;#@=[]{}()<>!~'\"-+,./:$eérc1\x00\t\u2028"), max_size=8),
)
def test_a_spoiled_line_does_no_harm(tmp_path_factory, data, junk):
    """Anything written into a requirements file gives pins that are safe to pass on, or an error of ours."""
    digest = "ab" * 32
    text = (
        f"six==1.0 ; os_name == 'posix' --hash=sha256:{digest}\n-e ./x[y]\nurllib3[socks]==2.0 \\\n"
        f"    --hash=sha256:{digest}\nidna @ https://example.org/idna-3.10-py3-none-any.whl#sha256={digest}\n"
        f"a @ git+https://example.org/a@{digest[:40]}#subdirectory=b\n./c.whl\n"
    )
    place = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(place, min(place + 6, len(text))))
    _ends_well(tmp_path_factory, "requirements.txt", text[:place] + junk + text[end:], Wish())
