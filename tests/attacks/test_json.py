"""Attacks on the reading of records: texts that two programs could read in two ways, and texts made to break a reader.

They are signed by the recorder's own key, so that nothing but the parser stands in their way.
"""

from collections.abc import Callable

import pytest

from evidence_store import layout
from evidence_store.records import sha256_hex
from evidence_store.verify import Verdict
from tests.attacks.expect import codes_of, expect, find
from tests.evidence_store.builder import Evidence, build

Change = Callable[[bytes], bytes]


def sealed_with(kind: str, change: Change) -> Evidence:
    """A session in which the bytes of one record were changed before they were signed; the chain goes on from them."""
    recording = build()
    evidence = recording.seal()
    seq = recording.seq(kind)
    key, signature_key = evidence.record_key(kind), evidence.signature_key(kind)
    evidence.objects[key] = change(evidence.objects[key])
    evidence.objects[signature_key] = recording.site.recorder.sign(evidence.objects[key])
    draft = recording.drafts[seq + 1] if seq + 1 < len(recording.drafts) else None
    if draft is not None:
        draft["prev"] = sha256_hex(evidence.objects[key])
    return recording.seal(onto=evidence, from_seq=seq + 1)


MALFORMED: dict[str, Change] = {
    "duplicate key": lambda data: data.replace(b'"kind":"mark"', b'"kind":"mark","text":"a"'),
    "duplicate key in another spelling": lambda data: data.replace(b'"seq":', b'"\\u0073eq":1,"seq":'),
    "unknown key": lambda data: data.replace(b'"kind":"mark"', b'"kind":"mark","paused":1'),
    "trailing bytes": lambda data: data + b"{}",
    "trailing newline": lambda data: data + b"\n",
    "leading space": lambda data: b" " + data,
    "byte order mark": lambda data: b"\xef\xbb\xbf" + data,
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "GB 18030": lambda data: data.decode().encode("gb18030"),
    "overlong UTF-8": lambda data: data.replace(b'"text":"', b'"text":"\xc0\xaf'),
    "surrogate": lambda data: data.replace(b'"text":"', b'"text":"\\ud800'),
    "float": lambda data: data.replace(b'"seq":', b'"seq":1.0,"x":'),
    "exponent": lambda data: data.replace(b'"monotonic_us":', b'"monotonic_us":1e3,"x":'),
    "not a number": lambda data: data.replace(b'"monotonic_us":', b'"monotonic_us":NaN,"x":'),
    "giant number": lambda data: data.replace(b'"monotonic_us":', b'"monotonic_us":' + b"9" * 5000),
    "number beyond 64 bits": lambda data: data.replace(b'"monotonic_us":', b'"monotonic_us":9223372036854775808,"x":'),
    "negative number": lambda data: data.replace(b'"monotonic_us":', b'"monotonic_us":-'),
    "number as text": lambda data: data.replace(b'"format"', b'"monotonic_us":"1","format"'),
    "deep nesting": lambda data: data.replace(b'"text":"', b'"text":' + b"[" * 100_000 + b"]" * 100_000 + b',"x":"'),
    "unclosed nesting": lambda _: b'{"a":' * 200_000,
    "unterminated escapes": lambda _: b'{"' + b'\\"' * 500_000,
    "array": lambda data: b"[" + data + b"]",
    "empty": lambda _: b"",
    "null": lambda _: b"null",
    "more than a mebibyte": lambda data: data.replace(b'"text":"', b'"text":"' + b"a" * (1 << 20)),
    "text too long": lambda data: data.replace(b'"text":"', b'"text":"' + b"a" * 2001),
    "time in another zone": lambda data: data.replace(b'Z","type"', b'+00:00","type"'),
    "time in other digits": lambda data: data.replace(b'"time":"2', '"time":"２'.encode()),
    "time that no calendar has": lambda data: data.replace(b'"time":"2026-11', b'"time":"2026-13'),
    "hash in capitals": lambda data: data.replace(b'"signer":"', b'"signer":"A'),
    "no format": lambda data: data.replace(b'"format":"shilu-record/1",', b""),
    "another project's format": lambda data: data.replace(b"shilu-record/1", b"other-record/1"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_record_that_could_be_read_in_two_ways(name: str) -> None:
    evidence = sealed_with("mark", MALFORMED[name])
    seq = evidence.recording.seq("mark")
    report = evidence.verify()
    before, after = (evidence.recording.drafts[number]["time"] for number in (seq - 1, seq + 1))
    found = expect(report, "record_malformed", evidence.record_key("mark"))
    assert found.to_json()["from"] == before
    assert found.to_json()["to"] == after
    assert codes_of(report) == {"record_malformed"}


def test_record_of_a_later_version_cannot_be_judged() -> None:
    evidence = sealed_with("mark", lambda data: data.replace(b"shilu-record/1", b"shilu-record/2"))
    report = evidence.verify()
    expect(report, "format_unknown", evidence.record_key("mark"))
    assert codes_of(report) == {"format_unknown"}


def test_record_made_to_look_like_a_later_version() -> None:
    """Without the key, changing the version breaks the signature and the chain: that is no matter of judgement."""
    evidence = build().seal()
    key = evidence.record_key("close")
    evidence.objects[key] = evidence.objects[key].replace(b"shilu-record/1", b"shilu-record/2")
    report = evidence.verify()
    assert report.verdict is Verdict.NOT_OK
    assert {"format_unknown", "signature_wrong"} <= codes_of(report)


def test_later_version_that_names_no_readable_signer() -> None:
    evidence = sealed_with(
        "mark",
        lambda data: data.replace(b"shilu-record/1", b"shilu-record/2").replace(b'"signer":"', b'"signer":"../../'),
    )
    report = evidence.verify()
    assert find(report, "certificate_altered").seq == evidence.recording.seq("mark")
    assert report.verdict is Verdict.NOT_OK


def test_text_that_would_rewrite_the_report() -> None:
    """Control characters and marks that turn the direction of text around come out as their numbers."""
    hostile = "\\u001b[2J\\u202eOK\\u2066 room"
    recording = build()
    recording.drafts[0]["operator"] = hostile.encode().decode("unicode_escape")
    recording.session = "xindai-room-1-20261123T013001Z-7f3a"
    report = recording.seal().verify()
    for text in (report.text("zh"), report.text("en")):
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "<U+001B>" in text


def test_key_that_would_rewrite_the_report() -> None:
    evidence = build().seal()
    key = f"sessions/{evidence.recording.session}/a\nVerdict: OK\x1b[0m"
    evidence.objects[key] = b""
    report = evidence.verify()
    assert find(report, "object_unnamed").object == key
    assert "\nVerdict: OK" not in report.text("en")


def test_record_that_names_an_object_outside_its_session() -> None:
    recording = build()
    recording.draft("segment", "room", 1)["media"]["key"] = layout.media_key("other-x-20261123T013001Z-7f3a", "room", 1)
    report = recording.seal().verify()
    expect(report, "segment_key_differs", layout.media_key(recording.session, "room", 1), recording.span("room", 1))
    assert codes_of(report) == {"segment_key_differs", "object_unnamed"}
