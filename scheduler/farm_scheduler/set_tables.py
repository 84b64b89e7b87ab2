"""The tables of what was installed: the set of each environment of an attempt, and the files that its machine fetched.

Read and written by installed_sets. What a guest said of itself stands here as it was read, bounded; nothing is decided
by it.
"""

from typing import Any

from sqlalchemy import JSON, Column
from sqlmodel import Field, SQLModel


class InstalledSet(SQLModel, table=True):
    """What one environment of an attempt had once it was made.

    `installer` is the word by which it was decided. `lock` is `{"path", "sha256", "format"}`, or None; `constraints`
    are `{"source", "sha256"}`. `packages` are `{"name", "version", "file", "url", "hash"}` by name, of which the last
    three may be None, `size` how many; `yanked` are names of withdrawn releases as `name==version`. `pylock` is the
    pylock.toml of it.
    """

    __tablename__ = "installedset"

    id: int | None = Field(default=None, primary_key=True)
    attempt_id: str = Field(foreign_key="attempt.id", index=True)
    environment: str
    installer: str
    lock: dict[str, Any] | None = Field(default=None, sa_column=Column(JSON, nullable=True))
    constraints: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    packages: list[dict[str, Any]] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    size: int = 0
    yanked: list[str] = Field(default_factory=list, sa_column=Column(JSON, nullable=False))
    pylock: str | None = None


class FetchedFile(SQLModel, table=True):
    """A file that the machine of an attempt had from the index proxy; `sha256` is None where the index has none."""

    __tablename__ = "fetchedfile"

    id: int | None = Field(default=None, primary_key=True)
    attempt_id: str = Field(foreign_key="attempt.id", index=True)
    file: str
    sha256: str | None = None
    bytes: int = 0
