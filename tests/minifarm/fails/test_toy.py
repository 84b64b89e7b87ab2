"""One test that passes and one that fails."""


def test_good():
    assert 1 + 1 == 2


def test_bad():
    assert 1 + 1 == 3, "arithmetic is off"
