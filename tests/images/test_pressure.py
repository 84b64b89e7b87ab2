"""A job that keeps asking for more than its bound is told from one that tried it once."""

from farm_images.agent.pressure import LASTING_LOOKS, Pressure


def test_what_goes_on_is_lasting() -> None:
    """A resource that is refused anew at each look is named at the fifth, not before."""
    counts = {"processes": 3, "memory": 0}
    pressure = Pressure(lambda: counts, now=0)
    said = []
    for second in range(1, LASTING_LOOKS + 1):
        counts["processes"] += 1
        said.append(pressure.lasting(second))
    assert said == [None] * (LASTING_LOOKS - 1) + ["processes"]


def test_what_happens_now_and_then_is_not() -> None:
    """Refusals with a pause between them are never named, nor are those of one second looked at often."""
    counts = {"memory": 0}
    pressure = Pressure(lambda: counts, now=0)
    for second in range(1, 50):
        counts["memory"] += second % LASTING_LOOKS != 0
        assert pressure.lasting(second) is None
    for _ in range(50):
        counts["memory"] += 1
        assert pressure.lasting(49.5) is None
