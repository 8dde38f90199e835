"""A record as it lies in the store: bytes, signature, and what parsing gave. Loading one touches nothing else."""

from dataclasses import dataclass

from evidence_store import layout
from evidence_store.errors import FormatError
from evidence_store.records import UnknownFormatError, parse_record, sha256_hex
from evidence_store.strict_json import parse_object
from evidence_store.verify.film import AnyRecord
from evidence_store.verify.findings import Findings
from evidence_store.verify.inventory import Inventory
from evidence_store.verify.source import Absence, EvidenceSource, Fetched, fetch


@dataclass(frozen=True, slots=True)
class Entry:
    """What stands at one number of the chain: a `record`, or a `fault` in its bytes, or no bytes to look at."""

    seq: int
    key: str
    stored: Fetched
    signature: Fetched
    sha256: str
    record: AnyRecord | None
    fault: FormatError | None

    @property
    def signer(self) -> str | None:
        """The certificate the record names; of a record of an unknown format as well, as far as it can be seen."""
        if self.record is not None:
            return self.record.signer
        if isinstance(self.fault, UnknownFormatError):
            named = parse_object(self.stored.data, where=self.key).get("signer")
            return named if isinstance(named, str) else None
        return None


def load(session: str, source: EvidenceSource, inventory: Inventory, seq: int) -> Entry:
    """Read and parse one record; never raises for what it finds."""
    key, signature_key = layout.record_key(session, seq), layout.signature_key(session, seq)
    stored = Fetched(absence=Absence.TOO_LARGE) if key in inventory.too_large else fetch(source, key)
    signature = (
        Fetched(absence=Absence.TOO_LARGE) if signature_key in inventory.too_large else fetch(source, signature_key)
    )
    record, fault = None, None
    if stored.absence is None:
        try:
            record = parse_record(stored.data, where=key)
        except FormatError as error:
            fault = error
    elif stored.absence is Absence.TOO_LARGE:
        fault = FormatError("larger than any record", where=key)
    return Entry(seq, key, stored, signature, sha256_hex(stored.data), record, fault)


@dataclass(slots=True)
class Progress:
    """Where verification stands, as all rules see it.

    `holes` counts what could not be read so far. A rule that finds something missing asks whether `holes` has grown
    since it last saw its track: then what it misses may have been in there.
    """

    session: str
    findings: Findings
    holes: int = 0
