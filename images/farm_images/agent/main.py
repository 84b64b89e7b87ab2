"""The agent's entry point: options, the user, the folders, and then the conversation.

Called by the archive's `__main__`. Without options it is what the guest's unit starts; `--starter` is for
the agent itself. It never returns while the channel lives.
"""

import argparse
import ipaddress
import sys
from pathlib import Path

from farm_images.agent import channel, job_user, network, package_cache
from farm_images.agent.caches import fill_caches
from farm_images.agent.confinement import Confinement
from farm_images.agent.conversation import Conversation
from farm_images.agent.job import Guest
from farm_images.agent.packets import Packets
from farm_images.agent.places import Places
from farm_images.wire import GUEST_ADDRESS

_PORT_SECONDS = 60.0


def main() -> None:
    """Run what the command line says. Raises OSError without a channel, KeyError without a user `job`."""
    options = _parser().parse_args()
    if options.starter is not None:
        from farm_images.agent.starter import serve

        become = serve(options.starter, options.plugins, options.preload)
        become()
        return
    places = Places(root=options.root, archive=Path(sys.argv[0]).absolute())
    user = job_user.find(unprivileged=options.unprivileged)
    if options.warm is not None:
        failed = fill_caches(tuple(options.warm), places, user)
        sys.exit("".join(f"{path}: {reason}\n" for path, reason in failed.items()) or 0)
    _converse(options, places, user)


def _converse(options: argparse.Namespace, places: Places, user: job_user.JobUser) -> None:
    for folder in (places.spool, places.run):
        folder.mkdir(parents=True, exist_ok=True)
    if user.drop:
        network.configure(ipaddress.IPv4Interface(GUEST_ADDRESS))
        package_cache.mount(places, user)
    opened = (
        channel.open_port(_PORT_SECONDS) if options.channel is None else channel.open_socket(options.channel)
    )
    guest = Guest(
        places=places,
        user=user,
        confinement=Confinement(user),
        channel=opened,
        packets=Packets(opened),
    )
    Conversation(guest, privileged=user.drop).run()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="agent.pyz", description=__doc__)
    parser.add_argument("--channel", type=Path, help="a unix socket instead of the virtio port")
    parser.add_argument("--unprivileged", action="store_true", help="run jobs as the caller (tests)")
    parser.add_argument("--root", type=Path, default=Path("/"), help="the folder that stands for / (tests)")
    parser.add_argument("--warm", nargs="*", metavar="PYTHON", help="fill the caches for these and exit")
    parser.add_argument("--starter", type=int, metavar="FD", help="be the first process of a job")
    parser.add_argument("--plugins", help="with --starter: the folder of the tox plugin")
    parser.add_argument("--preload", action="store_true", help="with --starter: import tox ahead of time")
    return parser
