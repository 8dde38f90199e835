"""The recorder beside `ffmpeg -c copy -f segment`, at the same time, from the same cameras.

Six streams of 1080p25 at 4 Mb/s, two a room, one of each room with AAC sound. CPU and memory are those of all processes
of each side over the same span, after both have connected. Hashing, signing, syncing and storing are part of ours.
"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from bench.processes import cpu_s, memory_bytes, tree
from bench.table import Row
from evidence_store.site import SiteFolder
from recorder.control import ControlError, StartRequest, StatusRequest, StopRequest, ask, socket_path
from shilu.cameras.clip import make_clip
from shilu.cameras.clip_file import write_mov
from shilu.cameras.media import AudioCodec
from shilu.cameras.spec import MediaSpec
from shilu.site_init import SitePlan, make_site

SETTLE_S = 8.0
_STARTS = 5


def measure(seconds: float, rooms: int = 3) -> list[Row]:
    """Run both sides for `seconds`; the rows of the table."""
    with tempfile.TemporaryDirectory(prefix="shilu-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        urls = stack.enter_context(_cameras(rooms, seconds + 60))
        site = _site(folder / "site", urls, rooms)
        daemon = stack.enter_context(_running([sys.executable, "-m", "recorder.daemon", "--site", str(site.root)]))
        names = [f"room-{number}" for number in range(1, rooms + 1)]
        _until(lambda: _ready(site, names), 60, "the rooms did not get ready")
        ffmpegs = [stack.enter_context(_ffmpeg(folder, path, url)) for path, url in urls.items()]
        time.sleep(SETTLE_S)
        latencies = [_start_and_stop(site, names[0]) for _ in range(_STARTS)]
        for room in names:
            _start(site, room)
        ours, theirs = tree(daemon.pid), [ffmpeg.pid for ffmpeg in ffmpegs]
        before = cpu_s(ours), cpu_s(theirs)
        time.sleep(seconds)
        ours_s, theirs_s = cpu_s(ours) - before[0], cpu_s(theirs) - before[1]
        ours_bytes, theirs_bytes = memory_bytes(ours, "Pss"), memory_bytes(theirs, "Pss")
        theirs_resident_bytes = memory_bytes(theirs, "Rss")
        for room in names:
            ask(socket_path(site.run, room), StopRequest())
    streams = 2 * rooms
    return [
        Row(f"CPU, {streams} streams, {seconds:g} s", ours_s, "s", theirs_s, "ffmpeg segment", "ratio <= 1.0"),
        Row(f"memory (PSS), {streams} streams", ours_bytes / 1e6, "MB", theirs_bytes / 1e6, "ffmpeg segment", "<= 0.6"),
        Row("the same beside resident", ours_bytes / 1e6, "MB", theirs_resident_bytes / 1e6, "ffmpeg segment, RSS"),
        Row(
            "start pressed to first durable fragment",
            statistics.median(one[0] for one in latencies),
            "s",
            aim="< 0.7 s",
        ),
        Row("stop pressed to close record signed", statistics.median(one[1] for one in latencies), "s", aim="< 0.5 s"),
    ]


def _start_and_stop(site: SiteFolder, room: str) -> tuple[float, float]:
    """Seconds from start to the first durable fragment, and from stop to the signed close record."""
    begun_s = time.monotonic()
    session = _start(site, room)
    media = site.spool / room / session / "media"
    _until(lambda: _kept(site, room) and any(media.rglob("*.mp4")), 10, "nothing became durable")
    durable_s = time.monotonic() - begun_s
    time.sleep(1.0)
    begun_s = time.monotonic()
    ask(socket_path(site.run, room), StopRequest())
    return durable_s, time.monotonic() - begun_s


def _kept(site: SiteFolder, room: str) -> bool:
    answer = ask(socket_path(site.run, room), StatusRequest())
    return any(camera["kept_until"] for camera in answer["cameras"])


def _start(site: SiteFolder, room: str) -> str:
    request = StartRequest(case="BENCH-1", officers_reason="measurement", operator="bench")
    return str(ask(socket_path(site.run, room), request)["session"])


def _site(folder: Path, urls: dict[str, str], rooms: int) -> SiteFolder:
    site = make_site(folder, SitePlan(site="bench"))
    devices = {
        "site": "bench",
        "rooms": [
            {
                "id": f"room-{number}",
                "cameras": [
                    {
                        "id": f"room-{number}-{role}",
                        "role": role,
                        "url": urls[f"room-{number}/{role}"],
                        "sound": role == "subject",
                    }
                    for role in ("subject", "room")
                ],
            }
            for number in range(1, rooms + 1)
        ],
        "stores": [{"name": "main", "url": (folder / "store").as_uri()}],
    }
    site.devices.write_text(yaml.safe_dump(devices), encoding="utf-8")
    return site


@contextlib.contextmanager
def _cameras(rooms: int, seconds: float) -> Iterator[dict[str, str]]:
    """Two cameras a room, served by GStreamer's RTSP server from files that last `seconds`."""
    folder = Path(tempfile.gettempdir()) / "shilu-bench-clips"
    command = ["/usr/bin/python3", str(Path(__file__).parents[1] / "tests" / "gst_rtsp_server.py")]
    files = {role: _film(folder, role, seconds) for role in ("subject", "room")}
    for number in range(1, rooms + 1):
        for role, file in files.items():
            command += ["--mount", f"/room-{number}/{role}", str(file)]
    with _running(command, subprocess.PIPE) as process:
        line = process.stdout.readline() if process.stdout else ""
        if not line:
            raise RuntimeError("GStreamer's RTSP server did not start; `.ci/run parts` installs it")
        yield {path.removeprefix("/"): url for path, url in json.loads(line)["urls"].items()}


def _film(folder: Path, role: str, seconds: float) -> Path:
    path = folder / f"{role}-{seconds:.0f}.mov"
    if not path.exists():
        audio = AudioCodec.AAC if role == "subject" else None
        spec = MediaSpec(name=role, width=1920, height=1080, kbps=4000, noise=12, audio=audio)
        folder.mkdir(exist_ok=True)
        draft = path.with_suffix(".draft.mov")
        write_mov(make_clip(spec, 8, folder), draft, round(seconds))
        draft.rename(path)
    return path


def _ffmpeg(folder: Path, path: str, url: str) -> "contextlib.AbstractContextManager[subprocess.Popen[str]]":
    target = folder / "ffmpeg" / path
    target.mkdir(parents=True)
    options = ["-c", "copy", "-f", "segment", "-segment_time", "10", "-segment_format", "mp4"]
    fragmented = ["-segment_format_options", "movflags=frag_keyframe+empty_moov+default_base_moof"]
    command = ["ffmpeg", "-v", "error", "-nostdin", "-rtsp_transport", "tcp", "-i", url, *options, *fragmented]
    return _running([*command, str(target / "%06d.mp4")])


@contextlib.contextmanager
def _running(command: list[str], output: int = subprocess.DEVNULL) -> "Iterator[subprocess.Popen[str]]":
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=output, stderr=subprocess.DEVNULL, text=True, env=os.environ
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def _ready(site: SiteFolder, rooms: list[str]) -> bool:
    try:
        answers = [ask(socket_path(site.run, room), StatusRequest()) for room in rooms]
    except ControlError:
        return False
    return all(camera["state"] == "delivering" for answer in answers for camera in answer["cameras"])


def _until(condition: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise RuntimeError(otherwise)
        time.sleep(0.005)
