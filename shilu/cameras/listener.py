"""A listening port that can refuse connections for a while and come back with the same number."""

import asyncio
import socket
from collections.abc import Callable

from shilu.cameras.errors import CameraError

SEND_BUFFER_BYTES = 512 * 1024
"""The kernel's share of what waits for a client: one second of 4 Mb/s, as a small device would have."""


class Listener:
    """Belongs to the event loop's thread."""

    def __init__(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        self._protocol = protocol
        self._server: asyncio.Server | None = None
        self._host, self._port = "", 0

    @property
    def address(self) -> str:
        """`host:port`."""
        return f"{self._host}:{self._port}"

    async def open(self, host: str, port: int) -> None:
        """Listen; port 0 takes any free one.

        Raises:
            CameraError: the address cannot be listened on.
        """
        try:
            listening = socket.create_server((host, port), backlog=64)
        except OSError as error:
            raise CameraError(f"cannot listen on {host}:{port} ({error.strerror}); take another port, or 0") from error
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)  # connections inherit it
        self._host, self._port = host, listening.getsockname()[1]
        self._server = await asyncio.get_running_loop().create_server(self._protocol, sock=listening)

    def close(self) -> None:
        """Refuse new connections; those that stand go on."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def refuse(self, refused: bool) -> None:
        """Close the port, or open it again."""
        if refused:
            self.close()
        elif self._server is None:
            await self.open(self._host, self._port)
