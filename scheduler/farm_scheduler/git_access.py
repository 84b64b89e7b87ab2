"""What git may ask: which schemes, which hosts, and at which addresses.

Called by sources before any git runs. A URL comes from people and from forges' messages, and git runs beside the farm's
own services: so by default only https to public addresses. The address that was checked is the one that git uses
(`http.curloptResolve`), as a name may be resolved otherwise a moment later. It never connects to anything.
"""

import ipaddress
import socket
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from farm_scheduler.errors import IndexUnavailableError, TargetError
from farm_scheduler.settings import Settings

PORTS = {"https": 443, "http": 80}


def check_access(url: str, settings: Settings) -> tuple[str, ...]:
    """Git's options for asking this URL: none but the addresses that were found and are allowed.

    Raises:
        TargetError: the farm does not ask it.
        IndexUnavailableError: its host has no address.
    """
    parts = urlsplit(url)
    if parts.scheme == "file":
        if settings.git_files:
            return ()
        sentence = (
            f"{url} is a folder of the farm's host; give it as ./folder, or set WHEELFARM_GIT_FILES=true"
        )
        raise TargetError(sentence, url=url)
    if parts.scheme not in PORTS:
        sentence = f"{url} is not fetched: git is asked over https only; write https://HOST/PATH"
        raise TargetError(sentence, url=url)
    host, port = _place(url)
    trusted = {host, f"{host}:{port}"} & {each.lower() for each in settings.git_hosts}
    if parts.scheme == "http" and not trusted:
        sentence = f"{url} is not fetched: git is asked over https only; add {host} to WHEELFARM_GIT_HOSTS"
        raise TargetError(sentence, url=url, host=host)
    if trusted:
        return ()
    if parts.scheme in getproxies_environment() and not proxy_bypass(host):
        if _is_address(host):
            _refuse_internal(url, host, host)
        return ()  # the proxy finds the address
    addresses = _addresses(url, host, port)
    for address in addresses:
        _refuse_internal(url, host, address)
    shown = ",".join(f"[{address}]" if ":" in address else address for address in addresses)
    return ("-c", f"http.curloptResolve={host}:{port}:{shown}")


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    try:
        host, port = (parts.hostname or "").rstrip("."), parts.port or PORTS.get(parts.scheme, 0)
    except ValueError as error:
        raise TargetError(f"{url} has a port that is none; check the URL", url=url) from error
    if not host or host.startswith("-"):
        raise TargetError(f"{url} names no host; write https://HOST/PATH", url=url)
    return host, port


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


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
    mapped = getattr(found, "ipv4_mapped", None) or getattr(found, "sixtofour", None)
    if found.is_global and not found.is_multicast and (mapped is None or mapped.is_global):
        return
    sentence = (
        f"{url} leads to {address}, which is no public address; add {host} to WHEELFARM_GIT_HOSTS to allow it"
    )
    raise TargetError(sentence, url=url, host=host, address=address)
