"""What a store lists under a session, kept as runs of numbers: small, however long the session is.

1. A key under `sessions/<id>/` that is not one of the layout is an added object (`object_unnamed`).
2. So is a segment that no record names, and a signature beyond the close record. Where records are missing, or the
   session has no close yet, such a segment may be theirs and makes the session incomplete (`object_unexplained`).
3. Objects larger than anything the format allows are not read.
4. A key at which the store keeps further versions or a delete marker was overwritten or hidden (`object_rewritten`),
   whatever it shows now. Of a segment, the finding says which time it touches.
"""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from evidence_store import layout, strict_json
from evidence_store.verify import codes
from evidence_store.verify.findings import Findings, finding
from evidence_store.verify.source import EvidenceSource

MAX_MEDIA_BYTES = 512 << 20  # more than a minute of 60 Mbit/s; the longest segment is a minute
MAX_SIGNATURE_BYTES = 1024  # a P-256 signature in DER has at most 72


class Numbers:
    """A set of whole numbers, kept as runs from `first` to `last`. Cheap as long as it has few holes."""

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []

    def add(self, number: int) -> None:
        position = bisect_right(self._firsts, number)
        if position and number <= self._lasts[position - 1]:
            return
        follows = position > 0 and self._lasts[position - 1] == number - 1
        leads = position < len(self._firsts) and self._firsts[position] == number + 1
        if follows and leads:
            self._lasts[position - 1] = self._lasts.pop(position)
            del self._firsts[position]
        elif follows:
            self._lasts[position - 1] = number
        elif leads:
            self._firsts[position] = number
        else:
            self._firsts.insert(position, number)
            self._lasts.insert(position, number)

    def __contains__(self, number: int) -> bool:
        position = bisect_right(self._firsts, number)
        return position > 0 and number <= self._lasts[position - 1]

    def __iter__(self) -> Iterator[int]:
        for first, last in zip(self._firsts, self._lasts, strict=True):
            yield from range(first, last + 1)

    @property
    def last(self) -> int:
        """The greatest number, -1 if there is none."""
        return self._lasts[-1] if self._lasts else -1


@dataclass(slots=True)
class Inventory:
    """Numbers of records and signatures, indices of segments by track, keys that are too large to be read, and keys at
    which more stands than was once written."""

    records: Numbers = field(default_factory=Numbers)
    signatures: Numbers = field(default_factory=Numbers)
    media: dict[str, Numbers] = field(default_factory=dict)
    too_large: set[str] = field(default_factory=set)
    altered: set[str] = field(default_factory=set)


def take_inventory(session: str, source: EvidenceSource, findings: Findings) -> Inventory:
    """List the session's folder once; raises what the source raises."""
    inventory = Inventory()
    for key, size_bytes in source.keys(layout.session_prefix(session)):
        place = layout.parse_key(key)
        if isinstance(place, layout.RecordKey):
            is_record = place.kind == "json"
            (inventory.records if is_record else inventory.signatures).add(place.seq)
            limit_bytes = strict_json.MAX_BYTES if is_record else MAX_SIGNATURE_BYTES
        elif isinstance(place, layout.MediaKey):
            inventory.media.setdefault(place.track, Numbers()).add(place.index)
            limit_bytes = MAX_MEDIA_BYTES
        else:
            findings.add(finding(codes.OBJECT_UNNAMED, object_key=key))
            continue
        if size_bytes > limit_bytes:
            inventory.too_large.add(key)
    inventory.altered.update(source.altered(layout.session_prefix(session)))
    return inventory


def report_unnamed(
    session: str,
    inventory: Inventory,
    named: dict[str, Numbers],
    *,
    last_record: int,
    closed: bool,
    holes: int,
    findings: Findings,
) -> None:
    """Rule 2, once all records are read: `named` are the indices that records name, by track."""
    code = codes.OBJECT_UNNAMED if closed and not holes else codes.OBJECT_UNEXPLAINED
    for track, indices in inventory.media.items():
        known = named.get(track, Numbers())
        for index in indices:
            if index not in known:
                key = layout.media_key(session, track, index)
                findings.add(finding(code, object_key=key, track=track))
    if closed:
        for seq in inventory.signatures:
            if seq > last_record:
                findings.add(finding(codes.OBJECT_UNNAMED, object_key=layout.signature_key(session, seq), seq=seq))
