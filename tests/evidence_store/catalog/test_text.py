"""Every field that somebody may have typed into: what went in comes out, in either kind of database."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evidence_store.catalog import Catalog
from evidence_store.errors import FormatError
from evidence_store.records import Document, Mark, Person
from evidence_store.signing import RECORDER_USAGE, issue
from tests.evidence_store.catalog.helpers import clear, confirm_all, full_store, ingest, ingest_all
from tests.evidence_store.chains import CASE, START, Chain, Site, make_site, track

HOSTILE = [
    "'; DROP TABLE sessions; --",
    "\"\\'`",
    "%s %(name)s :name ? $1 {0}",
    "\x00",
    "a\x00b\x1a0c\x1a1d\x1a",
    "\x1b[31m\r\n\t\x7f",
    "\u202e\u200b\ufeff\u2028\u2029",
    "<script>alert(1)</script>",
    "𠮷野家🙂\U0010ffff",
    "e\u0301 \u212b ﬁ",
    "=cmd|' /C calc'!A0",
    " leading and trailing ",
    "",
    "长" * 200,
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_comes_out_as_it_went_in(catalog: Catalog, site: Site, text: str) -> None:
    name = text.encode()[:60].decode(errors="ignore") or "-"
    site = Site(site.root, issue(site.root, name, RECORDER_USAGE, START, 10))
    chain = Chain(site.recorder)
    chain.open(
        case=None,
        no_case_reason=text,
        operator=text,
        tracks=[{**track("subject"), "role": text, "video": text, "audio": text}],
    )
    chain.segment()
    chain.event({"kind": "mark", "text": text})
    chain.event({"kind": "person", "action": "entered", "role": text, "name": text})
    chain.event({"kind": "document", "name": text, "bytes": 1, "sha256": "ab" * 32})
    chain.gap(detail=text)
    chain.close(detail=text)
    ingest_all(catalog, site, chain.records)
    detail = catalog.session(chain.session)
    assert detail is not None
    assert (detail.session.no_case_reason, detail.session.operator) == (text, text)
    (only,) = detail.tracks
    assert (only.role, only.video, only.audio) == (text, text, text)
    mark, person, document, _ = (each.event for each in catalog.events(chain.session))
    assert mark == Mark(kind="mark", text=text)
    assert person == Person(kind="person", action="entered", role=text, name=text)
    assert document == Document(kind="document", name=text, bytes=1, sha256="ab" * 32)
    store = full_store(site, chain)
    confirm_all(catalog, store)
    before = catalog.digest()
    catalog.rebuild({"hall": store}, site.anchors)
    assert catalog.digest() == before


@given(text=st.text(st.characters(exclude_categories=["Cs"]), max_size=200))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_out_as_it_went_in(catalog: Catalog, text: str) -> None:
    site = make_site()
    clear(catalog, site)
    chain = Chain(site.recorder)
    ingest_all(catalog, site, [chain.open(operator=text), chain.mark(text)])
    detail = catalog.session(chain.session)
    assert detail is not None
    assert detail.session.operator == text
    assert catalog.events(chain.session)[0].event == Mark(kind="mark", text=text)


@pytest.mark.parametrize(
    "number",
    [CASE, "平市监罚〔2026〕1号", "𠮷-1", "a'b\"c%_\\", "号" * 100, "Ä-1", "١٢٣"],
)
def test_case_numbers_are_found_as_they_are_written(catalog: Catalog, site: Site, number: str) -> None:
    chain = Chain(site.recorder)
    ingest(catalog, site, chain.open(case=number))
    assert [case.number for case in catalog.cases().items] == [number]
    assert [case.number for case in catalog.cases(containing=number[1:]).items] == [number]
    (found,) = catalog.sessions(case=number).items
    assert found.case_number == number


def test_case_number_in_another_normal_form_is_the_same_case(catalog: Catalog, site: Site) -> None:
    """Half of the keyboards write a letter and its mark apart."""
    composed, apart = "é-1", "e\u0301-1"
    first = Chain(site.recorder)
    second = Chain(site.recorder, "xindai-room-2-20261123T013000Z-0000")
    ingest_all(catalog, site, [first.open(case=composed), second.open(case=f" {apart} ")])
    (case,) = catalog.cases(containing=apart).items
    assert (case.number, case.sessions) == (composed, 2)
    assert len(catalog.sessions(case=apart).items) == 2


def test_case_number_of_more_than_a_hundred_characters(catalog: Catalog, site: Site) -> None:
    with pytest.raises(FormatError, match="101 characters"):
        ingest(catalog, site, Chain(site.recorder).open(case="号" * 101))
