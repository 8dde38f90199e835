"""Access units of H.264 and H.265: whole ones come out as they went in, damaged ones do not come out."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.h264 import H264
from recorder.rtsp.h265 import H265
from recorder.rtsp.pictures import MAX_PICTURE_BYTES, Pictures
from recorder.rtsp.receiver import Receiver
from recorder.rtsp.splitter import Splitter
from recorder.rtsp.units import VideoUnit
from tests.recorder.rtsp.wire import rtp

STEP = 3600


@dataclass(frozen=True)
class Codec:
    """Of each codec: a decoder, and how its NAL units look and are packed."""

    name: str
    make: Callable[[Callable[[VideoUnit], None]], Pictures]
    parameters: bytes
    supplement: bytes
    key: bytes
    plain: bytes
    """The first slice of a picture."""
    further: bytes
    """Another slice of the same picture."""

    def fragments(self, unit: bytes, size: int) -> list[bytes]:
        if self.name == "h264":
            header, kind, body = bytes([unit[0] & 0xE0 | 28]), unit[0] & 0x1F, unit[1:]
        else:
            header, kind, body = bytes([unit[0] & 0x81 | 49 << 1, unit[1]]), unit[0] >> 1 & 0x3F, unit[2:]
        places = range(0, len(body), size)
        return [
            header + bytes([(0x80 if at == 0 else 0) | (0x40 if at == places[-1] else 0) | kind]) + body[at : at + size]
            for at in places
        ]

    def aggregate(self, *units: bytes) -> bytes:
        header = b"\x78" if self.name == "h264" else b"\x60\x01"
        return header + b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)


CODECS = [
    Codec("h264", H264, b"\x67sps", b"\x06sei", b"\x65\x88key", b"\x41\x9aplain", b"\x41\x1afurther"),
    Codec(
        "h265",
        lambda emit: H265(emit, don=False),
        b"\x42\x01sps",
        b"\x4e\x01sei",
        b"\x26\x01\xafkey",
        b"\x02\x01\xd0plain",
        b"\x02\x01\x10further",
    ),
]
each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


class Camera:
    """Numbers packets as a camera does; what comes out of them stands in `units`."""

    def __init__(self, codec: Codec, first_number: int = 65_530) -> None:
        self.units: list[VideoUnit] = []
        self._numbers = count(first_number)
        receiver = Receiver(96, codec.make(self.units.append))
        self._splitter = Splitter(lambda _: None)
        self._splitter.listen(0, receiver.packet, receiver.kinds)

    def send(self, timestamp: int, *payloads: bytes, marker: bool = True) -> None:
        """One picture's packets, the last with the marker."""
        for payload in payloads[:-1]:
            self._packet(timestamp, payload, False)
        self._packet(timestamp, payloads[-1], marker)

    def lose(self, packets: int = 1) -> None:
        for _ in range(packets):
            next(self._numbers)

    def _packet(self, timestamp: int, payload: bytes, marker: bool) -> None:
        self._splitter.feed(rtp(0, next(self._numbers), timestamp, payload, marker=marker))

    @property
    def seen(self) -> list[tuple[bytes, ...]]:
        return [unit.nals for unit in self.units]


@each_codec
def test_single_units_fragments_and_aggregates(codec: Codec) -> None:
    camera = Camera(codec)
    camera.send(0, codec.aggregate(codec.parameters, codec.supplement), *codec.fragments(codec.key + b"x" * 50, 7))
    camera.send(STEP, codec.plain)
    assert camera.seen == [(codec.parameters, codec.supplement, codec.key + b"x" * 50), (codec.plain,)]
    assert [(unit.timestamp, unit.lost_before) for unit in camera.units] == [(0, False), (STEP, False)]


@each_codec
def test_a_picture_ends_where_the_timestamp_changes_if_there_is_no_marker(codec: Codec) -> None:
    camera = Camera(codec)
    for number in range(3):
        camera.send(number * STEP, codec.plain, codec.further, marker=False)
    assert camera.seen == [(codec.plain, codec.further)] * 2


@each_codec
def test_the_marker_ends_a_picture_at_once(codec: Codec) -> None:
    camera = Camera(codec)
    camera.send(0, codec.plain)
    assert len(camera.units) == 1


@each_codec
@pytest.mark.parametrize("timestamp", [0, 1])
def test_parameter_sets_that_are_marked_or_stamped_by_themselves_go_with_the_next_picture(
    codec: Codec, timestamp: int
) -> None:
    camera = Camera(codec)
    camera.send(0, codec.parameters)
    camera.send(timestamp, codec.key)
    assert camera.seen == [(codec.parameters, codec.key)]
    assert camera.units[0].timestamp == timestamp


@each_codec
def test_a_camera_that_marks_each_slice_is_found_out(codec: Codec) -> None:
    camera = Camera(codec)
    for number in range(4):
        camera.send(number * STEP, codec.plain)
        camera.send(number * STEP, codec.further)
    assert camera.seen == [(codec.plain,), (codec.plain, codec.further), (codec.plain, codec.further)]
    assert [unit.lost_before for unit in camera.units] == [False, True, False]


