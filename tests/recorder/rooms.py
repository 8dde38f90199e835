"""A room of the recorder inside the test's own process, with cameras on real sockets, and what it recorded."""

import io
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import av
import yaml

from evidence_store import layout
from evidence_store.durable import Disk, RealDisk
from evidence_store.records import CloseRecord, EventRecord, Gap, Officer, OpenRecord, SegmentRecord, parse_record
from evidence_store.signing import certificate_id, certificate_pem
from evidence_store.site import RECORDER, SiteFolder
from evidence_store.verify import ReaderSource, Report, verify_session
from recorder.clock import Clock, SystemClock
from recorder.control import MarkRequest, StartRequest, StopRequest
from recorder.devices import LoadedDevices, load_devices
from recorder.room import Room
from recorder.spool import SessionSpool
from recorder.upload import spooled_records
from shilu.site_init import SitePlan, make_site
from tests.cameras.reading import Watched
from tests.evidence_store.memory_store import MemoryStore

ROOM = "room-1"
CASE = "平综执立字〔2026〕第0012号"
OFFICERS = (
    Officer(id="330482001", name="张三", certificate_no="浙330482001"),
    Officer(id="330482002", name="李四", certificate_no="浙330482002"),
)
START = StartRequest(case=CASE, officers=OFFICERS, operator="赵操作", rights_read=True)
DEADLINE_S = 20.0

AnyRecord = OpenRecord | SegmentRecord | EventRecord | CloseRecord
Camera = str | Mapping[str, Any]
Cameras = Mapping[str, Camera]
"""By role: a url or all settings."""


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = DEADLINE_S) -> Any:
    """The first true value of `condition`; fails when it does not come in time."""
    deadline_s = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"waited {timeout_s} s for {what}"
        time.sleep(0.01)  # between looks at a condition
    return value


def write_devices(site: SiteFolder, rooms: Mapping[str, Cameras], **limits: float) -> LoadedDevices:
    """Rooms with cameras by role, each a url or all of its settings."""
    values = {
        "site": "xindai",
        "rooms": [
            {
                "id": room,
                "cameras": [
                    {"id": f"{room}-{role}", "role": role, **({"url": camera} if isinstance(camera, str) else camera)}
                    for role, camera in cameras.items()
                ],
            }
            for room, cameras in rooms.items()
        ],
        "stores": [{"name": "main", "url": (site.root / "store").as_uri()}],
        "limits": {"min_free_gb": 0, "segment_s": 2, **limits},
    }
    site.devices.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")
    return load_devices(site.devices)


def new_site(folder: Path) -> SiteFolder:
    return make_site(folder, SitePlan(site="xindai"))


class Running:
    """One room while it runs. Open a second one on the same site after the first is shut: the next process."""

    def __init__(
        self, site: SiteFolder, loaded: LoadedDevices, disk: Disk | None = None, clock: Clock | None = None
    ) -> None:
        self.site = site
        self.room = Room(site, loaded, ROOM, clock or SystemClock(), disk or RealDisk())
        self.session = ""

    def __enter__(self) -> Self:
        self.room.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.room.shut()

    def state(self, track: str) -> str:
        return next(str(one["state"]) for one in self.room.status()["cameras"] if one["track"] == track)

    def detail(self, track: str) -> str:
        return next(str(one["detail"]) for one in self.room.status()["cameras"] if one["track"] == track)

    def wait_delivering(self, *tracks: str) -> None:
        """All cameras, or these."""

        def delivering() -> bool:
            cameras = self.room.status()["cameras"]
            return all(one["state"] == "delivering" for one in cameras if not tracks or one["track"] in tracks)

        wait_for(delivering, f"cameras {tracks}")

    def start(self, request: StartRequest = START) -> str:
        self.session = str(self.room.request(request)["session"])
        return self.session

    def mark(self, text: str) -> None:
        self.room.request(MarkRequest(text=text))

    def stop(self) -> None:
        self.room.request(StopRequest())

    def wait_recorded(self, seconds: float) -> None:
        """Until the session has run so long."""
        wait_for(lambda: (self.room.status()["elapsed_s"] or 0) >= seconds, f"{seconds} s of recording")


class Recorded:
    """A session in the spool."""

    def __init__(self, site: SiteFolder, session: str) -> None:
        self.site = site
        self.session = session
        self.spool = SessionSpool(site.spool / ROOM / session, RealDisk())
        self.stored = list(spooled_records(self.spool, 0))
        self.records: list[AnyRecord] = [parse_record(one.data, where="") for one in self.stored]

    @property
    def opened(self) -> OpenRecord:
        first = self.records[0]
        assert isinstance(first, OpenRecord)
        return first

    @property
    def closed(self) -> CloseRecord:
        last = self.records[-1]
        assert isinstance(last, CloseRecord)
        return last

    def verify(self) -> Report:
        """As anybody would, with nothing but the objects and the site's trust.json."""
        store = MemoryStore("main")
        for record in self.stored:
            for item in record.objects:
                store.objects[item.key] = item.path.read_bytes()
        chain = self.site.chain(RECORDER)
        store.objects[layout.certificate_key(certificate_id(chain[0]))] = certificate_pem(chain)
        return verify_session(self.session, ReaderSource(store), self.site.anchors())

    def events(self) -> list[Any]:
        return [one.event for one in self.records if isinstance(one, EventRecord)]

    def gaps(self, track: str) -> list[Gap]:
        return [event for event in self.events() if isinstance(event, Gap) and event.track == track]

    def segments(self, track: str) -> list[SegmentRecord]:
        return [one for one in self.records if isinstance(one, SegmentRecord) and one.track == track]

    def data(self, segment: SegmentRecord) -> bytes:
        return self.spool.media_path(segment.track, segment.index).read_bytes()

    def runs(self, track: str) -> list[list[SegmentRecord]]:
        """The segments of a track by run."""
        segments = self.segments(track)
        return [[one for one in segments if one.run == run] for run in sorted({one.run for one in segments})]

    def film(self, run: list[SegmentRecord]) -> bytes:
        """The segments of a run put end to end: one film."""
        return b"".join(self.data(segment) for segment in run)

    def length_s(self, run: list[SegmentRecord]) -> float:
        """As the records say."""
        return sum(fragment.duration_us for segment in run for fragment in segment.fragments) / 1e6

    def sound_samples(self, run: list[SegmentRecord]) -> int:
        return sum(fragment.samples.audio for segment in run for fragment in segment.fragments)

    def watch(self, run: list[SegmentRecord]) -> Watched:
        """Every picture and every sound of a run, decoded."""
        with av.open(io.BytesIO(self.film(run)), "r") as container:
            seen = Watched([stream.codec_context.name for stream in container.streams])
            for packet in container.demux():
                for frame in packet.decode():
                    if isinstance(frame, av.VideoFrame | av.AudioFrame):
                        seen.take(frame)
        return seen
