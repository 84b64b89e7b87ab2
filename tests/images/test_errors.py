"""The root of all errors: what its sentence may quote."""

from farm_images.errors import LONGEST_SENTENCE, FarmError


def test_a_sentence_is_never_longer_than_a_person_reads() -> None:
    """Of a sentence that quotes too much, what is wrong and what to do stay, and the middle goes."""
    error = FarmError(f"'{'x' * 100_000}' is no name; correct the list")
    assert len(error.sentence) == LONGEST_SENTENCE
    assert str(error) == error.sentence
    assert error.sentence.startswith("'xxx")
    assert error.sentence.endswith("x' is no name; correct the list")
    assert " […] " in error.sentence


def test_a_short_sentence_stays_as_it_is() -> None:
    """What fits is not touched."""
    assert FarmError("s" * LONGEST_SENTENCE).sentence == "s" * LONGEST_SENTENCE
