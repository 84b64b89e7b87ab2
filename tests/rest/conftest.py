"""A farm whose jobs need no machine, with a real Redis and a real worker: the fixtures of the engine's tests."""

from ..services.test_engine_tasks import database, redis, settings, worker  # noqa: F401 - fixtures
