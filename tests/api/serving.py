"""A real server of the application, for the tests of the doors."""

import contextlib
import threading

import httpx
import uvicorn

from farm_api.application import create_app
from farm_api.connection import BoundedConnection
from farm_api.server import LOCAL_NAMES, bind


@contextlib.contextmanager
def served(settings):
    """A client of the application, which a real server serves."""
    listener = bind("127.0.0.1", 0)
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings, LOCAL_NAMES), http=BoundedConnection, log_level="warning")
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        port = listener.getsockname()[1]
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30, trust_env=False) as found:
            yield found
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        listener.close()
