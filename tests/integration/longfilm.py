"""A recording that runs beside the other tests."""

import time
from collections.abc import Mapping
from pathlib import Path

from tests.integration.centre import Centre, RtspServer, wait_for

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
        self._begun_s = time.monotonic()
        self._finished = False

    def finish(self) -> None:
        """Wait until it is long enough, stop, and wait for the store."""
        if self._finished:
            return
        left_s = LENGTH_S - (time.monotonic() - self._begun_s)
        wait_for(lambda: time.monotonic() - self._begun_s > LENGTH_S, "five minutes to pass", max(left_s, 0) + 5)
        self.centre.ok("stop", "--room", "room-1")
        self._finished = True
        self.centre.wait_stored(self.session)

    def end(self) -> None:
        self.centre.stop_recorder()
        self._server.kill()
