"""Numbers and headers of RTP packets, and what RTCP says."""

import struct
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.receiver import Receiver
from recorder.rtsp.rtcp import KINDS, ReportReader, utc_us_from_ntp
from recorder.rtsp.splitter import Splitter
from recorder.rtsp.ticks import Ticks, near
from tests.recorder.rtsp.wire import SOURCE, bye, frame, report, rtp


class Payloads:
    """Notes payloads, and `None` for a hole."""

    def __init__(self) -> None:
        self.seen: list[bytes | None] = []

    def packet(self, data: bytes, begin: int, end: int, timestamp: int, marker: int, /) -> None:
        self.seen.append(data[begin:end])

    def lose(self) -> None:
        self.seen.append(None)


def received(*packets: bytes) -> list[bytes | None]:
    payloads, splitter = Payloads(), Splitter(lambda _: None)
    receiver = Receiver(96, payloads)
    splitter.listen(0, receiver.packet, receiver.kinds)
    splitter.feed(b"".join(packets))
    return payloads.seen


def numbered(*numbers: int) -> list[bytes | None]:
    return received(*(rtp(0, number, 0, b"%d" % (number & 0xFFFF)) for number in numbers))


def test_numbers_in_order_over_the_wrap() -> None:
    assert numbered(65_534, 65_535, 65_536, 65_537) == [b"65534", b"65535", b"0", b"1"]


def test_a_hole_is_told_before_the_packet_after_it() -> None:
    assert numbered(1, 2, 5) == [b"1", b"2", None, b"5"]


def test_packets_that_were_there_already_or_come_too_late_are_dropped() -> None:
    assert numbered(1, 2, 2, 1, 3, 3, 4) == [b"1", b"2", b"3", b"4"]
    assert numbered(1, 3, 2, 4) == [b"1", None, b"3", b"4"]


def test_a_camera_that_counts_anew_is_followed() -> None:
    assert numbered(30_000, 30_001, 5, 6) == [b"30000", b"30001", None, b"5", b"6"]


def test_a_camera_that_counts_anew_a_little_back_is_followed_in_the_end() -> None:
    seen = numbered(500, *range(450, 620))
    assert seen[0] == b"500"
    assert None not in seen, "what comes twice does not look like a hole"
    assert seen[1:] == [b"%d" % number for number in range(501, 620)]
    assert numbered(500, *[490] * 102)[1:] == [None, b"490"], "unless it never comes to an end"


def test_another_source_is_a_hole() -> None:
    assert received(rtp(0, 1, 0, b"a"), rtp(0, 2, 0, b"b", source=SOURCE + 1)) == [b"a", None, b"b"]


def test_reports_on_the_channel_of_packets_are_no_hole() -> None:
    packets = rtp(0, 1, 0, b"a"), report(0, 1_000_000, 5), bye(0), rtp(0, 2, 0, b"b")
    assert received(*packets) == [b"a", b"b"]


def test_contributing_sources_extension_and_padding_are_taken_off() -> None:
    extension = b"\xbe\xde\0\1" + b"ext!"
    assert received(
        rtp(0, 1, 0, bytes(8) + b"a", head=0x82),
        rtp(0, 2, 0, extension + b"b", head=0x90),
        rtp(0, 3, 0, b"c\0\0\3", head=0xA0),
        rtp(0, 4, 0, bytes(4) + extension + b"d\1", head=0xB1),
    ) == [b"a", b"b", b"c", b"d"]


def test_packets_without_a_payload_or_of_another_type_are_passed_over() -> None:
    assert received(
        rtp(0, 1, 0, b""),
        rtp(0, 2, 0, b"\xbe\xde\xff\xff", head=0x90),
        rtp(0, 3, 0, b"\xbe", head=0x90),
        rtp(0, 4, 0, b"ab\x09", head=0xA0),
        rtp(0, 5, 0, b"short", head=0x8F),
        rtp(0, 6, 0, b"comfort noise", payload_type=13),
        rtp(0, 7, 0, b"here"),
    ) == [b"here"]


@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0x80, 0xBF), st.binary(max_size=40)), max_size=30))
def test_no_header_does_harm(packets: list[tuple[int, int, bytes]]) -> None:
    seen = received(*(rtp(0, number, 0, payload, head=head) for number, head, payload in packets))
    assert all(payload is None or payload for payload in seen)


# RTCP


class Reports:
    def __init__(self, *packets: bytes) -> None:
        self.reports: list[tuple[int, int]] = []
        self.gone: list[int] = []
        splitter = Splitter(lambda _: None)
        reader = ReportReader(lambda utc_us, timestamp: self.reports.append((utc_us, timestamp)), self.gone.append)
        splitter.listen(1, reader.packet, KINDS)
        splitter.feed(b"".join(packets) + bytes(4))


def test_a_sender_report_tells_utc_and_timestamp() -> None:
    utc_us = 1_767_225_600_123_456
    seen = Reports(report(1, utc_us, 77))
    ((found_us, timestamp),) = seen.reports
    assert abs(found_us - utc_us) <= 1
    assert timestamp == 77


def test_reports_are_found_among_others() -> None:
    receiver_report = struct.pack(">BBHI", 0x80, 201, 1, SOURCE)
    sender = report(1, 1_000_000, 5)[4:]
    seen = Reports(frame(1, receiver_report + sender + sender))
    assert len(seen.reports) == 2


def test_a_camera_without_a_clock_reports_nothing() -> None:
    packet = frame(1, struct.pack(">BBHIQIII", 0x80, 200, 6, SOURCE, 0, 5, 0, 0))
    assert Reports(packet).reports == []


def test_a_farewell_names_its_source() -> None:
    assert Reports(bye(1)).gone == [SOURCE]


def test_ntp_time_before_and_after_2036() -> None:
    for moment in (
        datetime(1970, 1, 1, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(2036, 3, 1, tzinfo=UTC),
    ):
        seconds = round(moment.timestamp())
        assert utc_us_from_ntp(((seconds + 2_208_988_800) & 0xFFFFFFFF) << 32) == seconds * 1_000_000


@given(st.binary(max_size=200))
def test_no_report_does_harm(data: bytes) -> None:
    Reports(frame(1, b"\x80\xc8" + data))


# Timestamps


@given(st.integers(0, (1 << 32) - 1), st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20))
def test_timestamps_are_continued_whatever_they_begin_with(first: int, steps: list[int]) -> None:
    ticks, true = Ticks(), first
    assert ticks.unwrap(first) == first
    for step in steps:
        true += step
        assert ticks.unwrap(true & 0xFFFFFFFF) == true


def test_near() -> None:
    assert near(5, 0xFFFFFFFF) == -1
    assert near((7 << 32) + 5, 0xFFFFFFFF) == (7 << 32) - 1
    assert near((7 << 32) - 1, 5) == (7 << 32) + 5