@each_codec
def test_two_pictures_with_one_timestamp_are_two(codec: Codec) -> None:
    """Fields of an interlaced picture, or a camera whose clock stands still: each begins with a first slice."""
    camera = Camera(codec)
    camera.send(0, codec.plain)
    camera.send(0, codec.plain)
    assert camera.seen == [(codec.plain,), (codec.plain,)]


@each_codec
@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_picture_with_a_hole_is_dropped_and_the_next_one_too(codec: Codec, missing: int) -> None:
    """Of the second one nobody knows whether the hole has eaten its beginning."""
    camera = Camera(codec)
    camera.send(0, codec.key)
    pieces = codec.fragments(codec.plain + b"y" * 20, 9)
    assert len(pieces) == 3
    for number, piece in enumerate(pieces):
        if number == missing:
            camera.lose()
        else:
            camera.send(STEP, piece, marker=number == 2)
    for number in range(2, 5):
        camera.send(number * STEP, codec.plain)
    survivors = [3, 4] if missing == 2 else [2, 3, 4]
    assert [unit.timestamp // STEP for unit in camera.units] == [0, *survivors]
    assert [unit.lost_before for unit in camera.units] == [False, True, *[False] * (len(survivors) - 1)]


@each_codec
def test_a_hole_between_whole_pictures_is_told(codec: Codec) -> None:
    camera = Camera(codec)
    camera.send(0, codec.key)
    camera.lose(3)
    camera.send(2 * STEP, codec.plain, marker=False)
    camera.send(3 * STEP, codec.plain)
    assert [(unit.timestamp // STEP, unit.lost_before) for unit in camera.units] == [(0, False), (3, True)]


@each_codec
def test_fragments_that_do_not_fit_together_drop_their_picture_only(codec: Codec) -> None:
    begin, middle, end = codec.fragments(codec.key + b"z" * 20, 8)[:3]
    whole = codec.fragments(codec.plain + b"w" * 9, 20)
    for broken in ([middle, end], [begin, middle], [begin, begin, end], [begin, codec.plain]):
        camera = Camera(codec)
        camera.send(0, codec.plain)
        camera.send(STEP, *broken)
        camera.send(2 * STEP, *whole)
        assert [unit.timestamp // STEP for unit in camera.units] == [0, 2], broken
        assert camera.units[1].lost_before


@each_codec
def test_an_aggregate_that_promises_too_much_drops_its_picture(codec: Codec) -> None:
    camera = Camera(codec)
    camera.send(0, codec.aggregate(codec.parameters, codec.key)[:-1])
    camera.send(STEP, codec.aggregate(codec.plain) + b"\0")
    assert camera.seen == [(codec.plain,)], "a byte behind the last unit of an aggregate does no harm"


@each_codec
def test_several_units_in_one_with_start_codes_are_taken_apart(codec: Codec) -> None:
    """What some cameras send as their parameter sets."""
    camera = Camera(codec)
    camera.send(0, b"\0\0\0\1".join([codec.parameters, codec.supplement, codec.key]) + b"\0\0")
    assert camera.seen == [(codec.parameters, codec.supplement, codec.key)]


@each_codec
def test_timestamps_go_on_beyond_32_bits(codec: Codec) -> None:
    camera = Camera(codec)
    first = (1 << 32) - 2 * STEP
    for number in range(5):
        camera.send(first + number * STEP, codec.plain)
    assert [unit.timestamp for unit in camera.units] == [first + number * STEP for number in range(5)]


@each_codec
def test_b_pictures_step_back(codec: Codec) -> None:
    camera = Camera(codec)
    for number in (0, 3, 1, 2):
        camera.send(number * STEP, codec.plain)
    assert [unit.timestamp // STEP for unit in camera.units] == [0, 3, 1, 2]


@each_codec
def test_a_picture_beyond_all_measure_is_dropped_and_not_held(codec: Codec) -> None:
    camera = Camera(codec)
    begin, middle, _ = codec.fragments(codec.key + bytes(2 * 60_000 + 1), 60_000)[:3]
    camera.send(0, begin, marker=False)
    for _ in range(MAX_PICTURE_BYTES // 60_000 + 5):
        camera.send(0, middle, marker=False)
    pictures = camera._splitter._takes[0].__self__._packet.__self__  # type: ignore[union-attr]
    assert sum(map(len, pictures._pieces)) == 0
    camera.send(STEP, codec.plain)
    assert [unit.timestamp for unit in camera.units] == [STEP]
    assert camera.units[0].lost_before


@each_codec
def test_many_parameter_sets_without_a_picture_are_not_held(codec: Codec) -> None:
    pictures = codec.make(lambda _: None)
    many = codec.aggregate(*[codec.parameters] * 8000)
    for number in range(200):
        pictures.packet(many, 0, len(many), number, 0)
    assert len(pictures._units) * 64 <= MAX_PICTURE_BYTES


def test_h264_interleaved_mode_is_no_picture() -> None:
    for kind in (25, 26, 27, 29):
        camera = Camera(CODECS[0])
        camera.send(0, bytes([kind]) + b"\0\0\0\5hello", CODECS[0].key)
        assert camera.units == []


def test_h264_reserved_payloads_are_passed_over() -> None:
    camera = Camera(CODECS[0])
    camera.send(0, b"\x00abc", b"\x1fabc", CODECS[0].key)
    assert camera.seen == [(CODECS[0].key,)]


def test_h265_with_decoding_order_numbers() -> None:
    codec = CODECS[1]
    camera = Camera(replace(codec, make=lambda emit: H265(emit, don=True)))
    begin, *others = codec.fragments(codec.key + b"k" * 20, 8)
    camera.send(0, begin[:3] + b"\0\1" + begin[3:], *others)
    camera.send(STEP, codec.plain[:2] + b"\0\2" + codec.plain[2:])
    sizes = [len(unit).to_bytes(2, "big") + unit for unit in (codec.supplement, codec.plain)]
    camera.send(2 * STEP, b"\x60\x01\0\3" + sizes[0] + b"\0" + sizes[1])
    assert camera.seen == [(codec.key + b"k" * 20,), (codec.plain,), (codec.supplement, codec.plain)]


def test_h265_paci_is_no_picture() -> None:
    camera = Camera(CODECS[1])
    camera.send(0, b"\x64\x01abcdef", CODECS[1].key)
    assert camera.units == []


def whole_pictures(codec: Codec) -> st.SearchStrategy[list[list[bytes]]]:
    """Pictures as lists of NAL units, the first of each a first slice."""
    body = st.binary(min_size=1, max_size=200).map(lambda data: data.replace(b"\0", b"\1"))
    further = st.builds(lambda head, data: head + data, st.sampled_from([codec.supplement, codec.further]), body)
    picture = st.builds(lambda data, more: [codec.plain + data, *more], body, st.lists(further, max_size=3))
    return st.lists(picture, min_size=1, max_size=5)


def packed(codec: Codec, units: Sequence[bytes], size: int) -> Iterable[bytes]:
    for unit in units:
        yield from codec.fragments(unit, size) if len(unit) > size + 2 else [unit]


@given(st.data())
def test_whatever_goes_in_comes_out(data: st.DataObject) -> None:
    codec = data.draw(st.sampled_from(CODECS))
    pictures = data.draw(whole_pictures(codec))
    camera = Camera(codec, data.draw(st.integers(0, 65_535)))
    first = data.draw(st.integers(0, (1 << 32) - 1))
    for number, units in enumerate(pictures):
        payloads = list(packed(codec, units, data.draw(st.integers(1, 250))))
        camera.send(first + number * STEP, *payloads)
    assert camera.seen == [tuple(units) for units in pictures]
    assert [unit.timestamp - first for unit in camera.units] == [number * STEP for number in range(len(pictures))]
    assert not any(unit.lost_before for unit in camera.units)


@given(st.data())
def test_with_packets_missing_only_whole_pictures_come_out_and_holes_are_told(data: st.DataObject) -> None:
    codec = data.draw(st.sampled_from(CODECS))
    pictures = data.draw(whole_pictures(codec))
    camera = Camera(codec)
    camera.send(0, codec.plain)
    lost = False
    for number, units in enumerate(pictures, 1):
        payloads = list(packed(codec, units, 40))
        for place, payload in enumerate(payloads):
            if data.draw(st.integers(0, 9)) == 0:
                camera.lose()
                lost = True
            else:
                camera.send(number * STEP, payload, marker=place == len(payloads) - 1)
    camera.send(100 * STEP, codec.plain)
    camera.send(101 * STEP, codec.plain)
    sent: dict[int, tuple[bytes, ...]] = {0: (codec.plain,), 100: (codec.plain,), 101: (codec.plain,)}
    sent |= {number: tuple(units) for number, units in enumerate(pictures, 1)}
    before = 0
    for unit in camera.units:
        number = unit.timestamp // STEP
        assert unit.nals == sent[number]
        between = [other for other in sent if before < other < number]
        assert unit.lost_before or not between
        before = number
    assert any(unit.lost_before for unit in camera.units) == lost


@given(st.sampled_from(CODECS), st.lists(st.tuples(st.binary(max_size=30), st.integers(0, 2), st.booleans())))
def test_no_payload_does_harm(codec: Codec, payloads: list[tuple[bytes, int, bool]]) -> None:
    camera = Camera(codec)
    for payload, timestamp, marker in payloads:
        camera.send(timestamp, payload, marker=marker)
    assert all(nal for unit in camera.units for nal in unit.nals)
