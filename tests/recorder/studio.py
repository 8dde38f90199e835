"""A session recorded from clips by the recorder's own parts, on any disk and by a clock that stands still."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evidence_store import layout
from evidence_store.durable import Disk
from evidence_store.records import ClockState, Officer, Software, TrackInfo
from evidence_store.signing import Signer, certificate_pem
from evidence_store.verify import ReaderSource, Report, verify_session
from recorder.feed import Ended, Fed
from recorder.groups import Group, Loss
from recorder.recovery import loss_of, recover
from recorder.sealing import Sealer
from recorder.session import Interview
from recorder.spool import SessionSpool
from recorder.upload import spooled_records
from tests.evidence_store.chains import CASE, Site, make_site
from tests.evidence_store.memory_store import MemoryStore
from tests.recorder.clocks import FakeClock
from tests.recorder.takes import PICTURE_US, Take

SPOOL = Path("/spool/room-1")
SESSION = "xindai-room-1-20261123T013000Z-7f3a"
SEGMENT_MS = 2000
TRACKS = ("room", "subject")
GONE = Loss("camera_lost", "the camera does not answer")


def open_values(clock: FakeClock, tracks: tuple[str, ...] = TRACKS) -> dict[str, Any]:
    return {
        "site": "xindai",
        "room": "room-1",
        "case": CASE,
        "no_case_reason": None,
        "officers": (
            Officer(id="o-1", name="王明", certificate_no="33048200001"),
            Officer(id="o-2", name="李华", certificate_no="33048200002"),
        ),
        "officers_reason": None,
        "operator": "赵操作",
        "interview": "inquiry",
        "rights_read": True,
        "follows": None,
        "tracks": tuple(
            TrackInfo(
                track=track,
                camera=f"{track}-camera",
                role=track,
                sound=track == "subject",
                video="h264",
                audio="aac" if track == "subject" else None,
            )
            for track in tracks
        ),
        "pre_roll_us": 0,
        "checks": (),
        "override_reason": None,
        "clock": ClockState(source="kernel", offset_us=0, uncertainty_us=1000, synchronized=True),
        "software": Software(name="shilu", version="0.1.0", sha256="ab" * 32),
        "devices_sha256": "cd" * 32,
    }


@dataclass
class Studio:
    """One room with two cameras: `room`, and `subject` with sound."""

    disk: Disk
    folder: Path = SPOOL / SESSION
    clock: FakeClock = field(default_factory=FakeClock)
    site: Site = field(default_factory=make_site)
    signer: Signer | None = None
    segment_ms: int = SEGMENT_MS
    takes: dict[str, Take] = field(default_factory=dict)
    _serials: dict[str, int] = field(default_factory=dict)
    _streams: int = 0

    @property
    def spool(self) -> SessionSpool:
        return SessionSpool(self.folder, self.disk)

    def begin(self, tracks: tuple[str, ...] = TRACKS, **values: Any) -> Interview:
        """Press start. Cameras join with `connect`."""
        spool = self.spool
        spool.create(list(tracks))
        self.sealer = Sealer(spool, self.signer or self.site.recorder, self.clock)
        self.interview = Interview(spool, self.sealer, self.clock, self.segment_ms)
        self.interview.open(**open_values(self.clock, tracks) | values)
        return self.interview

    def connect(self, *tracks: str, lost: Loss | None = None, first: int = 0) -> None:
        """A camera delivers from now on, with a key frame at once."""
        for track in tracks:
            self._streams += 1
            self._serials[track] = self._serials.get(track, 0) + 1
            with_sound = track == "subject"
            self.takes[track] = Take(self._streams, self.clock.monotonic_us(), with_sound, first=first, loss=lost)

    def lose(self, track: str, loss: Loss = GONE) -> None:
        """A camera is lost."""
        rest = self.takes.pop(track).end()
        if rest is not None:
            self.write(track, rest)
        self.interview.ended(Ended(track, loss))

    def roll(self, pictures: int) -> None:
        """Time goes by, and every camera takes so many pictures."""
        for _ in range(pictures):
            for track in sorted(self.takes):
                for group in self.takes[track].pictures(1):
                    self.write(track, group)
            self.interview.sync()
            self.clock.advance(PICTURE_US)

    def wait(self, seconds: float) -> None:
        """Time goes by and nothing is recorded."""
        self.clock.advance(round(seconds * 1e6))

    def stop(self) -> None:
        for track in sorted(self.takes):
            rest = self.takes[track].end()
            if rest is not None:
                self.write(track, rest)
        self.takes.clear()
        self.interview.close("operator", "")

    def recover(self, disk: Disk | None = None) -> Interview | None:
        """What the next process finds and takes up; None if the session never began or is closed."""
        self.disk = disk if disk is not None else self.disk
        self.takes.clear()
        spool = self.spool
        sealer = recover(spool, self.signer or self.site.recorder, self.clock)
        if sealer is None or sealer.closed:
            return None
        self.sealer = sealer
        self.interview = Interview(spool, sealer, self.clock, self.segment_ms)
        loss, self.down_us = loss_of(sealer, self.clock)
        self.interview.resume(loss)
        return self.interview

    def objects(self) -> dict[str, bytes]:
        """What an uploader would store, and the certificate."""
        spool = self.spool
        found = {item.key: spool.read(item.path) for record in spooled_records(spool, 0) for item in record.objects}
        signer = self.signer or self.site.recorder
        found[layout.certificate_key(signer.id)] = certificate_pem([signer.certificate, self.site.root.certificate])
        return found

    def verify(self) -> Report:
        store = MemoryStore("hall")
        store.objects = self.objects()
        return verify_session(self.folder.name, ReaderSource(store), self.site.anchors)

    def write(self, track: str, group: Group) -> None:
        """One group reaches the disk, without a sync."""
        self.interview.write(Fed(track, self._serials[track], group, group.lost))
