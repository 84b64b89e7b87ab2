"""The supervisor of the embedded service: starts its processes, keeps them up, ends them with its last client.

Started by farm_cli.service as `python -m farm_cli.supervisor CLIENT_FD`, one per home (a lock holds that). A
client is an open connection to `farm.sock`; what it says is never needed, that it lives is. Of the record it knows
only the runs that lost their owner, which it cancels. Everything happens in one thread, because the kernel ties
children to the thread that started them.
"""

import contextlib
import fcntl
import json
import logging
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

from farm_cli import leftovers
from farm_cli.child_process import ChildProcess
from farm_cli.children import NAMES, ChildPlan, children
from farm_cli.errors import ServiceError
from farm_cli.ownership import cancel_orphans
from farm_cli.service import BUSY
from farm_scheduler.settings import Settings

ONLY = "WHEELFARM_CHILDREN"
"""A comma-separated choice of children, for tests and for work on one of them; all by default."""

STARTING_TURN = 0.02
STEADY_TURN = 1.0
DEATHS_ALLOWED = 4
DEATHS_SECONDS = 120.0
LONGEST_DELAY = 4.0

LOG = logging.getLogger(__name__)


class Supervisor:
    """The service of one home.

    Args:
        settings: where everything is.
        plans: the children, in the order of their start.
        client: the connection of the client that started this process.
    """

    def __init__(self, settings: Settings, plans: Sequence[ChildPlan], client: socket.socket) -> None:
        self.settings = settings
        self.plans = plans
        self.clients: set[socket.socket] = set()
        self.running: dict[str, ChildProcess] = {}
        self.deaths: dict[str, list[float]] = {plan.name: [] for plan in plans}
        self.not_before: dict[str, float] = {}
        self.state: dict[str, object] = {"state": "starting", "up": []}
        self.was_ready = False
        self.over = False
        self.parted: list[socket.socket] = []
        self.selector = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX)
        self._greet(client)

    def run(self) -> int:
        """Serve until the last client has gone; 0 then, 1 when a child could not be kept up."""
        self.listener.bind(str(self.settings.farm_socket))
        self.listener.listen(16)
        self.selector.register(self.listener, selectors.EVENT_READ)
        try:
            while self.clients and not self.over:
                self._dismiss(self.parted, {"state": "shared"})
                self._mind_children()
                self._hear(STEADY_TURN if self.state["state"] == "ready" else STARTING_TURN)
        except ServiceError as error:
            LOG.error("%s", error)  # noqa: TRY400 - the sentence is all there is to say; its cause is in the child's log
            self._tell({"state": "failed", "sentence": error.sentence})
            return 1
        finally:
            self._stop()
        return 0

    def stop_soon(self, *_: object) -> None:
        """The answer to SIGTERM and SIGINT: end at the next turn."""
        self.over = True

    def _hear(self, seconds: float) -> None:
        for key, _events in self.selector.select(seconds):
            if key.fileobj is self.listener:
                self._greet(self.listener.accept()[0])
            elif isinstance(key.fileobj, socket.socket) and key.fileobj in self.clients:
                self._hear_client(key.fileobj)
            elif isinstance(key.fileobj, socket.socket):
                key.fileobj.recv(4096)  # the wake-up of a signal: a child may have ended

    def _greet(self, client: socket.socket) -> None:
        client.setblocking(False)
        self.clients.add(client)
        self.selector.register(client, selectors.EVENT_READ)
        _send(client, self.state)

    def _hear_client(self, client: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                if client.recv(4096):
                    return
            except ConnectionError:
                LOG.info("a client was cut off")
            self._part(client)

    def _part(self, client: socket.socket) -> None:
        """A client lets go. The last one is closed when everything is stopped: it may wait for that."""
        self.selector.unregister(client)
        self.clients.discard(client)
        self.parted.append(client)
        cancel_orphans(self.settings)

    def _mind_children(self) -> None:
        stage = self._stages_up()
        for plan in self.plans:
            child = self.running.get(plan.name)
            if child is None:
                if plan.stage <= stage and time.monotonic() >= self.not_before.get(plan.name, 0.0):
                    self._start(plan)
            elif child.exit_code() is not None:
                self._bury(child)
            elif not child.is_up:
                self._ask(child)
        names = [name for name, child in self.running.items() if child.is_up]
        if names != self.state["up"]:
            ready = len(names) == len(self.plans)
            self.was_ready |= ready
            self.state = {"state": "ready" if ready else "starting", "up": names}
            self._tell(self.state)

    def _stages_up(self) -> int:
        """The stage that may start now: one above the last stage of which every child is up."""
        waiting = [
            p.stage for p in self.plans if p.name not in self.running or not self.running[p.name].is_up
        ]
        return min(waiting, default=len(self.plans))

    def _start(self, plan: ChildPlan) -> None:
        LOG.info("starting %s", plan.name)
        environment: Mapping[str, str] = {
            **os.environ,
            leftovers.MARK: leftovers.mark(self.settings),
            "WHEELFARM_HOME": str(self.settings.home),
        }
        self.running[plan.name] = ChildProcess(plan, self.settings.logs, environment)

    def _ask(self, child: ChildProcess) -> None:
        if child.plan.up():
            child.is_up = True
            LOG.info("%s is up after %.2f s", child.plan.name, child.age)
        elif child.age > child.plan.up_seconds:
            if not self.was_ready:
                raise _failure(child, f"did not come up in {child.plan.up_seconds:.0f} s")
            child.kill()  # and bury it: the jobs that are at work need the others

    def _bury(self, child: ChildProcess) -> None:
        """A child has ended by itself: start it again a little later, unless it does so all the time."""
        child.kill()
        del self.running[child.plan.name]
        LOG.warning("%s ended with exit code %s", child.plan.name, child.exit_code())
        moment = time.monotonic()
        deaths = [at for at in self.deaths[child.plan.name] if at > moment - DEATHS_SECONDS] + [moment]
        self.deaths[child.plan.name] = deaths
        if len(deaths) > DEATHS_ALLOWED or (not self.was_ready and not child.is_up and len(deaths) > 1):
            raise _failure(child, f"ended with exit code {child.exit_code()} again and again")
        self.not_before[child.plan.name] = moment + min(LONGEST_DELAY, 0.1 * 3 ** (len(deaths) - 1))
        self._tell({"state": "restarting", "child": child.plan.name, "exit_code": child.exit_code()})

    def _tell(self, message: Mapping[str, object]) -> None:
        for client in self.clients:
            _send(client, message)

    def _stop(self) -> None:
        """End the children, last started first. New clients find no socket, and start the next supervisor."""
        self.settings.farm_socket.unlink(missing_ok=True)
        self.listener.close()
        for plan in reversed(self.plans):
            child = self.running.pop(plan.name, None)
            if child is not None:
                LOG.info("stopping %s", plan.name)
                child.stop()
        leftovers.clear(self.settings)
        self._dismiss([*self.parted, *self.clients], {"state": "stopped"})

    def _dismiss(self, clients: list[socket.socket], word: Mapping[str, object]) -> None:
        for client in clients:
            _send(client, word)
            client.close()
        clients.clear()


def main(arguments: Sequence[str]) -> int:
    """The entry point of the process; `arguments` is the file descriptor of the first client."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s supervisor %(levelname)s %(message)s")
    settings = Settings()
    client = socket.socket(fileno=int(arguments[0]))
    with sole(settings) as alone:
        if not alone:
            return BUSY
        left = leftovers.clear(settings)
        if left:
            LOG.warning("%d processes of a killed service were ended", left)
        cancel_orphans(settings)
        chosen = os.environ.get(ONLY, ",".join(NAMES)).split(",")
        plans = [plan for plan in children(settings) if plan.name in chosen]
        supervisor = Supervisor(settings, plans, client)
        with waking(supervisor):
            return supervisor.run()


@contextlib.contextmanager
def sole(settings: Settings) -> Iterator[bool]:
    """Whether this process alone supervises the home; the lock goes with the process, however it ends."""
    settings.prepare()
    with (settings.sockets / "supervisor.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


@contextlib.contextmanager
def waking(supervisor: Supervisor) -> Iterator[None]:
    """Signals end the turn of the loop at once: a child that ended, or the wish to stop."""
    reader, writer = socket.socketpair()
    reader.setblocking(False)
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGTERM, supervisor.stop_soon)
    signal.signal(signal.SIGINT, supervisor.stop_soon)
    supervisor.selector.register(reader, selectors.EVENT_READ)
    try:
        yield
    finally:
        signal.set_wakeup_fd(-1)
        reader.close()
        writer.close()


def _send(client: socket.socket, message: Mapping[str, object]) -> None:
    # A client that does not read, or has gone, is noticed when it is read from.
    with contextlib.suppress(OSError):
        client.send(json.dumps(message).encode() + b"\n", socket.MSG_NOSIGNAL)


def _failure(child: ChildProcess, what: str) -> ServiceError:
    tail = child.tail() or "(it wrote nothing)"
    sentence = f"{child.plan.name} of the embedded service {what}; the end of {child.log}:\n{tail}"
    return ServiceError(sentence, child=child.plan.name, log=str(child.log))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
