"""House rule 2: small files, small functions."""

import statistics

LONGEST_FILE = 400
MEDIAN_FILE = 150
LONGEST_FUNCTION = 60
USUAL_FUNCTION = 30
USUAL_SHARE = 0.9


def test_no_file_is_above_400_lines(sources):
    """No Python file of the repository has more than 400 lines."""
    assert [f"{s.name}: {len(s.lines)}" for s in sources if len(s.lines) > LONGEST_FILE] == []


def test_the_median_file_is_under_150_lines(rooms):
    """Half of the farm's files are under 150 lines; empty ones and `__init__` do not count."""
    sizes = [len(source.lines) for source in rooms if not source.name.endswith("__init__.py")]
    assert statistics.median(sizes) < MEDIAN_FILE


def test_no_function_reaches_60_lines(sources):
    """Every function is under 60 lines; migrations, which are written once, are left out."""
    lengths = {where: size for s in sources if not s.migration for where, size in s.functions.items()}
    assert {where: size for where, size in lengths.items() if size >= LONGEST_FUNCTION} == {}


def test_nine_functions_in_ten_are_under_30_lines(rooms):
    """At least nine in ten of the farm's functions are under 30 lines."""
    lengths = [size for source in rooms if not source.migration for size in source.functions.values()]
    assert sum(size < USUAL_FUNCTION for size in lengths) >= USUAL_SHARE * len(lengths)
