"""A relay of package releases: whoever hears of releases tells the farm, signed after Standard Webhooks.

Called by the door `/webhooks/pypi`. The body is `{"type": "release", "project": NAME, "version": VERSION}`. The package
index itself has no webhooks; the farm's own watcher needs no relay. Nothing is asked of the index here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from farm_api.errors import BodyError
from farm_api.webhooks.forge import Message, Payload, Reading, Wish, header, look, text
from farm_api.webhooks.signatures import standard_fits
from farm_scheduler.triggers import Trigger


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRelay:
    """Whoever relays the releases of a package index."""

    name: str = "pypi"
    signs_ids: bool = True

    def is_signed(self, headers: Mapping[str, str]) -> bool:
        """Whether it has a signature."""
        return bool(header(headers, "webhook-signature"))

    def fits(self, message: Message, secrets: Sequence[str]) -> bool:
        """Whether the signature is that of id, time and body, and not old."""
        headers = message.headers
        name, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        return standard_fits(name, timestamp, headers.get("webhook-signature", ""), message.body, secrets)

    def kind(self, message: Message) -> str:
        """`release`."""
        return str(look(message.payload, "type") or "")

    def delivery_id(self, message: Message) -> str:
        """The signed id."""
        return header(message.headers, "webhook-id")

    def repository(self, payload: Payload) -> str:
        """No URL but the name of the project, normalized."""
        try:
            return canonicalize_name(text(payload, "project"), validate=True)
        except InvalidName as error:
            raise BodyError("the payload's project is no name of a package; check the relay") from error

    def read(self, message: Message) -> Reading:
        """The release, or nothing."""
        kind = self.kind(message)
        if kind != "release":
            return Reading(reason=f"nothing follows from {kind or 'an event without a name'}")
        try:
            version = str(Version(text(message.payload, "version")))
        except InvalidVersion as error:
            raise BodyError("the payload's version is none; check the relay") from error
        return Reading(wishes=(Wish(trigger=Trigger.RELEASE, version=version),))
