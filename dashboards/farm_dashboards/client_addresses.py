"""The client behind an address, for what is counted and held open by those who give no token.

Used by job_pages, and by the API. It knows nobody's name.
"""

from contextlib import suppress
from ipaddress import IPv6Address, IPv6Network

PREFIX = "address "
"""Of all such clients; tokens have ids of their own."""

HOST_BITS = 64
"""Of an IPv6 address: whoever has one has all that differ in these."""


def client_at(host: str | None) -> str:
    """Whom a request without a token counts for: its IPv4 address, or the network of its IPv6 address."""
    with suppress(ValueError):
        address = IPv6Address(host or "")
        network = IPv6Network((int(address), IPv6Address(0).max_prefixlen - HOST_BITS), strict=False)
        host = str(address.ipv4_mapped or network)
    return f"{PREFIX}{host or 'unknown'}"
