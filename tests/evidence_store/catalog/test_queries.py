"""What is asked of the catalog, and that an index answers it."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from evidence_store.catalog import Catalog, Page, SessionView, TrackTotals
from evidence_store.errors import FormatError
from evidence_store.records import Gap, Mark, to_us
from tests.evidence_store.catalog.helpers import ingest_all
from tests.evidence_store.chains import CASE, SEGMENT_US, START, Chain, Site, full_chain

DAY = timedelta(days=1)


@pytest.fixture
def filled(catalog: Catalog, site: Site) -> Catalog:
    """Ten sessions, one a day, in two rooms by turns; every third belongs to a case of its own, the others to none."""
    for day in range(10):
        start = START + day * DAY
        room = f"room-{day % 2 + 1}"
        chain = Chain(site.recorder, f"xindai-{room}-{start:%Y%m%dT%H%M%SZ}-000{day}", start)
        case = f"平综执立字〔2026〕第{day:04}号" if day % 3 == 0 else None
        chain.open(room=room, case=case, no_case_reason=None if case else "尚未立案")
        chain.mark()
        ingest_all(catalog, site, chain.records)
    return catalog


class TestSessions:
    def test_latest_first(self, filled: Catalog) -> None:
        assert days(filled.sessions()) == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

    def test_of_a_room(self, filled: Catalog) -> None:
        assert days(filled.sessions(room="room-1")) == [8, 6, 4, 2, 0]

    def test_of_a_site(self, filled: Catalog) -> None:
        assert days(filled.sessions(site="xindai", room="room-2")) == [9, 7, 5, 3, 1]
        assert days(filled.sessions(site="another")) == []

    def test_of_a_case(self, filled: Catalog) -> None:
        (found,) = filled.sessions(case="平综执立字〔2026〕第0003号").items
        assert (found.case_number, found.state, found.opened_us) == (
            "平综执立字〔2026〕第0003号",
            "open",
            to_us(START + 3 * DAY),
        )

    def test_from_a_time_on_and_before_another(self, filled: Catalog) -> None:
        found = filled.sessions(after=START + 2 * DAY, before=START + 5 * DAY)
        assert days(found) == [4, 3, 2]

    @pytest.mark.parametrize("limit", [1, 2, 3, 5, 9, 10, 11])
    def test_pages_are_the_whole_list(self, filled: Catalog, limit: int) -> None:
        found: list[int] = []
        cursor = None
        while True:
            page = filled.sessions(limit=limit, cursor=cursor)
            found += days(page)
            cursor = page.next_cursor
            if cursor is None:
                break
            assert len(page.items) == limit
        assert found == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]

    def test_pages_hold_when_sessions_arrive_between_them(self, filled: Catalog, site: Site) -> None:
        first = filled.sessions(limit=4)
        ingest_all(filled, site, [Chain(site.recorder, start=START + 20 * DAY).open()])
        assert days(first) + days(filled.sessions(limit=100, cursor=first.next_cursor)) == [
            9,
            8,
            7,
            6,
            5,
            4,
            3,
            2,
            1,
            0,
        ]

    def test_sessions_that_began_at_the_same_time(self, catalog: Catalog, site: Site) -> None:
        sessions = [f"xindai-room-{room}-20261123T013000Z-0000" for room in range(6)]
        for session in sessions:
            ingest_all(catalog, site, [Chain(site.recorder, session).open()])
        first = catalog.sessions(limit=4)
        rest = catalog.sessions(limit=4, cursor=first.next_cursor)
        assert [each.id for each in [*first.items, *rest.items]] == sessions[::-1]


class TestCases:
    def test_highest_number_first(self, filled: Catalog) -> None:
        found = filled.cases()
        assert [case.number for case in found.items] == [f"平综执立字〔2026〕第{day:04}号" for day in (9, 6, 3, 0)]
        assert found.next_cursor is None

    def test_with_their_sessions(self, catalog: Catalog, site: Site) -> None:
        for number in range(3):
            start = START + number * DAY
            chain = Chain(site.recorder, f"xindai-room-1-{start:%Y%m%dT%H%M%SZ}-0000", start)
            ingest_all(catalog, site, [chain.open()])
        (case,) = catalog.cases().items
        assert (case.number, case.sessions) == (CASE, 3)
        assert (case.first_began_us, case.last_began_us) == (to_us(START), to_us(START + 2 * DAY))

    def test_found_by_a_part_of_the_number(self, filled: Catalog) -> None:
        assert [case.number for case in filled.cases(containing="第0003").items] == ["平综执立字〔2026〕第0003号"]
        assert len(filled.cases(containing="〔2026〕").items) == 4
        assert len(filled.cases(containing="").items) == 4

    @pytest.mark.parametrize("text", ["%", "_", "0_03", "//", "\\", "'"])
    def test_no_character_of_a_search_is_special(self, filled: Catalog, text: str) -> None:
        assert filled.cases(containing=text).items == ()

    def test_latin_letters_in_either_case(self, catalog: Catalog, site: Site) -> None:
        ingest_all(catalog, site, [Chain(site.recorder).open(case="PH-2026-aé-12")])
        assert len(catalog.cases(containing="ph-2026-A").items) == 1

    def test_pages_are_the_whole_list(self, filled: Catalog) -> None:
        first = filled.cases(limit=3)
        rest = filled.cases(limit=3, cursor=first.next_cursor)
        assert [case.number[-2] for case in (*first.items, *rest.items)] == ["9", "6", "3", "0"]
        assert rest.next_cursor is None


class TestOneSession:
    def test_with_its_tracks(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records)
        detail = catalog.session(chain.session)
        assert detail is not None
        assert (detail.session.state, detail.session.close_reason) == ("closed", "operator")
        assert (detail.session.opened_us, detail.session.closed_us) == (to_us(START), to_us(START) + 9_000_000)
        assert (detail.records, detail.last_seq) == (10, 9)
        subject, room = detail.tracks
        assert (subject.track, subject.camera, subject.audio, subject.sound) == (
            "subject",
            "subject-camera",
            "aac",
            True,
        )
        assert (room.track, room.audio, room.sound) == ("room", None, False)
        last = catalog.segments(chain.session, "subject")[-1]
        assert subject.known == TrackTotals(
            segments=2,
            first_time_us=to_us(START),
            last_time_us=to_us(START) + 2 * SEGMENT_US,
            recorded_us=2 * SEGMENT_US,
            gaps=1,
            missing_us=3_000_000,
            last_segment_sha256=last.sha256,
        )
        assert subject.stated == subject.known
        assert room.stated == room.known

    def test_before_its_close(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records[:3])
        detail = catalog.session(chain.session)
        assert detail is not None
        assert detail.session.state == "open"
        assert [(track.known.segments, track.stated) for track in detail.tracks] == [(1, None), (1, None)]

    def test_unknown(self, catalog: Catalog) -> None:
        assert catalog.session("xindai-room-1-20261123T013000Z-0000") is None
        assert catalog.segments("xindai-room-1-20261123T013000Z-0000", "subject") == ()
        assert catalog.events("xindai-room-1-20261123T013000Z-0000") == ()

    def test_segments_in_order(self, catalog: Catalog, site: Site) -> None:
        chain = Chain(site.recorder)
        chain.open()
        for _ in range(12):
            chain.segment("subject")
            chain.segment("room")
        ingest_all(catalog, site, reversed(chain.records))
        found = catalog.segments(chain.session, "subject")
        assert [segment.index for segment in found] == list(range(12))
        third = found[2]
        assert third.key == f"sessions/{chain.session}/media/subject/000002.mp4"
        assert (third.seq, third.run, third.fragments, third.init_bytes) == (5, 0, 2, 10)
        assert (third.first_time_us, third.media_start_us) == (to_us(START) + 2 * SEGMENT_US, 2 * SEGMENT_US)
        assert (third.duration_us, third.size_bytes) == (SEGMENT_US, len(chain.media[third.key]))

    def test_events_as_they_were_stated(self, catalog: Catalog, site: Site) -> None:
        chain = full_chain(site.recorder)
        ingest_all(catalog, site, chain.records)
        found = catalog.events(chain.session)
        assert [each.seq for each in found] == [3, 4, 6, 7, 8]
        assert found[0].event == Mark(kind="mark", text="当事人陈述")
        gap = found[1].event
        assert isinstance(gap, Gap)
        assert (gap.cause, gap.missing_us, gap.from_time) == ("camera_lost", 3_000_000, START)
        assert found[0].time_us == to_us(START) + 3_000_000

    def test_gaps_longer_than_the_world(self, catalog: Catalog, site: Site) -> None:
        """Numbers of 64 bits add up to more than 64 bits."""
        chain = Chain(site.recorder)
        chain.open()
        chain.segment("subject")
        for _ in range(3):
            chain.gap("subject", missing_us=2**63 - 1)
        ingest_all(catalog, site, chain.records)
        detail = catalog.session(chain.session)
        assert detail is not None
        assert detail.tracks[0].known.missing_us == 3 * (2**63 - 1)


class TestInput:
    """What a person sends in place of an id or a cursor is refused with a line, and never reaches the database."""

    @pytest.mark.parametrize("text", ["", " ", "\x00", "\ud800", "../x", "a" * 3000, "eyJ0ZXh0IjoxfQ==", "🙂"])
    def test_is_checked(self, catalog: Catalog, text: str) -> None:
        asked: list[Callable[[], object]] = [
            lambda: catalog.sessions(room=text),
            lambda: catalog.sessions(site=text),
            lambda: catalog.sessions(cursor=text),
            lambda: catalog.cases(cursor=text),
            lambda: catalog.session(text),
            lambda: catalog.segments(text, "subject"),
            lambda: catalog.segments("xindai-room-1-20261123T013000Z-0000", text),
            lambda: catalog.events(text),
            lambda: catalog.copies(text),
            lambda: catalog.session_keys_confirmed(text),
        ]
        for ask in asked:
            with pytest.raises(FormatError) as caught:
                ask()
            assert str(caught.value).isprintable()

    @pytest.mark.parametrize("text", ["\x00", "\ud800", "a" * 101, "a\nb"])
    def test_case_numbers_are_checked(self, catalog: Catalog, text: str) -> None:
        for ask in (lambda: catalog.sessions(case=text), lambda: catalog.cases(containing=text)):
            with pytest.raises(FormatError):
                ask()

    @pytest.mark.parametrize("limit", [0, -1, 1001])
    def test_pages_have_a_length(self, catalog: Catalog, limit: int) -> None:
        for ask in (lambda: catalog.sessions(limit=limit), lambda: catalog.cases(limit=limit)):
            with pytest.raises(FormatError, match="Ask for 1 to 1000"):
                ask()

    def test_cursor_of_another_list(self, filled: Catalog) -> None:
        with pytest.raises(FormatError):
            filled.sessions(cursor=filled.cases(limit=1).next_cursor)


class TestIndexes:
    """Without measuring: the plan of every question names an index, and none goes through a whole table."""

    def test_no_question_reads_a_whole_table(self, tmp_path: Path, site: Site) -> None:
        with Catalog.open(f"sqlite:///{tmp_path}/catalog.db") as catalog:
            chain = full_chain(site.recorder)
            ingest_all(catalog, site, chain.records)
            asked: list[Callable[[], object]] = [
                catalog.sessions,
                lambda: catalog.sessions(case=CASE),
                lambda: catalog.sessions(case=CASE, after=START, cursor=cursor),
                lambda: catalog.sessions(room="room-1"),
                lambda: catalog.sessions(room="room-1", before=datetime.now(UTC), cursor=cursor),
                lambda: catalog.sessions(after=START, before=START + DAY),
                catalog.cases,
                lambda: catalog.session(chain.session),
                lambda: catalog.segments(chain.session, "subject"),
                lambda: catalog.events(chain.session),
                lambda: catalog.copies(chain.records[0].key),
                lambda: catalog.session_keys_confirmed(chain.session),
            ]
            ingest_all(catalog, site, [Chain(site.recorder, "xindai-room-1-20261124T013000Z-0000").open()])
            cursor = catalog.sessions(limit=1).next_cursor
            for ask in asked:
                found = plans(catalog, ask)
                assert not [step for step in found if step.startswith("SCAN sessions") and "USING INDEX" not in step]
                assert not [step for step in found if re.match("SCAN (records|segments|events|tracks|copies)", step)]
                # Sorting what was found is for the few tracks of one session only.
                assert (
                    "USE TEMP B-TREE FOR ORDER BY" not in found
                    or "SEARCH tracks USING PRIMARY KEY (session=?)" in found
                )


def plans(catalog: Catalog, ask: Callable[[], object]) -> list[str]:
    """What SQLite says it does for each statement that the question comes to."""
    engine = catalog._database._engine
    statements: list[tuple[str, object]] = []

    def note(connection: object, cursor: object, statement: str, parameters: object, *_: object) -> None:
        statements.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    found: list[str] = []
    with engine.connect() as connection:
        for statement, parameters in statements:
            if statement.startswith("SELECT"):
                rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)  # type: ignore[arg-type]
                found += [str(row.detail) for row in rows]
    assert found
    return found


def days(page: Page[SessionView]) -> list[int]:
    return [int(session.id[-1]) for session in page.items]
