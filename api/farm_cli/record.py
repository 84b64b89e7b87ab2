"""The record as the commands open it: settings from the environment, and a database of this program's schema.

Called by every command that reads or writes the record. It never starts the service.
"""

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import ValidationError
from sqlalchemy.exc import OperationalError

from farm_scheduler.database import Database
from farm_scheduler.disk_room import check_room, is_full, no_room
from farm_scheduler.errors import InputError, RecordError
from farm_scheduler.roles import LOCAL, Caller
from farm_scheduler.schema import upgrade
from farm_scheduler.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """What a command needs to know of its farm."""

    settings: Settings
    database: Database


def read_settings() -> Settings:
    """The settings of this process.

    Raises:
        InputError: a `WHEELFARM_…` variable has a value that cannot be used.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = "WHEELFARM_" + "_".join(str(part) for part in first["loc"]).upper()
        raise InputError(f"{name} cannot be used: {first['msg'].lower()}", variable=name) from error


def local_caller() -> Caller:
    """The person at this machine, as the audit log names them: `local:NAME`, also where sudo made them root."""
    names = [os.environ.get("SUDO_USER", "") if os.getuid() == 0 else ""]
    try:
        names.append(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        names.append(str(os.getuid()))  # a container's number without a name
    name = next(re.sub(r"[^a-z0-9._-]", "-", each.lower())[:32] for each in names if each)
    return Caller(actor=f"{LOCAL.actor}:{name}", role=LOCAL.role)


@contextmanager
def open_record() -> Iterator[Record]:
    """The record, brought to this program's schema; closed at the end.

    Raises:
        InputError: a setting cannot be used.
        RecordError: the database cannot be opened.
        NoRoomError: the disk is full.
    """
    settings = read_settings()
    try:
        settings.prepare()
        database = Database(settings.record_url)
        upgrade(database)
    except OSError as error:
        check_room(error, settings.home)
        sentence = f"the farm's home {settings.home} cannot be written ({error.strerror}); set WHEELFARM_HOME"
        raise RecordError(sentence, home=str(settings.home)) from error
    except OperationalError as error:
        if is_full(settings.home):
            raise no_room(settings.home) from error
        sentence = (
            f"the record cannot be opened ({error.orig}); check WHEELFARM_HOME and WHEELFARM_DATABASE_URL"
        )
        raise RecordError(sentence) from error
    try:
        yield Record(settings=settings, database=database)
    finally:
        database.close()
