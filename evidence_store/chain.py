"""The chain: records numbered from 0 without a hole, each naming the hash of the one before. Pure.

One state machine serves the recorder, which extends a chain, and everybody who reads one, so both hold the same rules:

1. the first record is `open`, has number 0 and names 64 zeros as the one before;
2. each further record has the next number, the same session, and the hash of the bytes before it;
3. nothing follows `close`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum

from evidence_store.errors import ChainError
from evidence_store.records import ZERO_HASH, Envelope, sha256_hex


class ChainRule(Enum):
    """What a record has to hold to follow the one before it."""

    SESSION = "session"
    OPEN = "open"
    NUMBER = "number"
    PREV = "prev"
    TYPE = "type"


@dataclass(frozen=True, slots=True)
class ChainState:
    """Where a chain stands: `next_seq` is the number of the next record, `prev` the hash it has to name."""

    session: str
    next_seq: int = 0
    prev: str = ZERO_HASH
    closed: bool = False

    def extend(self, record: Envelope, kind: str, data: bytes) -> "ChainState":
        """The state after `record` (of type `kind`, stored as `data`); raises ChainError when it does not follow."""
        for _, what in self.faults(record, kind):
            raise ChainError(what, where=f"record {record.seq} of {self.session}")
        return self.after(kind, sha256_hex(data))

    def faults(self, record: Envelope, kind: str) -> Iterator[tuple[ChainRule, str]]:
        """Every rule that `record` breaks if it stands next, each with what is wrong."""
        if record.session != self.session:
            yield ChainRule.SESSION, f"belongs to session {record.session}"
        if self.closed:
            yield ChainRule.OPEN, "follows the close of its session"
        if record.seq != self.next_seq:
            yield ChainRule.NUMBER, f"stands where number {self.next_seq} is due"
        if record.prev != self.prev:
            yield ChainRule.PREV, "does not name the hash of the record before it"
        if (kind == "open") != (record.seq == 0):
            yield ChainRule.TYPE, f"a record of type {kind} cannot have this number"

    def after(self, kind: str, sha256: str) -> "ChainState":
        """The state after a record of type `kind` with this hash, whatever it may have broken."""
        return replace(self, next_seq=self.next_seq + 1, prev=sha256, closed=self.closed or kind == "close")
