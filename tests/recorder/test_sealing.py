"""Records of a session: what they say, and that each leaves the machine's memory whole."""

import hashlib

import pytest

from evidence_store.errors import ChainError, FormatError
from evidence_store.media import fragments, parse_init
from evidence_store.records import (
    CloseRecord,
    EventRecord,
    Gap,
    Mark,
    OpenRecord,
    SegmentRecord,
    parse_record,
    sha256_hex,
)
from evidence_store.signing import verify_signature
from recorder.sealing import Sealer
from recorder.upload import spooled_records
from tests.evidence_store.builder import stated_fragments
from tests.evidence_store.chains import START
from tests.recorder.memory_disk import MemoryDisk
from tests.recorder.studio import SESSION, Studio


@pytest.fixture
def studio() -> Studio:
    studio = Studio(MemoryDisk())
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(120)
    studio.lose("room")
    studio.roll(60)
    studio.stop()
    return studio


def test_every_record_is_signed_over_its_stored_bytes(studio: Studio) -> None:
    for record in spooled_records(studio.spool, 0):
        assert verify_signature(studio.site.recorder.certificate, record.signature, record.data)


def test_every_record_names_the_one_before(studio: Studio) -> None:
    stored = list(spooled_records(studio.spool, 0))
    prev = "0" * 64
    for seq, record in enumerate(stored):
        parsed = parse_record(record.data, where="")
        assert (parsed.seq, parsed.prev, parsed.session) == (seq, prev, SESSION)
        prev = sha256_hex(record.data)
    assert stored[-1].last
    assert not any(record.last for record in stored[:-1])


def test_a_segments_record_says_what_is_in_its_file(studio: Studio) -> None:
    seen = 0
    for record in spooled_records(studio.spool, 0):
        parsed = parse_record(record.data, where="")
        if not isinstance(parsed, SegmentRecord):
            continue
        data = studio.spool.read(record.objects[0].path)
        init = parse_init(data)
        assert parsed.media.bytes == len(data)
        assert parsed.media.sha256 == hashlib.sha256(data).hexdigest()
        assert parsed.media.init_sha256 == sha256_hex(data[: init.bytes])
        assert parsed.media.mime == init.mime
        assert parsed.model_dump(mode="json")["fragments"] == stated_fragments(data, init)
        assert len(parsed.fragments) == len(list(fragments(data, init)))
        seen += 1
    assert seen == 7


def test_the_close_adds_up_what_is_there(studio: Studio) -> None:
    records = [parse_record(record.data, where="") for record in spooled_records(studio.spool, 0)]
    close = records[-1]
    assert isinstance(close, CloseRecord)
    assert close.records == len(records)
    for totals in close.tracks:
        own = [one for one in records if isinstance(one, SegmentRecord) and one.track == totals.track]
        assert totals.segments == len(own)
        assert totals.recorded_us == sum(fragment.duration_us for one in own for fragment in one.fragments)
        assert totals.last_segment_sha256 == own[-1].media.sha256
        assert totals.first_time == own[0].fragments[0].time


def test_a_chain_is_taken_up_where_it_stands(studio: Studio) -> None:
    """After a restart the sealer knows what it knew before."""
    again = Sealer(studio.spool, studio.site.recorder, studio.clock)
    again.load()
    assert again.closed
    assert again.records == studio.sealer.records
    assert again.tallies == studio.sealer.tallies
    assert again.opened == studio.sealer.opened
    assert again.active_until == studio.sealer.active_until
    assert again.active_boot == studio.sealer.active_boot


def test_a_gap_begins_where_the_track_ended(studio: Studio) -> None:
    sealer = Sealer(studio.spool, studio.site.recorder, studio.clock)
    sealer.load()
    room = sealer.tallies["room"]
    assert (room.gaps, room.missing_us) == (1, 2_400_000)


def test_a_chain_with_a_foreign_record_is_refused() -> None:
    disk = MemoryDisk()
    studio = Studio(disk)
    studio.begin()
    studio.interview.event(Mark(kind="mark", text=""))
    path, signature = studio.spool.record_paths(1)
    other, other_signature = studio.spool.record_paths(0)
    disk.alter(path, disk.files()[other])
    disk.alter(signature, disk.files()[other_signature])
    with pytest.raises(ChainError, match="stands where number 1 is due"):
        Sealer(studio.spool, studio.site.recorder, studio.clock).load()


def test_a_record_that_is_not_one_is_refused() -> None:
    disk = MemoryDisk()
    studio = Studio(disk)
    studio.begin()
    disk.alter(studio.spool.record_paths(0)[0], b"{}")
    with pytest.raises(FormatError, match=r"records/00000000\.json: format 'None' is not known"):
        Sealer(studio.spool, studio.site.recorder, studio.clock).load()


def test_what_is_stated_at_open_stands_in_the_first_record(studio: Studio) -> None:
    first = next(iter(spooled_records(studio.spool, 0)))
    opened = parse_record(first.data, where="")
    assert isinstance(opened, OpenRecord)
    assert [track.track for track in opened.tracks] == ["room", "subject"]
    assert [officer.name for officer in opened.officers] == ["王明", "李华"]
    assert opened.case == "平综执立字〔2026〕第0012号"


def test_a_detail_that_is_too_long_for_a_record_is_cut() -> None:
    studio = Studio(MemoryDisk())
    studio.begin()
    studio.sealer.gap("room", START, "camera_lost", "x" * 5000)
    (*_, last) = spooled_records(studio.spool, 0)
    record = parse_record(last.data, where="")
    assert isinstance(record, EventRecord)
    assert isinstance(record.event, Gap)
    assert record.event.detail == "x" * 2000
