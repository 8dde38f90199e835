"""Signed chains with values that a test chooses. Media are only named: nothing here holds a picture.

Records are made as JSON and not through the models, so that a test can also sign what no recorder would write.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509

from evidence_store import layout
from evidence_store.records import ZERO_HASH, format_time, sha256_hex
from evidence_store.signing import RECORDER_USAGE, Signer, certificate_pem, issue, make_root
from evidence_store.strict_json import canonical_bytes
from evidence_store.trust import TrustAnchors
from tests.evidence_store.memory_store import MemoryStore

START = datetime(2026, 11, 23, 1, 30, tzinfo=UTC)
CASE = "平综执立字〔2026〕第0012号"
SEGMENT_US = 10_000_000
_CLOCK = {"source": "chrony", "offset_us": -120, "uncertainty_us": 900, "synchronized": True}


@dataclass(frozen=True, slots=True)
class Site:
    """A root, a recorder that it issued a certificate to, and `others` that are known as well."""

    root: Signer
    recorder: Signer
    others: tuple[Signer, ...] = ()

    @property
    def anchors(self) -> TrustAnchors:
        return TrustAnchors("xindai", (self.root.certificate,))

    @property
    def certificates(self) -> dict[str, x509.Certificate]:
        return {signer.id: signer.certificate for signer in (self.recorder, *self.others)}

    def recorder_of(self, name: str) -> Signer:
        """One more recorder of the same site."""
        return issue(self.root, name, RECORDER_USAGE, START - timedelta(days=1), 3650)


@cache
def make_site(name: str = "xindai") -> Site:
    root = make_root(name, START - timedelta(days=2), 7300)
    return Site(root, issue(root, f"{name} room-1", RECORDER_USAGE, START - timedelta(days=1), 3650))


@dataclass(frozen=True, slots=True)
class Signed:
    session: str
    seq: int
    data: bytes
    signature: bytes

    @property
    def key(self) -> str:
        return layout.record_key(self.session, self.seq)

    @property
    def sha256(self) -> str:
        return sha256_hex(self.data)


def sign(signer: Signer, values: Mapping[str, Any]) -> Signed:
    data = canonical_bytes({"signer": signer.id, **values})
    return Signed(values["session"], values["seq"], data, signer.sign(data))


@dataclass
class Chain:
    """Grows by one record a call; every value of a record can be given another."""

    signer: Signer
    session: str = "xindai-room-1-20261123T013000Z-7f3a"
    start: datetime = START
    records: list[Signed] = field(default_factory=list)
    media: dict[str, bytes] = field(default_factory=dict)
    _indexes: dict[str, int] = field(default_factory=dict)
    _gaps: list[tuple[str, int]] = field(default_factory=list)

    def open(self, **values: Any) -> Signed:
        return self.add(
            {
                "type": "open",
                "site": "xindai",
                "room": "room-1",
                "case": CASE,
                "no_case_reason": None,
                "officers": [
                    {"id": "o-1", "name": "王明", "certificate_no": "33048200001"},
                    {"id": "o-2", "name": "李华", "certificate_no": "33048200002"},
                ],
                "officers_reason": None,
                "operator": "赵操作",
                "interview": "inquiry",
                "rights_read": True,
                "follows": None,
                "tracks": [track("subject"), track("room", audio=None)],
                "pre_roll_us": 2_000_000,
                "checks": [{"name": "clock", "result": "ok", "detail": ""}],
                "override_reason": None,
                "clock": _CLOCK,
                "software": {"name": "shilu", "version": "0.1.0", "sha256": "ab" * 32},
                "devices_sha256": "cd" * 32,
            }
            | values
        )

    def segment(self, name: str = "subject", **values: Any) -> Signed:
        index = self._indexes.get(name, 0)
        self._indexes[name] = index + 1
        key = layout.media_key(self.session, name, index)
        data = f"{key}: moving pictures".encode()
        self.media[key] = data
        media_start_us = index * SEGMENT_US
        return self.add(
            {
                "type": "segment",
                "track": name,
                "run": 0,
                "index": index,
                "media": {
                    "key": key,
                    "bytes": len(data),
                    "sha256": sha256_hex(data),
                    "init_bytes": 10,
                    "init_sha256": sha256_hex(data[:10]),
                    "mime": 'video/mp4; codecs="avc1.64001f, mp4a.40.2"',
                },
                "fragments": [
                    fragment(10, self.start + timedelta(microseconds=media_start_us), media_start_us),
                    fragment(
                        15,
                        self.start + timedelta(microseconds=media_start_us + SEGMENT_US // 2),
                        media_start_us + SEGMENT_US // 2,
                    ),
                ],
                "clock": _CLOCK,
                "levels": {"sound": None, "picture": {"brightness": 120, "sharpness": 300}},
            }
            | values
        )

    def mark(self, text: str = "当事人陈述") -> Signed:
        return self.event({"kind": "mark", "text": text})

    def gap(self, name: str = "subject", missing_us: int = 3_000_000, **values: Any) -> Signed:
        self._gaps.append((name, missing_us))
        return self.event(
            {
                "kind": "gap",
                "track": name,
                "after_index": 0,
                "from": format_time(self.start),
                "to": format_time(self.start + timedelta(microseconds=min(missing_us, 10**12))),
                "missing_us": missing_us,
                "cause": "camera_lost",
                "detail": "",
            }
            | values
        )

    def event(self, event: Mapping[str, Any], **values: Any) -> Signed:
        return self.add({"type": "event", "event": dict(event)} | values)

    def close(self, **values: Any) -> Signed:
        totals = [
            {
                "track": name,
                "segments": count,
                "first_time": format_time(self.start),
                "last_time": format_time(self.start + timedelta(microseconds=count * SEGMENT_US)),
                "recorded_us": count * SEGMENT_US,
                "gaps": sum(track == name for track, _ in self._gaps),
                "missing_us": sum(missing_us for track, missing_us in self._gaps if track == name),
                "last_segment_sha256": sha256_hex(self.media[layout.media_key(self.session, name, count - 1)]),
            }
            for name, count in sorted(self._indexes.items())
        ]
        return self.add(
            {
                "type": "close",
                "reason": "operator",
                "detail": "",
                "records": len(self.records) + 1,
                "tracks": totals,
            }
            | values
        )

    def add(self, values: Mapping[str, Any], *, signer: Signer | None = None) -> Signed:
        """Signs what follows the last record; `values` may contradict that."""
        seq = len(self.records)
        signed = sign(
            signer or self.signer,
            {
                "format": "shilu-record/1",
                "session": self.session,
                "seq": seq,
                "prev": self.records[-1].sha256 if self.records else ZERO_HASH,
                "time": format_time(self.start + timedelta(seconds=seq)),
                "monotonic_us": seq * 1_000_000,
                "boot": "5f1c",
                **values,
            },
        )
        self.records.append(signed)
        return signed

    def objects(self) -> Iterator[tuple[str, bytes]]:
        """Everything that a store holds of this session."""
        yield from self.media.items()
        for record in self.records:
            yield record.key, record.data
            yield layout.signature_key(record.session, record.seq), record.signature


def track(name: str, audio: str | None = "aac") -> dict[str, Any]:
    return {
        "track": name,
        "camera": f"{name}-camera",
        "role": name,
        "sound": audio is not None,
        "video": "h264",
        "audio": audio,
    }


def fragment(offset: int, time: datetime, media_start_us: int, **values: Any) -> dict[str, Any]:
    return {
        "offset": offset,
        "bytes": 5,
        "sha256": "ef" * 32,
        "time": format_time(time),
        "media_start_us": media_start_us,
        "duration_us": SEGMENT_US // 2,
        "keyframe": True,
        "samples": {"video": 125, "audio": 234},
    } | values


def full_chain(signer: Signer, session: str = "xindai-room-1-20261123T013000Z-7f3a", **values: Any) -> Chain:
    """Every type of record, two tracks, a gap on one of them."""
    chain = Chain(signer, session)
    chain.open(**values)
    chain.segment("subject")
    chain.segment("room")
    chain.mark()
    chain.gap("subject")
    chain.segment("subject")
    chain.event({"kind": "alarm", "alarm": "silence", "track": "subject", "detail": "30 s"})
    chain.event({"kind": "document", "name": "询问笔录.pdf", "bytes": 1234, "sha256": "12" * 32})
    chain.event({"kind": "resumed", "cause": "power_lost", "down_us": 5_000_000, "detail": ""})
    chain.close()
    return chain


def store_site(store: MemoryStore, site: Site) -> None:
    """The certificate of the recorder, with its issuer."""
    pem = certificate_pem([site.recorder.certificate, site.root.certificate])
    store.put_bytes(layout.certificate_key(site.recorder.id), pem)


def store_chain(store: MemoryStore, chain: Chain) -> None:
    for key, data in chain.objects():
        store.put_bytes(key, data)
