"""Requests of one caller, counted for all servers in one real Redis."""

import signal
import time

import pytest

from farm_api.v1.shared_rates import APART_SECONDS, SharedRates
from farm_scheduler.errors import TooBusyError


@pytest.fixture
def servers(settings, redis):
    """Two servers of one farm that allow sixty requests a minute."""
    del redis
    bounded = settings.model_copy(update={"requests_per_minute": 60})
    found = [SharedRates(bounded), SharedRates(bounded)]
    yield found
    for each in found:
        each.close()


def test_two_servers_count_together(servers):
    """What one allowed counts for the other, each caller for itself, and the bucket fills with time."""
    for number in range(60):
        servers[number % 2].take("a")
    for server in servers:
        with pytest.raises(TooBusyError) as refused:
            server.take("a")
        assert refused.value.data["retry_after"] == 1
    servers[0].take("b", 20)
    time.sleep(1.1)
    servers[1].take("a")


def test_a_cost_above_the_rest_takes_nothing(servers):
    """What is refused is not counted, so that asking on does not lock a caller out."""
    servers[0].take("a", 50)
    with pytest.raises(TooBusyError) as refused:
        servers[1].take("a", 20)
    assert 9 <= refused.value.data["retry_after"] <= 10
    servers[1].take("a", 9)


def test_without_redis_each_counts_for_itself(servers, redis, settings):
    """Redis that dies delays nobody, each server goes on with the same bound, and they count together again."""
    servers[0].take("a")
    redis.process.kill()
    redis.process.wait(timeout=10)
    settings.redis_socket.unlink(missing_ok=True)
    began = time.monotonic()
    for server in servers:
        for _ in range(60):
            server.take("a")
        with pytest.raises(TooBusyError):
            server.take("a")
    assert time.monotonic() - began < 2
    redis.start()
    time.sleep(APART_SECONDS + 0.1)
    for _ in range(30):
        servers[0].take("c")
        servers[1].take("c")
    with pytest.raises(TooBusyError):
        servers[0].take("c")


def test_a_hung_redis_costs_a_moment_once(servers, redis):
    """A Redis that takes connections and says nothing is asked once, and then not for a while."""
    redis.process.send_signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        for _ in range(50):
            servers[0].take("a")
        assert time.monotonic() - began < 2
    finally:
        redis.process.send_signal(signal.SIGCONT)
