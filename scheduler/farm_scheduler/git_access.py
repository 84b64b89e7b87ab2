"""What git, and what tells forges and webhooks, may ask: which schemes, which hosts, and at which addresses.

Called by sources before any git runs, and (`check_url`, which looks nothing up) by doors that refuse at once. A URL
comes from people and from forges' messages, and git runs beside the farm's own services: so by default only https to
public addresses. The address that was checked is the one that git uses (`http.curloptResolve`), as a name may be
resolved otherwise a moment later; feedback connects to it as well. It never connects to anything itself.
"""

import ipaddress
import socket
from urllib.request import getproxies_environment, proxy_bypass

from farm_scheduler.errors import IndexUnavailableError, TargetError
from farm_scheduler.settings import Settings
from farm_scheduler.url_parts import read_url

PORTS = {"https": 443, "http": 80}


INNER_DOMAINS = frozenset(
    {"localhost", "local", "internal", "lan", "home", "corp", "intranet", "onion", "arpa"}
)
"""Last parts of names that nobody has on the internet."""

NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Public IPv4 hosts as a network without IPv4 sees them (RFC 6052), each in the last bits of its address."""

TRANSITION = [
    ipaddress.ip_network(each)
    for each in ("::/96", "::ffff:0:0:0/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
]
"""Other IPv6 addresses that are IPv4 ones inside; nobody's forge needs them."""


def check_url(url: str, settings: Settings) -> bool:
    """Refuse at once what needs no look-up: a scheme, an address, an inner name. Whether a setting trusts the host.

    Raises:
        TargetError: the farm does not ask it.
    """
    scheme = read_url(url).scheme
    if scheme == "file":
        if settings.git_files:
            return True
        sentence = (
            f"{url} is a folder of the farm's host; give it as ./folder, or set WHEELFARM_GIT_FILES=true"
        )
        raise TargetError(sentence, url=url)
    if scheme not in PORTS:
        sentence = f"{url} is not asked: the farm asks over https only; write https://HOST/PATH"
        raise TargetError(sentence, url=url)
    host, port = _place(url)
    if {host, f"{host}:{port}"} & {each.lower() for each in settings.git_hosts}:
        return True
    if scheme == "http":
        sentence = f"{url} is not asked: the farm asks over https only; add {host} to WHEELFARM_GIT_HOSTS"
        raise TargetError(sentence, url=url, host=host)
    if _is_address(host):
        _refuse_internal(url, host, host)
    elif _is_inner(host):
        raise _not_public(url, host, host)
    return False


def check_access(url: str, settings: Settings) -> tuple[str, ...]:
    """Git's options for asking this URL: none but the addresses that were found and are allowed.

    Raises:
        TargetError: the farm does not ask it.
        IndexUnavailableError: its host has no address.
    """
    addresses = allowed_addresses(url, settings)
    if not addresses:
        return ()
    host, port = _place(url)
    shown = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    return ("-c", f"http.curloptResolve={host}:{port}:{shown}")


def allowed_addresses(url: str, settings: Settings) -> tuple[str, ...]:
    """The addresses at which this URL may be asked, and nowhere else; none where that is somebody else's business.

    That is a host which a setting trusts, or a proxy, which finds the address itself.

    Raises:
        TargetError: the farm does not ask it.
        IndexUnavailableError: its host has no address.
    """
    if check_url(url, settings):
        return ()
    host, port = _place(url)
    if read_url(url).scheme in getproxies_environment() and not proxy_bypass(host):
        return ()
    addresses = _addresses(url, host, port)
    for address in addresses:
        _refuse_internal(url, host, address)
    return tuple(addresses)


def _place(url: str) -> tuple[str, int]:
    parts = read_url(url)
    host, port = (parts.hostname or "").rstrip("."), parts.port or PORTS.get(parts.scheme, 0)
    if not host or host.startswith("-"):
        raise TargetError(f"{url} names no host; write https://HOST/PATH", url=url)
    return host, port


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_inner(host: str) -> bool:
    """A name of the farm's own network, or an address in a spelling of its own (`127.1`, `0x7f000001`)."""
    last = host.rpartition(".")[2].lower()
    return "." not in host or last in INNER_DOMAINS or last[:1].isdigit()


def _addresses(url: str, host: str, port: int) -> list[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        sentence = f"the host of {url} has no address ({error}); check the URL, or try again later"
        raise IndexUnavailableError(sentence, url=url) from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def _refuse_internal(url: str, host: str, address: str) -> None:
    """Loopback, private, link-local and all the rest that is not the public network."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        if found.is_site_local or any(found in each for each in TRANSITION):
            raise _not_public(url, host, address)
        if found.ipv4_mapped is not None or found in NAT64:
            found = ipaddress.IPv4Address(int(found) & 0xFFFFFFFF)
    if not found.is_global or found.is_multicast:
        raise _not_public(url, host, address)


def _not_public(url: str, host: str, address: str) -> TargetError:
    sentence = (
        f"{url} leads to {address}, which is no public address; add {host} to WHEELFARM_GIT_HOSTS to allow it"
    )
    return TargetError(sentence, url=url, host=host, address=address)
