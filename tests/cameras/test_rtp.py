"""RTP payloads and packets, put together again the way a receiver does."""

import struct
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shilu.cameras.media import AudioCodec, AudioFormat, VideoCodec, VideoFormat
from shilu.cameras.nal import START_CODE, split
from shilu.cameras.rtp import MAX_PAYLOAD_BYTES, RtpSender, audio_payload, video_payload

FORMATS = {codec: video_payload(VideoFormat(codec, 640, 360, 25, ())) for codec in VideoCodec}


def unit(codec: VideoCodec, kind: int, body: bytes) -> bytes:
    header = bytes([0x60 | kind % 24]) if codec is VideoCodec.H264 else bytes([(kind % 48) << 1, 1])
    return header + body.replace(b"\0", b"\1")


def assembled(codec: VideoCodec, payloads: list[bytes]) -> list[bytes]:
    """NAL units out of single NAL unit packets and fragments (RFC 6184 sections 5.6, 5.8; RFC 7798 section 4.4)."""
    units: list[bytes] = []
    for payload in payloads:
        if codec is VideoCodec.H264:
            if payload[0] & 0x1F != 28:
                units.append(payload)
                continue
            header, flags, rest = bytes([payload[0] & 0xE0 | payload[1] & 0x1F]), payload[1], payload[2:]
        else:
            if payload[0] >> 1 & 0x3F != 49:
                units.append(payload)
                continue
            header, flags, rest = (
                bytes([payload[0] & 0x81 | (payload[2] & 0x3F) << 1, payload[1]]),
                payload[2],
                payload[3:],
            )
        if flags & 0x80:
            units.append(header)
        units[-1] += rest
    return units


@pytest.mark.parametrize("codec", VideoCodec)
@given(data=st.data())
def test_a_picture_comes_back_from_its_packets(codec: VideoCodec, data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.integers(1, 6000), min_size=1, max_size=4))
    units = [unit(codec, index + 1, Random(index).randbytes(size)) for index, size in enumerate(sizes)]
    payloads = FORMATS[codec].rule(b"".join(START_CODE + each for each in units))
    assert max(len(payload) for payload in payloads) <= MAX_PAYLOAD_BYTES
    assert assembled(codec, payloads) == units == split(b"".join(START_CODE + each for each in units))


@pytest.mark.parametrize("size", [MAX_PAYLOAD_BYTES, MAX_PAYLOAD_BYTES + 1, 1 + 1398 * 2, 2 + 1398 * 2])
def test_first_and_last_fragment_are_marked_once(size: int) -> None:
    payloads = FORMATS[VideoCodec.H264].rule(START_CODE + unit(VideoCodec.H264, 5, b"x" * (size - 1)))
    if size > MAX_PAYLOAD_BYTES:
        assert [payload[1] & 0xC0 for payload in payloads] == [0x80, *[0] * (len(payloads) - 2), 0x40]
    else:
        assert len(payloads) == 1


def test_an_aac_frame_stands_behind_its_size() -> None:
    (payload,) = audio_payload(AudioFormat(AudioCodec.AAC, b"\x11\x88")).rule(b"frame")
    assert struct.unpack(">HH", payload[:4]) == (16, 5 << 3)
    assert payload[4:] == b"frame"


def test_numbers_and_timestamps_wrap() -> None:
    sender = RtpSender(FORMATS[VideoCodec.H264], 0, Random(1))
    sender.next_number = 0xFFFF
    for expected in (0xFFFF, 0, 1):
        data = sender.frame(START_CODE + b"\x65abc", sender.timestamp(2**40))
        assert struct.unpack(">H", data[6:8]) == (expected,)
    assert sender.timestamp(2**32 + 5) == sender.timestamp(5) < 2**32


def test_a_lost_packet_leaves_a_hole_in_the_numbers() -> None:
    sender = RtpSender(FORMATS[VideoCodec.H264], 0, Random(1))
    first = sender.next_number
    assert sender.frame(START_CODE + b"\x65" + b"x" * 5000, 0, loss_percent=100) == b""
    assert sender.next_number == (first + 4) & 0xFFFF


def test_a_report_ties_the_timestamp_to_the_wall_clock() -> None:
    sender = RtpSender(FORMATS[VideoCodec.H264], 2, Random(1))
    packet = sender.frame(START_CODE + b"\x65abc", 7)
    report = sender.report(1234, utc_us=1_500_000)
    dollar, channel, size, _, kind, words, ssrc, seconds, fraction, timestamp, packets, octets = struct.unpack_from(
        ">cBHBBHIIIIII", report
    )
    assert (dollar, channel, size, kind, words) == (b"$", 3, len(report) - 4, 200, 6)
    assert ssrc == struct.unpack(">I", packet[12:16])[0]
    assert (seconds, fraction, timestamp) == (2_208_988_801, 2**31, 1234)
    assert (packets, octets) == (1, 4)
    assert size % 4 == 0
    description = report[4 + 28 :]
    assert struct.unpack(">BBH", description[:4]) == (0x81, 202, len(description) // 4 - 1)
