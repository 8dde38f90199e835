"""Names of things in the store."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evidence_store import layout
from evidence_store.errors import FormatError

SESSION = "xindai-room-1-20261123T013000Z-7f3a"
IDS = st.from_regex(r"\A[a-z0-9]{1,12}(-[a-z0-9]{1,8}){0,3}\Z")


@given(track=IDS, seq=st.integers(0, 99_999_999), index=st.integers(0, 999_999))
def test_keys_say_what_they_name(track: str, seq: int, index: int) -> None:
    assert layout.parse_key(layout.record_key(SESSION, seq)) == layout.RecordKey(SESSION, seq, "json")
    assert layout.parse_key(layout.signature_key(SESSION, seq)) == layout.RecordKey(SESSION, seq, "sig")
    assert layout.parse_key(layout.media_key(SESSION, track, index)) == layout.MediaKey(SESSION, track, index)


@given(st.text(max_size=120))
def test_any_text_is_a_key_or_is_not(key: str) -> None:
    place = layout.parse_key(key)
    if isinstance(place, layout.RecordKey):
        kinds = {"json": layout.record_key, "sig": layout.signature_key}
        assert kinds[place.kind](place.session, place.seq) == key
    elif isinstance(place, layout.MediaKey):
        assert layout.media_key(place.session, place.track, place.index) == key


@pytest.mark.parametrize(
    "key",
    [
        f"sessions/{SESSION}/records/0000001.json",
        f"sessions/{SESSION}/records/000000001.json",
        f"sessions/{SESSION}/records/٠٠٠٠٠٠٠١.json",
        f"sessions/{SESSION}/records/００００００００.json",
        f"sessions/{SESSION}/records/00000001.json\n",
        f"sessions/{SESSION}/records/00000001.JSON",
        f"sessions/{SESSION}/records/../records/00000001.json",
        f"/sessions/{SESSION}/records/00000001.json",
        f"sessions/{SESSION}/media/Subject/000000.mp4",
        f"sessions/{SESSION}/media/sub/ject/000000.mp4",
        f"sessions/{SESSION}/media/subject-/000000.mp4",
        f"sessions/{SESSION}/media/../000000.mp4",
        f"sessions/{SESSION}/media/subject/٠٠٠٠٠٠.mp4",
        f"sessions/{SESSION}/media/subject/0000001.mp4",
        "sessions/x/records/00000001.json",
        "",
    ],
)
def test_other_spellings_of_a_key_are_no_key(key: str) -> None:
    assert layout.parse_key(key) is None


@pytest.mark.parametrize(
    "session",
    [
        "", "room", "xindai-room-1-20261123T013000Z", "xindai-room-1-20261123T013000Z-7F3A",
        "xindai-room-1-20261123t013000z-7f3a", "xindai--room-20261123T013000Z-7f3a", "-a-20261123T013000Z-7f3a",
        "xindai-room-1-２０２６1123T013000Z-7f3a", SESSION + "\n", SESSION + "-1", "../" + SESSION,
        "a" * 200 + "-20261123T013000Z-7f3a",
    ],
)  # fmt: skip
def test_what_is_no_session_id_is_refused(session: str) -> None:
    with pytest.raises(FormatError):
        layout.check_session_id(session)


@given(started=st.datetimes(datetime(2000, 1, 1), datetime(2999, 1, 1)), suffix=st.integers(0, 1 << 20))  # noqa: DTZ001
def test_new_session_ids_are_session_ids(started: datetime, suffix: int) -> None:
    session = layout.new_session_id("xindai", "room-1", started.replace(tzinfo=UTC), suffix)
    assert layout.check_session_id(session) == session
    assert session.startswith("xindai-room-1-")


def test_session_ids_are_in_utc_and_sort_by_time() -> None:
    beijing = timezone(timedelta(hours=8))
    first = layout.new_session_id("a", "b", datetime(2026, 11, 23, 9, 30, tzinfo=beijing), 0xFFFF)
    second = layout.new_session_id("a", "b", datetime(2026, 11, 23, 9, 31, tzinfo=beijing), 0)
    assert first == "a-b-20261123T013000Z-ffff"
    assert first < second


@pytest.mark.parametrize("value", ["", "A", "a_b", "a b", "-a", "a-", "a--b", "a.b", "é", "一", "a\n", "a" * 41, "１"])
def test_what_is_no_id_is_refused(value: str) -> None:
    with pytest.raises(FormatError, match="track"):
        layout.check_id(value, name="track")


@given(st.text(max_size=110))
def test_case_numbers_are_normal_or_refused(value: str) -> None:
    try:
        number = layout.check_case_number(value)
    except FormatError:
        return
    assert layout.check_case_number(number) == number
    assert number == number.strip()


@pytest.mark.parametrize("value", ["", "  ", "\u3000", "a" * 101, "a\nb", "a\u200bb", "a\u202eb", "a\x00", "a\ue000"])
def test_what_is_no_case_number_is_refused(value: str) -> None:
    with pytest.raises(FormatError, match="case number"):
        layout.check_case_number(value)


def test_case_number_as_agencies_write_it() -> None:
    assert layout.check_case_number(" 平综执立字〔2026〕第0012号 ") == "平综执立字〔2026〕第0012号"


@pytest.mark.parametrize(
    ("key", "sha256"), [(f"certs/{'0a' * 32}.pem", "0a" * 32), (f"certs/{'0A' * 32}.pem", None), ("certs/", None)]
)
def test_certificates_are_named_by_their_hash(key: str, sha256: str | None) -> None:
    assert layout.certificate_sha256(key) == sha256
    if sha256 is not None:
        assert layout.certificate_key(sha256) == key
