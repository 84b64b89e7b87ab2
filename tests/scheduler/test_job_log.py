"""The log of a job, out of its stream."""

import threading

from farm_images.subunit_stream import Event, encode
from farm_scheduler.job_log import log_tail, read_log


def packets(content, size=7):
    """A stream whose log is this, in small pieces, with other things between."""
    other = encode(Event(test_id="test_a", status="success")) + b"garbage"
    pieces = [content[place : place + size] for place in range(0, len(content), size)]
    log = [Event(test_id="farm:tox", runnable=False, file_name="log", file_bytes=piece) for piece in pieces]
    return other.join(encode(event) for event in log)


def test_a_log_is_whole(tmp_path):
    """Characters that were cut in two by the pieces come out whole; what is no log is left out."""
    text = "größer → ✓\n" * 50
    (tmp_path / "s").write_bytes(packets(text.encode()))
    assert "".join(read_log(tmp_path / "s")) == text


def test_a_tail_is_the_last_lines(tmp_path):
    """Only the end is kept, however long the log is."""
    (tmp_path / "s").write_bytes(packets(b"".join(b"line %d\n" % number for number in range(20_000)), 5000))
    assert log_tail(tmp_path / "s", 2) == "line 19998\nline 19999"


def test_a_stream_that_is_not_there_is_empty(tmp_path):
    """Before the first byte there is no file, and no error."""
    assert list(read_log(tmp_path / "s")) == []


def test_a_log_is_followed_to_its_end(tmp_path):
    """What is written while the log is read is read as well, up to the last piece before the end."""
    path, done = tmp_path / "s", threading.Event()
    content = packets(b"a long story\n" * 100)

    def write():
        with path.open("ab", buffering=0) as stream:
            for place in range(0, len(content), 64):
                stream.write(content[place : place + 64])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    found = "".join(read_log(path, lambda: not done.wait(0.001)))
    writer.join(timeout=10)
    assert found == "a long story\n" * 100
