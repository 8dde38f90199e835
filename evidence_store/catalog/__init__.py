"""The catalog: an index of the object stores, in SQLite or PostgreSQL.

Every row follows from what the stores hold and from nothing else, so that the whole catalog can be thrown away, made
again by `Catalog.rebuild`, and comes out equal (`Catalog.digest`). Whatever people add to the evidence later, such as
who may see a case, does not live here.

A record's way in: `admission` (what it must show by itself; pure), `ingest` (what is known of its session), `rows`
(pure), `models`. What is asked: `queries`, `tracks`, `copies`. `rebuild` goes through the same door as every record.
"""

from evidence_store.catalog.catalog import MAX_BATCH, Catalog
from evidence_store.catalog.database import CatalogUnavailableError
from evidence_store.catalog.ingest import IngestResult
from evidence_store.catalog.rebuild import RebuildProblem, RebuildProgress, RebuildReport, RebuildSource
from evidence_store.catalog.views import (
    AnyEvent,
    CaseView,
    EventView,
    Page,
    SegmentView,
    SessionCopies,
    SessionDetail,
    SessionView,
    SignedRecord,
    StoredCopy,
    TrackTotals,
    TrackView,
)

__all__ = [
    "MAX_BATCH",
    "AnyEvent",
    "CaseView",
    "Catalog",
    "CatalogUnavailableError",
    "EventView",
    "IngestResult",
    "Page",
    "RebuildProblem",
    "RebuildProgress",
    "RebuildReport",
    "RebuildSource",
    "SegmentView",
    "SessionCopies",
    "SessionDetail",
    "SessionView",
    "SignedRecord",
    "StoredCopy",
    "TrackTotals",
    "TrackView",
]
