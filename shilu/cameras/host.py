"""Cameras running in a thread of their own, to be used from ordinary code: tests, measurements, the demo.

clip = make_clip(MediaSpec(audio=AudioCodec.ALAW), cache=folder)
clock = SystemClock()
with CameraHost([Camera("room-1/subject", LoopSource(clip, clock), clock)]) as host:
    container = av.open(host.rtsp_url("room-1/subject"), options={"rtsp_transport": "tcp"})
    host.camera("room-1/subject").faults.stalled = True
"""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from random import Random
from types import TracebackType
from typing import Any, Self, TypeVar

from shilu.cameras.auth import Accounts
from shilu.cameras.camera import Camera
from shilu.cameras.clip import Clip
from shilu.cameras.errors import CameraError, SpecError
from shilu.cameras.loop import LoopSource
from shilu.cameras.mpegts import MpegTsServer
from shilu.cameras.rtsp import RtspServer

DEFAULT_BACKLOG_BYTES = 2 * 1024 * 1024
"""What may wait for a client beside the kernel's buffers: four seconds of 4 Mb/s."""

_T = TypeVar("_T")
_ANSWER_S = 10.0
"""A loop that does not get to a command in this time hangs."""


class CameraHost:
    """A context manager. Its methods may be called from any thread while it runs; they return when what they ask for
    has happened."""

    def __init__(
        self,
        cameras: Iterable[Camera],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        accounts: Accounts | None = None,
        mpegts: bool = False,
        backlog_limit_bytes: int = DEFAULT_BACKLOG_BYTES,
        seed: int = 0,
    ) -> None:
        """`port` is the RTSP port, 0 for any free one; `mpegts` serves all cameras as transport streams too.

        Raises:
            SpecError: two cameras share a path, or a camera's sound does not fit MPEG-TS.
        """
        self._cameras: dict[str, Camera] = {}
        for camera in cameras:
            if camera.path in self._cameras:
                raise SpecError(f"two cameras at {camera.path!r}: give each its own path")
            self._cameras[camera.path] = camera
        self._host, self._port = host, port
        rng = Random(seed)  # noqa: S311 - must be repeatable, guards nothing
        self._rtsp = RtspServer(self._cameras, accounts or Accounts({}), backlog_limit_bytes, rng)
        self._mpegts = MpegTsServer(self._cameras, backlog_limit_bytes, rng) if mpegts else None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cameras", daemon=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def paths(self) -> list[str]:
        return list(self._cameras)

    def camera(self, path: str) -> Camera:
        """Raises:
        CameraError: no camera is there.
        """
        if path not in self._cameras:
            raise CameraError(f"no camera at {path!r}; there are: {', '.join(self._cameras)}")
        return self._cameras[path]

    def rtsp_url(self, path: str) -> str:
        return self._rtsp.url(self.camera(path).path)

    def http_url(self, path: str) -> str:
        """MPEG-TS over HTTP; only with `mpegts`."""
        return self._transport_streams().http_url(self.camera(path).path)

    def tcp_url(self, path: str) -> str:
        """MPEG-TS over plain TCP; only with `mpegts`."""
        return self._transport_streams().tcp_url(self.camera(path).path)

    def start(self) -> None:
        """Open the ports.

        Raises:
            CameraError: the wanted port is taken.
        """
        self._thread.start()
        try:
            self._run(self._open())
        except CameraError:
            self.stop()
            raise

    def stop(self) -> None:
        """Close ports and connections, end the thread."""
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    # Faults beside those in `Camera.faults`

    def freeze(self, path: str, frozen: bool) -> None:
        """Hold the camera's picture still, or let it move again (a clip's: from its next key frame on)."""
        self.camera(path).source.freeze(frozen)

    def switch_clip(self, path: str, clip: Clip) -> None:
        """Go over to another clip with the same codecs: other size, frame rate, parameter sets.

        Raises:
            SpecError: the camera is live, or the codecs differ.
        """
        source = self.camera(path).source
        if not isinstance(source, LoopSource):
            raise SpecError(f"{path}: a live camera plays no clips; make it one with mode loop")
        source.switch_clip(clip)

    def drop_key_frames(self, path: str, seconds: float) -> None:
        """Leave out the key frames of the next `seconds`."""
        self.camera(path).drop_key_frames(seconds)

    def drop_clients(self, path: str) -> None:
        """Cut the connections of everybody who watches this camera."""
        self._call(self.camera(path).drop_watchers)

    def send_garbage(self, path: str, size_bytes: int) -> None:
        """Put random bytes into the middle of each client's stream."""
        camera = self.camera(path)
        self._call(lambda: camera.send_garbage(size_bytes))

    def refuse_connections(self, refused: bool) -> None:
        """Close all ports (connections that stand go on), or open them again with the same numbers."""
        self._run(self._refuse(refused))

    async def _open(self) -> None:
        await self._rtsp.listener.open(self._host, self._port)
        if self._mpegts is not None:
            for listener in self._mpegts.listeners:
                await listener.open(self._host, 0)

    async def _close(self) -> None:
        await self._rtsp.stop()
        if self._mpegts is not None:
            await self._mpegts.stop()
        pumps = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*pumps, return_exceptions=True)

    async def _refuse(self, refused: bool) -> None:
        await self._rtsp.listener.refuse(refused)
        if self._mpegts is not None:
            for listener in self._mpegts.listeners:
                await listener.refuse(refused)

    def _transport_streams(self) -> MpegTsServer:
        if self._mpegts is None:
            raise CameraError("these cameras are not served as MPEG-TS; start them with mpegts")
        return self._mpegts

    def _run(self, work: Coroutine[Any, Any, _T]) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_ANSWER_S)

    def _call(self, work: Callable[[], None]) -> None:
        async def call() -> None:
            work()

        self._run(call())
