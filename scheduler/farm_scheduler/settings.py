"""The settings of a farm on one host: read from the environment once, frozen, and passed on.

Called by entry points only (the command, the supervisor, the worker, the API). Nothing here touches the disk
or the network, and farm_images never sees this class: it is given plain values.
"""

import hashlib
import os
import re
import tempfile
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, computed_field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from farm_scheduler.home import default_home
from farm_scheduler.host_kinds import X86_64, HostKinds

SOCKET_PATH_LIMIT = 107
"""The longest path of a unix socket in bytes, `sun_path` less its end (unix(7))."""

KIND = r"^[a-z0-9][a-z0-9._-]{0,31}$"
"""What a kind of host may be called: it is part of the name of a queue."""

LONGEST_SOCKET_NAME = 24
"""Bytes kept for the names of the sockets in the folder of sockets."""


def default_pyenv_root() -> Path | None:
    """`$PYENV_ROOT`, or `~/.pyenv` when that folder is there, or None."""
    named = os.environ.get("PYENV_ROOT")
    if named:
        return Path(named)
    usual = Path.home() / ".pyenv"
    return usual if usual.is_dir() else None


class Settings(BaseSettings):
    """Everything a process of the farm may be told, from `WHEELFARM_…` variables.

    Sizes are in bytes unless the name says MiB; times are in seconds. Paths are absolute.
    """

    model_config = SettingsConfigDict(env_prefix="WHEELFARM_", frozen=True, extra="ignore")

    home: Path = Field(default_factory=default_home)
    index_url: str = "https://pypi.org/simple/"
    debian_mirror: str = "http://deb.debian.org/"
    database_url: str = ""
    redis_url: str = ""
    secret_key: SecretStr = SecretStr("")
    public_url: str = ""
    smtp_url: SecretStr = SecretStr("")
    mail_from: str = "wheelfarm@localhost"
    webhook_bytes: int = Field(default=8 * 1024**2, gt=0)
    host_kind: str = Field(default=X86_64, pattern=KIND)
    system_hosts: Annotated[dict[str, Annotated[str, Field(pattern=KIND)]], NoDecode] = Field(
        default_factory=dict
    )
    slots: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    memory_mib: int = Field(default=1024, ge=256)
    vcpus: int = Field(default=1, ge=1)
    waiting_clones: bool = True
    package_disk: bool = True
    job_seconds: float = Field(default=1800, gt=0)
    lease_seconds: float = Field(default=40, gt=0)
    shell_seconds: float = Field(default=4 * 3600, gt=0)
    shell_idle_seconds: float = Field(default=1800, gt=0)
    log_bytes: int = Field(default=64 * 1024**2, gt=0)
    stream_bytes: int = Field(default=256 * 1024**2, gt=0)
    source_bytes: int = Field(default=512 * 1024**2, gt=0)
    index_seconds: float = Field(default=20, gt=0)
    index_fresh_seconds: float = Field(default=3600, ge=0)
    watch_seconds: float = Field(default=300, gt=0)
    changelog_url: str = "https://pypi.org/pypi"
    git_seconds: float = Field(default=300, gt=0)
    git_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    git_files: bool = False
    pyenv_root: Path | None = Field(default_factory=default_pyenv_root)
    python_mirror: str = ""
    keep_images_days: float = Field(default=30, ge=0)
    keep_evidence_days: float = Field(default=90, ge=0)
    public_read: bool = True
    requests_per_minute: int = Field(default=1200, ge=1)
    qemu_user: str = "libvirt-qemu"
    systems: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("debian-12", "debian-13", "forky"), min_length=1
    )

    @field_validator("systems", "git_hosts", mode="before")
    @classmethod
    def _read_names(cls, value: object) -> object:
        """`WHEELFARM_SYSTEMS` and `WHEELFARM_GIT_HOSTS` are lists with commas."""
        return tuple(filter(None, re.split(r"[\s,]+", value))) if isinstance(value, str) else value

    @field_validator("system_hosts", mode="before")
    @classmethod
    def _read_pairs(cls, value: object) -> object:
        """`WHEELFARM_SYSTEM_HOSTS` is a list of `SYSTEM=KIND` with commas."""
        if not isinstance(value, str):
            return value
        pairs = [each.partition("=") for each in filter(None, re.split(r"[\s,]+", value))]
        return {system: kind for system, _, kind in pairs}

    def model_post_init(self, context: object) -> None:
        """Make `home` absolute: every process of the farm must mean the same folder."""
        del context
        object.__setattr__(self, "home", Path(os.path.abspath(self.home.expanduser())))  # noqa: PTH100 - resolve() would follow the user's links

    @computed_field  # type: ignore[prop-decorator]  # pydantic documents this order; mypy cannot follow it
    @cached_property
    def sockets(self) -> Path:
        """The folder of the unix sockets: `home/run`, or a short one in the temp folder when home is deep."""
        near = self.home / "run"
        if len(os.fsencode(near)) + 1 + LONGEST_SOCKET_NAME <= SOCKET_PATH_LIMIT:
            return near
        name = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"wheelfarm-{os.getuid()}-{name}"

    @property
    def host_kinds(self) -> HostKinds:
        """Which kind of host each system needs."""
        return HostKinds(named=self.system_hosts)

    def webhook_address(self, forge: str | None) -> str | None:
        """Where a forge, or a relay of releases, sends its webhooks; None without a public address."""
        return f"{self.public_url.rstrip('/')}/webhooks/{forge or 'pypi'}" if self.public_url else None

    @property
    def record_url(self) -> str:
        """The SQLAlchemy URL of the record: `database_url`, or SQLite in the home."""
        return self.database_url or f"sqlite:///{self.home / 'record.sqlite'}"

    @property
    def broker_url(self) -> str:
        """The URL of the broker: `redis_url`, or the private Redis on its unix socket."""
        return self.redis_url or f"redis+socket://{self.redis_socket}"

    @property
    def redis_socket(self) -> Path:
        """Where the private Redis listens."""
        return self.sockets / "redis.sock"

    @property
    def holder_socket(self) -> Path:
        """Where the holder of this host's machines listens."""
        return self.sockets / "holder.sock"

    @property
    def index_socket(self) -> Path:
        """Where the package index proxy takes the listeners of machines."""
        return self.sockets / "index.sock"

    @property
    def farm_socket(self) -> Path:
        """Where the supervisor of the embedded service counts its clients."""
        return self.sockets / "farm.sock"

    @property
    def images(self) -> Path:
        """Images: `NAME/DIGEST/…`."""
        return self.home / "images"

    @property
    def recipes(self) -> Path:
        """The user's own recipes: `NAME.toml`."""
        return self.home / "recipes"

    @property
    def pythons(self) -> Path:
        """What uv fetched of Python, to be copied into images."""
        return self.home / "pythons"

    @property
    def streams(self) -> Path:
        """Raw evidence: `ATTEMPT.subunit`."""
        return self.home / "streams"

    @property
    def sources(self) -> Path:
        """Source archives: `SHA256.tar.gz`."""
        return self.home / "sources"

    @property
    def uploads(self) -> Path:
        """Files that people send in pieces: `UPLOAD`."""
        return self.home / "uploads"

    @property
    def logs(self) -> Path:
        """The logs of the farm's own processes."""
        return self.home / "logs"

    def prepare(self) -> None:
        """Make the folders that are missing; the folder of sockets is for this user only.

        Raises:
            OSError: a folder cannot be made.
        """
        for folder in (self.images, self.streams, self.sources, self.uploads, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        self.sockets.mkdir(parents=True, exist_ok=True, mode=0o700)
