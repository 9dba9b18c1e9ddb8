"""The live page: runs in a browser, on this machine only.

``trialwright serve runs``, ``python -m trialwright.page runs``, or ``Engine(..., page=True)``. It needs the extra
``page``: ``pip install 'trialwright[page]'``.
"""

from __future__ import annotations

import os
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path

HOST = "127.0.0.1"


def serve(
    where: str | os.PathLike[str] | None = None,
    *,
    port: int = 0,
    control: bool = False,
    tell: Callable[[str], object] = print,
    until: Callable[[], object] | None = None,
) -> None:
    """Show a run, or all runs in a directory, until the process is interrupted.

    Args:
        where: the directory of a run, or a directory of runs; None for the one in which runs are kept by default.
        port: of the page on 127.0.0.1; 0 for any that is free.
        control: whether the page may stop trials, and enqueue new ones.
        tell: called with the address, which holds the page's secret token.
        until: when this returns, the page ends; it is called in a thread.

    Raises:
        ImportError: starlette or uvicorn is not installed.
        ValueError: there is no such directory, or it has no run; or the port is none.
        OSError: the port is in use.
    """
    try:
        import starlette  # noqa: F401 - so that what is missing is said at once
        import uvicorn
    except ImportError as error:
        raise ImportError("the page needs starlette and uvicorn: pip install 'trialwright[page]'") from error
    from trialwright.page.runs import Runs
    from trialwright.page.server import app
    from trialwright.page.serving import Server

    if not 0 <= port <= 65_535:
        raise ValueError(f"port must be from 0 to 65535, not {port}")
    ending = threading.Event()
    runs, token = Runs(None if where is None else Path(where)), secrets.token_urlsafe(24)
    with socket.create_server((HOST, port)) as listener:
        config = uvicorn.Config(
            app(runs, token, control=control, is_over=ending.is_set),
            log_level="warning",
            access_log=False,
            server_header=False,
            limit_concurrency=256,
            timeout_keep_alive=30,
            timeout_graceful_shutdown=1,
        )
        tell(f"http://{HOST}:{listener.getsockname()[1]}/?token={token}")
        Server(config, ending, until).run(sockets=[listener])


__all__ = ["serve"]
