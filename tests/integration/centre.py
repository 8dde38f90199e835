"""A whole centre for tests: a site made by `shilu init`, the recorder as a process, and the command line as a person
uses it. Cameras come from GStreamer's RTSP server."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

from evidence_store.site import SiteFolder
from recorder.lock import holder, room_lock
from tests.parts.require import require

ROOT = Path(__file__).parents[2]
SHILU = [sys.executable, "-c", "from shilu.cli import app; app()"]
DEADLINE_S = 60.0


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = DEADLINE_S) -> Any:
    """The first true value of `condition`; fails when it does not come in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"waited {timeout_s} s for {what}"
        time.sleep(0.05)  # between looks at a condition
    return value


@dataclass
class Finished:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def last_line(self) -> str:
        return self.out.strip().splitlines()[-1]

    def json(self) -> Any:
        return json.loads(self.out)


def shilu(*arguments: object, environment: Mapping[str, str] | None = None, timeout_s: float = 120.0) -> Finished:
    """Run a command to its end."""
    done = subprocess.run(
        [*SHILU, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        env={**os.environ, **(environment or {})},
    )
    return Finished(done.returncode, done.stdout, done.stderr)


class RtspServer:
    """GStreamer's RTSP server with one camera a mount. Killed and started again, it is at the same addresses."""

    def __init__(self, mounts: Mapping[str, Path]) -> None:
        self._mounts = mounts
        self._port = 0
        self.urls: dict[str, str] = {}
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def start(self) -> None:
        program = require("rtsp-server")
        command = [str(program), str(ROOT / "tests" / "gst_rtsp_server.py"), "--port", str(self._port)]
        for path, file in self._mounts.items():
            command += ["--mount", f"/{path}", str(file)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "GStreamer's RTSP server did not start"
        self.urls = {path.removeprefix("/"): url for path, url in json.loads(line)["urls"].items()}
        self._port = urlsplit(next(iter(self.urls.values()))).port or 0

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe:
                with suppress(OSError):
                    pipe.close()


@dataclass
class Centre:
    """A site folder with its recorder."""

    site: SiteFolder
    environment: Mapping[str, str] = field(default_factory=dict)
    _daemon: "subprocess.Popen[str] | None" = None

    @classmethod
    def make(cls, folder: Path, *init: object, environment: Mapping[str, str] | None = None) -> Self:
        made = shilu("init", folder, *init, environment=environment)
        assert made.code == 0, made.err
        return cls(SiteFolder(folder), environment or {})

    def write_rooms(self, rooms: Mapping[str, Mapping[str, str]], **limits: float) -> None:
        """Replace rooms and limits in devices.yaml: room -> role -> url; `subject` has sound. The store stays."""
        devices = yaml.safe_load(self.site.devices.read_text(encoding="utf-8"))
        devices["rooms"] = [
            {
                "id": room,
                "cameras": [
                    {"id": f"{room}-{role}", "role": role, "url": url, "sound": role == "subject"}
                    for role, url in cameras.items()
                ],
            }
            for room, cameras in rooms.items()
        ]
        devices["limits"] = {"min_free_gb": 0, "segment_s": 4, **limits}
        self.site.devices.write_text(yaml.safe_dump(devices, allow_unicode=True), encoding="utf-8")

    def run(self, *arguments: object, **options: Any) -> Finished:
        """A command of `shilu` with this site's --dir."""
        return shilu(*arguments, "--dir", self.site.root, environment=self.environment, **options)

    def ok(self, *arguments: object) -> Finished:
        done = self.run(*arguments)
        assert done.code == 0, done.err + done.out
        return done

    def start_recorder(self) -> None:
        log = (self.site.root / "recorder.log").open("ab")
        self._daemon = subprocess.Popen(
            [*SHILU, "recorder", "--dir", str(self.site.root)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
            env={**os.environ, **self.environment},
        )
        log.close()

    def stop_recorder(self) -> None:
        """SIGTERM, and wait until all its processes are gone; also those whose supervisor was killed."""
        if self._daemon is not None:
            self._daemon.terminate()
            self._daemon.wait(30)
            self._daemon = None
        for lock in self.site.run.glob("*.lock"):
            if pid := holder(self.site.run, lock.stem):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                wait_for(partial(self._released, lock.stem), f"{lock.stem} to end")

    def _released(self, lock: str) -> bool:
        return holder(self.site.run, lock) is None

    def kill_supervisor(self) -> None:
        """`kill -9` of the supervisor alone: the room and the uploader live on."""
        assert self._daemon is not None
        self._daemon.kill()
        self._daemon.wait()
        self._daemon = None

    def room_process(self, room: str) -> int:
        pid: int = wait_for(lambda: holder(self.site.run, room_lock(room)), f"a process of {room}")
        return pid

    def kill_room(self, room: str) -> int:
        pid = self.room_process(room)
        os.kill(pid, signal.SIGKILL)
        return pid

    def rooms(self) -> dict[str, Any]:
        """Status by room; rooms that do not answer are left out."""
        report = self.run("status", "--json").json()
        return {room["room"]: room for room in report["rooms"] if "error" not in room}

    def wait_delivering(self, rooms: Sequence[str]) -> None:
        def delivering() -> bool:
            found = self.rooms()
            return all(
                room in found and all(camera["state"] == "delivering" for camera in found[room]["cameras"])
                for room in rooms
            )

        wait_for(delivering, f"cameras of {', '.join(rooms)}")

    def start(self, room: str, case: str = "平综执立字〔2026〕第0012号") -> str:
        officers = ("--officer", "张三:浙330482001", "--officer", "李四:浙330482002")
        return self.ok("start", "--room", room, "--case", case, "--rights-read", *officers).last_line

    def wait_segments(self, room: str, session: str, track: str, count: int) -> None:
        folder = self.site.spool / room / session / "media" / track
        wait_for(lambda: len(list(folder.glob("*.mp4"))) >= count, f"{count} segments of {track} in {room}")

    def wait_stored(self, *sessions: str) -> None:
        def stored() -> bool:
            found = {one["session"]: one for one in self.ok("sessions", "--json").json()["sessions"]}
            return all(
                session in found and found[session]["closed"] and all(found[session]["stored"].values())
                for session in sessions
            )

        wait_for(stored, "the stores and the catalog")

    def verify(self, session: str) -> dict[str, Any]:
        """The verdict of one session as a program sees it; the exit code has to agree with it."""
        done = self.run("verify", session, "--json")
        result: dict[str, Any] = done.json()
        codes = {"OK": 0, "OK_WITH_DECLARED_GAPS": 3, "INCOMPLETE": 4, "NOT_OK": 5, "CANNOT_JUDGE": 6}
        assert done.code == codes[result["verdict"]]
        return result


def records(site: SiteFolder, room: str, session: str) -> list[dict[str, Any]]:
    """The records of a session as they lie in the spool."""
    folder = site.spool / room / session / "records"
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))]


def gaps(site: SiteFolder, room: str, session: str) -> list[dict[str, Any]]:
    return [
        record["event"]
        for record in records(site, room, session)
        if record["type"] == "event" and record["event"]["kind"] == "gap"
    ]
