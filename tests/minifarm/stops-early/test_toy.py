def test_good():
    pass


def test_bad():
    raise AssertionError("never seen")
