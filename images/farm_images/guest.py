"""The guest, seen from the host: the channel to its agent, and the handshake of each lease.

Called by farm_images.machine (handshake) and by whoever runs a job (frames). It never parses results: what comes
back after the handshake is one subunit stream, read in farm_workers.
"""

import contextlib
import os
import secrets
import socket
import time
from pathlib import Path

from farm_images.errors import MachineError
from farm_images.subunit_stream import Decoder
from farm_images.wire import ID_READY, FrameType, HelloFrame, encode_frame

ENTROPY_BYTES = 64


def connect(path: Path, *, timeout: float) -> socket.socket:
    """Connect to QEMU's end of the channel at `path`; raises MachineError after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        channel = socket.socket(socket.AF_UNIX)
        try:
            channel.connect(str(path))
        except OSError as error:
            channel.close()
            if time.monotonic() > deadline:
                raise MachineError(f"the machine's channel does not open: {error}") from error
            time.sleep(0.01)
        else:
            return channel


def greet(channel: socket.socket, *, timeout: float) -> float:
    """Send time and fresh entropy, wait for the agent's answer; returns the seconds that it took.

    A clone shares its template's random pool and clock, so nothing else may happen in it before this. The agent
    of a machine that boots may miss the first greeting, so it is sent again every second.

    Raises:
        MachineError: no answer within `timeout` seconds, or the channel ended.
    """
    start = time.monotonic()
    decoder = Decoder()
    pause = 1.0
    try:
        while (left := start + timeout - time.monotonic()) > 0:
            nonce = _send_hello(channel)
            if _answered(channel, decoder, nonce, wait=min(pause, left)):
                return time.monotonic() - start
            pause = min(pause * 2, 5.0)
    except (OSError, EOFError) as error:
        raise MachineError(f"the machine's channel ended before its agent answered: {error}") from error
    raise MachineError(f"the machine's agent did not answer within {timeout:.0f} s")


def _send_hello(channel: socket.socket) -> str:
    nonce = secrets.token_hex(8)
    hello = HelloFrame(time=time.time(), entropy=os.urandom(ENTROPY_BYTES), nonce=nonce)
    channel.settimeout(10)
    channel.sendall(encode_frame(FrameType.HELLO, hello.payload()))
    return nonce


def _answered(channel: socket.socket, decoder: Decoder, nonce: str, *, wait: float) -> bool:
    """Whether the greeting with `nonce`, the last one sent, is answered within `wait` seconds."""
    deadline = time.monotonic() + wait
    while (left := deadline - time.monotonic()) > 0:
        channel.settimeout(left)
        with contextlib.suppress(TimeoutError):
            data = channel.recv(65536)
            if not data:
                raise EOFError("QEMU closed it")
            for event in decoder.feed(data):
                if event.test_id == ID_READY and nonce in event.tags:
                    return True
    return False
