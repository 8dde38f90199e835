"""The RTSP server: several cameras by path on one port of one event loop."""

import asyncio
from collections.abc import Mapping
from random import Random

from shilu.cameras.auth import Accounts
from shilu.cameras.camera import Camera
from shilu.cameras.listener import Listener
from shilu.cameras.rtsp_connection import RtspConnection, Service


class RtspServer:
    """Sends each client what it can take; one that leaves more than `backlog_limit_bytes` lying is dropped, and the
    others never wait for it."""

    def __init__(
        self, cameras: Mapping[str, Camera], accounts: Accounts, backlog_limit_bytes: int, rng: Random
    ) -> None:
        self._service = Service(cameras, accounts, backlog_limit_bytes, set())
        self._rng = rng
        self.listener = Listener(self._connection)

    def url(self, path: str) -> str:
        return f"rtsp://{self.listener.address}/{path}"

    def _connection(self) -> RtspConnection:
        return RtspConnection(self._service, Random(self._rng.getrandbits(64)))  # noqa: S311 - must be repeatable

    async def stop(self) -> None:
        """Close the port and every connection."""
        self.listener.close()
        for connection in list(self._service.connections):
            connection.close()
        await asyncio.sleep(0)  # the transports close their sockets in the loop's next turn
