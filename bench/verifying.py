"""Verification beside `hashlib` alone on the same bytes, on one core and on all.

The session is made by the recorder's own code from pictures of random bytes: verification does not decode. The contract
asks for two digests of every byte, the object's and its fragment's, so `hashlib` computes both; the row after it
compares with one digest of each byte.
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

from bench.table import Row
from evidence_store.durable import RealDisk
from evidence_store.records import SegmentRecord, TrackInfo, parse_record
from evidence_store.signing import RECORDER_USAGE, certificate_objects, issue, make_root
from evidence_store.stores import open_store
from evidence_store.trust import TrustAnchors
from evidence_store.verify import ReaderSource, Verdict, verify_session
from recorder.clock import SystemClock
from recorder.feed import Fed
from recorder.fragments import Sample
from recorder.groups import Group, Stream
from recorder.inits import make_init
from recorder.sealing import Sealer
from recorder.session import Interview
from recorder.software import software
from recorder.spool import SessionSpool
from recorder.upload import spooled_records
from shilu.cameras.clip import make_clip
from shilu.cameras.spec import MediaSpec

SESSION = "bench-room-1-20260101T000000Z-0000"
_PICTURES = 12  # in a fragment
_FRAGMENT_BYTES = 250_000
_STEP = 3600  # of 90 kHz: 25 pictures a second
_REPEATS = 3


class _FilmClock(SystemClock):
    """Time as it would have passed while the film was made."""

    def __init__(self) -> None:
        super().__init__()
        self.passed_us = 0
        self._began_us = super().utc_us()

    def utc_us(self) -> int:
        return self._began_us + self.passed_us

    def monotonic_us(self) -> int:
        return self.passed_us


def measure(size_bytes: int) -> list[Row]:
    """Verify a session of about this size; the rows of the table."""
    with tempfile.TemporaryDirectory(prefix="shilu-bench-") as name:
        folder = Path(name)
        anchors = _make_session(folder, size_bytes)
        store = open_store((folder / "store").as_uri(), name="main", retention_days=1)
        source = ReaderSource(store)
        films = [(path, _digests(folder, path)) for path in sorted((folder / "store").rglob("*.mp4"))]
        total = sum(path.stat().st_size for path, _ in films)

        def verify(workers: int) -> None:
            with ThreadPoolExecutor(workers) as pool:
                mapper = map if workers == 1 else pool.map
                if verify_session(SESSION, source, anchors, mapper=mapper).verdict is not Verdict.OK:
                    raise RuntimeError("the session that was measured does not verify")

        def both() -> None:
            for path, bounds in films:
                data = memoryview(path.read_bytes())
                hashlib.sha256(data).digest()
                for offset, length in bounds:
                    hashlib.sha256(data[offset : offset + length]).digest()

        def once() -> None:
            for path, _ in films:
                hashlib.sha256(path.read_bytes()).digest()

        cores = os.cpu_count() or 1
        # On one core by CPU time, which other programs on the machine do not disturb; on all by the clock on the wall.
        one, twice, single = (_speed(total, work, time.process_time) for work in (lambda: verify(1), both, once))
        all_cores, on_wall = (_speed(total, work, time.perf_counter) for work in (lambda: verify(cores), once))
    size = f"{total / 1e6:.0f} MB"
    return [
        Row(f"verify {size}, one core", one, "MB/s", twice, "hashlib, both digests", "ratio >= 0.9"),
        Row(f"verify {size}, one core", one, "MB/s", single, "hashlib, one digest"),
        Row(f"verify {size}, {cores} cores", all_cores, "MB/s", on_wall, "hashlib, one digest, one core"),
    ]


def _speed(total: int, work: Callable[[], None], now_s: Callable[[], float]) -> float:
    """Best of some runs, MB/s."""
    best_s = float("inf")
    for _ in range(_REPEATS):
        begun_s = now_s()
        work()
        best_s = min(best_s, now_s() - begun_s)
    return total / best_s / 1e6


def _digests(folder: Path, path: Path) -> list[tuple[int, int]]:
    """Offset and length of the fragments of a segment, from its record."""
    index = int(path.stem)
    for record_path in sorted((folder / "store" / "sessions" / SESSION / "records").glob("*.json")):
        record = parse_record(record_path.read_bytes(), where=record_path.name)
        if isinstance(record, SegmentRecord) and record.index == index:
            return [(one.offset, one.bytes) for one in record.fragments]
    raise RuntimeError(f"no record of {path.name}")


def _make_session(folder: Path, size_bytes: int) -> TrustAnchors:
    now = datetime.now(UTC)
    root = make_root("bench root", now, 10)
    signer = issue(root, "bench recorder", RECORDER_USAGE, now, 10)
    disk, clock = RealDisk(), _FilmClock()
    spool = SessionSpool(folder / "spool" / SESSION, disk)
    spool.create(["subject"])
    interview = Interview(spool, Sealer(spool, signer, clock), clock, 10_000)
    interview.open(
        site="bench",
        room="room-1",
        case="BENCH-1",
        no_case_reason=None,
        officers=(),
        officers_reason="measurement",
        operator="bench",
        interview="other",
        rights_read=False,
        follows=None,
        tracks=(TrackInfo(track="subject", camera="cam", role="subject", sound=False, video="h264", audio=None),),
        pre_roll_us=0,
        checks=(),
        override_reason=None,
        clock=clock.state(),
        software=software(),
        devices_sha256="0" * 64,
    )
    _film(interview, clock, size_bytes)
    interview.close("operator", "")
    store = open_store((folder / "store").as_uri(), name="main", retention_days=1)
    store.prepare()
    for record in spooled_records(spool, 0):
        for item in record.objects:
            store.put_file(item.key, item.path, item.sha256)
    for key, pem in certificate_objects([signer.certificate, root.certificate]).items():
        store.put_bytes(key, pem)
    return TrustAnchors("bench", (root.certificate,))


def _film(interview: Interview, clock: _FilmClock, size_bytes: int) -> None:
    """Fragments of half a second at 4 Mb/s."""
    spec = MediaSpec(width=320, height=180, audio=None)
    init_bytes, init = make_init("h264", make_clip(spec, 8).video[0].data, None)
    stream = Stream(1, init_bytes, init, "h264", None)
    picture = os.urandom(_FRAGMENT_BYTES // _PICTURES)
    for number in range(size_bytes // _FRAGMENT_BYTES):
        first = number * _PICTURES * _STEP
        video = tuple(Sample(picture, first + place * _STEP, 0, place == 0) for place in range(_PICTURES))
        group = Group(stream, video, (), first + _PICTURES * _STEP, 0, clock.passed_us, None)
        clock.passed_us += _PICTURES * 40_000
        interview.write(Fed("subject", 1, group, None))
    interview.sync()
