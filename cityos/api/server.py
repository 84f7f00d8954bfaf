"""Runs the API in this process."""

from __future__ import annotations

from types import FrameType

import uvicorn

from cityos.api.app import CityApi

_STOP_WITHIN_S = 5
_BACKLOG = 2048


def serve(app: CityApi, *, host: str, port: int, trusted_proxies: str = "127.0.0.1,::1") -> None:
    """Serve until the process is told to stop (SIGINT, SIGTERM).

    ``trusted_proxies`` are the addresses whose ``X-Forwarded-For`` is believed.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        access_log=False,
        log_level="warning",
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=trusted_proxies,
        backlog=_BACKLOG,
        timeout_graceful_shutdown=_STOP_WITHIN_S,
    )
    _Server(config, app).run()


class _Server(uvicorn.Server):
    """Live streams never end by themselves: they are let go as soon as the signal comes."""

    def __init__(self, config: uvicorn.Config, app: CityApi) -> None:
        super().__init__(config)
        self._app = app

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._app.let_go()
        super().handle_exit(sig, frame)
