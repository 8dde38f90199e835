"""Sound into MP4: copied where MP4 takes it, without loss where it has to be coded anew."""

from itertools import pairwise

import av
import numpy as np
import pytest
from av.audio.stream import AudioStream
from numpy.typing import NDArray

from recorder.sound import Block, FlacSound, PassedSound, sound_of
from tests.recorder.sounds import Heard, Kind, heard

G711: list[Kind] = ["pcm_alaw", "pcm_mulaw"]


def decode(template: AudioStream, blocks: list[bytes]) -> NDArray[np.int16]:
    """Samples of FLAC, from its header and blocks alone."""
    decoder = av.CodecContext.create("flac", "r")
    decoder.extradata = template.codec_context.extradata
    frames = [frame for block in blocks for frame in decoder.decode(av.Packet(block))]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.int16)


def expected(source: Heard) -> NDArray[np.int16]:
    """Samples of G.711 as FFmpeg decodes them."""
    frames = [frame for packet in source.packets for frame in source.stream.codec_context.decode(packet)]
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.int16)


def flac_of(source: Heard) -> FlacSound:
    sound = sound_of(source.stream)
    assert isinstance(sound, FlacSound)
    return sound


@pytest.mark.parametrize("block_samples", [80, 160, 240, 320, 1024])
@pytest.mark.parametrize("kind", G711)
def test_g711_becomes_flac_bit_for_bit(kind: Kind, block_samples: int) -> None:
    source = heard(kind, seconds=2.0, block_samples=block_samples)
    sound = flac_of(source)
    assert (sound.codec, sound.timescale) == ("flac", 8000)
    blocks: list[Block] = []
    for number, packet in enumerate(source.packets):
        blocks += sound.blocks(packet, 5000 + number * block_samples)
    whole = len(blocks) * sound.block_samples
    assert [block.dts for block in blocks] == [5000 + number * sound.block_samples for number in range(len(blocks))]
    found = decode(sound.template, [block.data for block in blocks])
    true = expected(heard(kind, seconds=2.0, block_samples=block_samples))
    assert np.array_equal(found, true[:whole])
    assert len(true) - whole < sound.block_samples + block_samples, "only what does not fill a block is left over"
    assert len(np.unique(found)) > 150, "loud and soft"


def test_stamps_that_shake_do_not_cut_the_sound() -> None:
    """Cameras stamp G.711 by a clock that is not the microphone's; a few milliseconds mean nothing."""
    source = heard("pcm_alaw")
    sound = flac_of(source)
    blocks: list[Block] = []
    for number, packet in enumerate(source.packets):
        blocks += sound.blocks(packet, number * 160 + (number * 37 % 60) - 30)
    assert {later.dts - earlier.dts for earlier, later in pairwise(blocks)} == {sound.block_samples}


def test_after_a_hole_sound_stands_where_it_belongs() -> None:
    source = heard("pcm_alaw", seconds=2.0)
    sound = flac_of(source)
    blocks: list[Block] = []
    for number, packet in enumerate(source.packets):
        if not 40 <= number < 60:
            blocks += sound.blocks(packet, number * 160)
    true = expected(heard("pcm_alaw", seconds=2.0))
    at_the_hole = next(place for place, block in enumerate(blocks) if block.dts >= 60 * 160)
    assert blocks[at_the_hole].dts == 60 * 160
    assert blocks[at_the_hole - 1].dts + sound.block_samples <= 40 * 160
    for block in blocks:
        data = decode(sound.template, [block.data])
        assert np.array_equal(data, true[block.dts : block.dts + sound.block_samples])


def test_sound_that_goes_back_begins_anew_there() -> None:
    source = heard("pcm_mulaw")
    sound = flac_of(source)
    blocks = [block for number in range(20) for block in sound.blocks(source.packets[number], 8000 + number * 160)]
    again = [block for number in range(20) for block in sound.blocks(source.packets[number], number * 160)]
    assert blocks[0].dts == 8000
    assert [block.dts for block in again] == [number * sound.block_samples for number in range(len(again))]
    assert len(again) == len(blocks)


def test_two_channels_stay_two() -> None:
    source = heard("pcm_alaw", channels="stereo")
    sound = flac_of(source)
    blocks = [block for number, packet in enumerate(source.packets) for block in sound.blocks(packet, number * 80)]
    decoder = av.CodecContext.create("flac", "r")
    decoder.extradata = sound.template.codec_context.extradata
    (frame,) = decoder.decode(av.Packet(blocks[0].data))
    assert frame.layout.name == "stereo"


@pytest.mark.parametrize("kind", ["aac", "opus"])
def test_aac_and_opus_pass_as_they_came(kind: Kind) -> None:
    source = heard(kind)
    sound = sound_of(source.stream)
    assert isinstance(sound, PassedSound)
    assert (sound.codec, sound.timescale) == (kind, 48_000)
    assert sound.template is source.stream
    for packet in source.packets:
        assert list(sound.blocks(packet, 77)) == [Block(bytes(packet), 77)]


@pytest.mark.parametrize(("kind", "samples"), [("aac", 1024), ("opus", 960)])
def test_the_length_of_a_block_is_known(kind: Kind, samples: int) -> None:
    sound = sound_of(heard(kind).stream)
    assert sound is not None
    assert sound.block_samples == samples


@pytest.mark.parametrize("channels", ["mono", "stereo"])
def test_aac_of_a_transport_stream_loses_its_headers_and_plays(channels: str) -> None:
    source = heard("adts", channels=channels)
    sound = sound_of(source.stream)
    assert isinstance(sound, PassedSound)
    assert (sound.timescale, sound.block_samples) == (48_000, 1024)
    blocks = [block for packet in source.packets for block in sound.blocks(packet, 0)]
    for packet, block in zip(source.packets, blocks, strict=True):
        assert bytes(packet)[:2] in {b"\xff\xf1", b"\xff\xf9"}
        assert bytes(packet).endswith(block.data)
        assert len(bytes(packet)) - len(block.data) == 7
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = sound.template.codec_context.extradata
    frames = [frame for block in blocks for frame in decoder.decode(av.Packet(block.data))]
    assert frames[-1].layout.name == channels
    assert frames[-1].sample_rate == 48_000
    assert np.abs(np.concatenate([frame.to_ndarray()[0] for frame in frames])).max() > 0.5


def test_a_header_with_a_checksum_is_taken_off_too() -> None:
    source = heard("adts")
    sound = sound_of(source.stream)
    assert sound is not None
    data = bytes(source.packets[5])
    with_checksum = bytes([data[0], data[1] & 0xFE]) + data[2:7] + b"\x12\x34" + data[7:]
    assert [block.data for block in sound.blocks(av.Packet(with_checksum), 0)] == [data[7:]]


def test_a_block_without_a_header_stays_as_it_is() -> None:
    sound = sound_of(heard("adts").stream)
    assert sound is not None
    assert [block.data for block in sound.blocks(av.Packet(b"\x21\x10\x05"), 0)] == [b"\x21\x10\x05"]


def test_a_codec_that_the_format_does_not_carry_is_left_out() -> None:
    assert sound_of(heard("mp3").stream) is None
