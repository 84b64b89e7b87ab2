"""What the agent does with each frame, in the order in which they come, for as long as there is a host.

Started by `main`. It never lets a failure of ours pass for one of the project: that is `farm:error`.
"""

import ipaddress
import traceback

from farm_images.agent import caches, greeting, network, probe
from farm_images.agent.channel import ChannelClosedError
from farm_images.agent.command import run_command
from farm_images.agent.job import Guest, Outcome, run_tox
from farm_images.agent.packets import TEXT
from farm_images.agent.session import run_session
from farm_images.agent.source import CancelledError
from farm_images.agent.starter_process import StarterError, StarterProcess
from farm_images.errors import WireError
from farm_images.wire import (
    GUEST_ADDRESS,
    ID_ERROR,
    ID_JOB,
    ID_READY,
    AnyJob,
    CommandFrame,
    FrameType,
    HelloFrame,
    JobFrame,
    ProbeFrame,
    WarmFrame,
    parse_job,
)

_ERROR_CHARACTERS = 8000
_DRAIN_SECONDS = 300.0


class Conversation:
    """The agent's side. A warm first process for the next job is kept from the start."""

    def __init__(self, guest: Guest, *, privileged: bool) -> None:
        self._guest = guest
        self._privileged = privileged
        self._process = self._new_process()

    def run(self) -> None:
        """Answer until the channel is closed for good, which a virtio port never is."""
        self._tell_of_death()
        try:
            while True:
                self._answer()
        except ChannelClosedError:
            self._process.kill()
            self._guest.confinement.kill_all()

    def _answer(self) -> None:
        frame = self._guest.channel.next_frame()
        if frame is None:
            return
        try:
            if frame.type is FrameType.HELLO:
                self._hello(HelloFrame.parse(frame.payload))
            elif frame.type is FrameType.JOB:
                self._job(parse_job(frame.payload))
        except (WireError, OSError, StarterError) as error:
            self._error(error)

    def _hello(self, hello: HelloFrame) -> None:
        """Ready means ready: a template saved after this answer holds a warm process."""
        if self._privileged:
            greeting.take(hello)
            network.configure(ipaddress.IPv4Interface(GUEST_ADDRESS))
        if self._process.is_alive():
            self._process.wait_ready()
        self._guest.packets.step(ID_READY, "success", tags=frozenset({hello.nonce}))
        self._guest.channel.drain(10)

    def _job(self, frame: AnyJob) -> None:
        outcome = Outcome()
        self._guest.places.at_work.touch()
        try:
            if isinstance(frame, JobFrame | CommandFrame):
                self._in_first_process(frame, outcome)
            elif isinstance(frame, ProbeFrame):
                guest = self._guest
                works = probe.run_probe(frame.interpreters, guest.places, guest.user, guest.packets)
                outcome.exit_code = 0 if works else 1
            else:
                self._warm(frame, outcome)
        except CancelledError:
            outcome.cancelled = True
        except ChannelClosedError:
            raise
        except Exception as error:  # noqa: BLE001 (whatever fails here is ours, and the host must hear of it)
            self._error(error)
        outcome.report(self._guest.packets)
        self._guest.channel.drain(_DRAIN_SECONDS)
        self._guest.places.at_work.unlink(missing_ok=True)

    def _tell_of_death(self) -> None:
        """End the job of an agent that died in the middle of it: the farm's fault."""
        at_work = self._guest.places.at_work
        if at_work.exists():
            at_work.unlink()
            self._guest.confinement.kill_all(keep=self._process.pid)
            text = b"the agent in the machine died in the middle of the job, and was started anew"
            self._guest.packets.attach(ID_ERROR, "text", text, TEXT)
            self._guest.packets.step(ID_ERROR, "fail")
            Outcome().report(self._guest.packets)
            self._guest.channel.drain(_DRAIN_SECONDS)

    def _in_first_process(self, frame: JobFrame | CommandFrame, outcome: Outcome) -> None:
        if not self._process.is_alive():
            self._process.kill()
            self._process = self._new_process()
        try:
            if isinstance(frame, JobFrame):
                project = run_tox(self._guest, frame, self._process, outcome)
                if frame.session is not None and project is not None and not outcome.cancelled:
                    run_session(self._guest, frame, frame.session, project, outcome)
            else:
                run_command(self._guest, frame, self._process, outcome)
        finally:
            self._process.kill()
            self._guest.confinement.kill_all()

    def _warm(self, frame: WarmFrame, outcome: Outcome) -> None:
        failed = caches.fill_caches(frame.interpreters, self._guest.places, self._guest.user)
        outcome.exit_code = 1 if failed else 0
        for path, reason in failed.items():
            text = f"{path}: {reason}\n"
            self._guest.packets.attach(ID_JOB, "reason", text.encode(errors="replace"), TEXT, eof=False)

    def _new_process(self) -> StarterProcess:
        guest = self._guest
        return StarterProcess(guest.places, guest.user, guest.confinement, preload=True)

    def _error(self, error: Exception) -> None:
        text = "".join(traceback.format_exception(error))[-_ERROR_CHARACTERS:]
        self._guest.packets.attach(ID_ERROR, "text", text.encode(errors="replace"), TEXT)
        self._guest.packets.step(ID_ERROR, "fail")
        self._guest.channel.drain(10)
