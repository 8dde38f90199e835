"""A recording that runs beside the other tests."""

import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.integration.centre import Centre, RtspServer

LENGTH_S = 305.0


class LongFilm:
    """One room, recorded for at least `LENGTH_S`."""

    def __init__(self, folder: Path, films: Mapping[str, Path]) -> None:
        self._server = RtspServer(films)
        self.centre = Centre.make(folder / "site")
        self.centre.write_rooms({"room-1": dict(self._server.urls)}, segment_s=10)
        self.centre.start_recorder()
        self.centre.wait_delivering(["room-1"])
        self.session = self.centre.start("room-1")
        self._ending = threading.Event()
        self._pool = ThreadPoolExecutor(1)
        self._stopped = self._pool.submit(self._stop_in_time)

    def _stop_in_time(self) -> None:
        """The session ends when it is long enough, however long the other tests take: the cameras' film ends too."""
        if not self._ending.wait(LENGTH_S):
            self.centre.ok("stop", "--room", "room-1")

    def finish(self) -> None:
        """Wait until it is long enough and has been stopped, and for the store."""
        self._stopped.result(LENGTH_S + 30)
        self.centre.wait_stored(self.session)

    def end(self) -> None:
        self._ending.set()
        self._pool.shutdown()
        self.centre.stop_recorder()
        self._server.kill()
