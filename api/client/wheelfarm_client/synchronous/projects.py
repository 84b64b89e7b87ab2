"""The projects of a farm: made, changed and removed; the secrets of their webhooks, their releases, and who is told.

A part of farm. A secret is in the answer that makes it, and nothing of it is kept here.
"""

from typing import Any, Dict, Iterator, List, Optional

from wheelfarm_client import models
from wheelfarm_client.decoding import decode, decode_items
from wheelfarm_client.paths import path_of
from wheelfarm_client.synchronous.connection import Connection


class Projects(Connection):
    """The operations on projects, and on patterns of names."""

    def list_projects(self, *, limit: int = 100) -> Iterator[models.Project]:
        """The projects that the farm follows."""
        for item in self.pages("/projects", {"limit": limit}):
            yield decode(models.Project, item)

    def get_project(self, project: str) -> models.Project:
        """One project, by any spelling of its name."""
        return decode(models.Project, self.request("GET", path_of("projects", project)))

    def make_project(
        self,
        name: str,
        *,
        forge: Optional[str] = None,
        repository: Optional[str] = None,
        weight: float = 1.0,
        quota: Optional[int] = None,
    ) -> models.Project:
        """Follow a project."""
        body = {"name": name, "forge": forge, "repository": repository, "weight": weight, "quota": quota}
        return decode(models.Project, self.request("POST", "/projects", body=body))

    def change_project(
        self,
        project: str,
        *,
        paused: Optional[bool] = None,
        weight: Optional[float] = None,
        quota: Optional[int] = None,
        no_quota: bool = False,
        repository: Optional[str] = None,
        forge: Optional[str] = None,
    ) -> models.Project:
        """Change what is given; `no_quota` ends the quota."""
        wanted = {
            "paused": paused,
            "weight": weight,
            "quota": quota,
            "repository": repository,
            "forge": forge,
        }
        body: Dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
        if no_quota:
            body["quota"] = None
        return decode(models.Project, self.request("PATCH", path_of("projects", project), body=body))

    def delete_project(self, project: str) -> models.Removal:
        """Follow a project no longer; its runs stay, as runs of no project."""
        return decode(models.Removal, self.request("DELETE", path_of("projects", project)))

    def list_secrets(self, project: str) -> List[models.WebhookSecret]:
        """The valid secrets of its webhooks, newest first, without their text."""
        found = self.request("GET", path_of("projects", project, "secrets"))
        return decode_items(models.WebhookSecret, found)

    def make_secret(self, project: str, *, given: Optional[str] = None) -> models.MadeSecret:
        """A new secret, whose text is told once, or one that the forge made; the one before stays valid."""
        body = {"given": given}
        return decode(
            models.MadeSecret, self.request("POST", path_of("projects", project, "secrets"), body=body)
        )

    def end_secret(self, project: str, secret: str) -> None:
        """End a secret, by its id."""
        self.request("DELETE", path_of("projects", project, "secrets", secret))

    def list_followings(self, *, limit: int = 100) -> Iterator[models.Following]:
        """The projects whose releases are followed."""
        for item in self.pages("/followings", {"limit": limit}):
            yield decode(models.Following, item)

    def get_following(self, project: str) -> models.Following:
        """How the last look for releases of a project went; MissingError where they are not followed."""
        return decode(models.Following, self.request("GET", path_of("projects", project, "following")))

    def follow_project(self, project: str) -> models.Following:
        """Follow its releases from now on."""
        return decode(models.Following, self.request("PUT", path_of("projects", project, "following")))

    def unfollow_project(self, project: str) -> None:
        """Follow them no longer."""
        self.request("DELETE", path_of("projects", project, "following"))

    def list_patterns(self, *, limit: int = 100) -> Iterator[models.Pattern]:
        """The patterns of names that are followed."""
        for item in self.pages("/patterns", {"limit": limit}):
            yield decode(models.Pattern, item)

    def follow_pattern(self, pattern: str) -> models.Pattern:
        """Follow the releases of every name that fits."""
        return decode(models.Pattern, self.request("PUT", path_of("patterns", pattern)))

    def unfollow_pattern(self, pattern: str) -> None:
        """Follow it no longer."""
        self.request("DELETE", path_of("patterns", pattern))

    def list_listeners(self, project: str) -> List[models.Listener]:
        """Who is told of its runs."""
        found = self.request("GET", path_of("projects", project, "listeners"))
        return decode_items(models.Listener, found)

    def add_listener(
        self, project: str, channel: str, *, place: Optional[str] = None, token: Optional[str] = None
    ) -> models.MadeListener:
        """Tell somebody of its runs: `status` (with the forge's `token`), `webhook` or `email` (with a `place`)."""
        body = {"place": place, "token": token}
        found = self.request("PUT", path_of("projects", project, "listeners", channel), body=body)
        return decode(models.MadeListener, found)

    def stop_listener(self, project: str, channel: str) -> None:
        """Tell them no longer."""
        self.request("DELETE", path_of("projects", project, "listeners", channel))

    def get_redelivery(self, project: str) -> models.Redelivery:
        """How the last look at GitHub's deliveries went; MissingError where they are not looked through."""
        return decode(models.Redelivery, self.request("GET", path_of("projects", project, "redelivery")))

    def start_redelivery(self, project: str, token: str, *, app: Optional[str] = None) -> models.Redelivery:
        """Have GitHub deliver again what did not arrive; with `app` (its id) the token is the App's private key."""
        body = {"token": token, "app": app}
        found = self.request("PUT", path_of("projects", project, "redelivery"), body=body)
        return decode(models.Redelivery, found)

    def stop_redelivery(self, project: str) -> None:
        """Ask for nothing any more."""
        self.request("DELETE", path_of("projects", project, "redelivery"))
