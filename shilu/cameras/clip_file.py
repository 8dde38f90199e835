"""A clip as an ordinary media file, for programs that play files: another RTSP server, a player."""

from collections.abc import Iterator
from fractions import Fraction
from heapq import merge
from pathlib import Path

import av

from shilu.cameras.clip import Clip
from shilu.cameras.errors import SpecError
from shilu.cameras.media import VIDEO_CLOCK_HZ, AudioCodec, MediaUnit, Track, VideoCodec


def write_mov(clip: Clip, path: Path, seconds: int) -> None:
    """Write `seconds` (rounded up to whole turns of the clip) as one QuickTime file, with timestamps that run through.

    QuickTime takes G.711, which Matroska and MP4 refuse. The file bears its name only once it is complete.

    Raises:
        SpecError: the clip's sound is Opus, which QuickTime does not take.
    """
    if clip.spec.audio is AudioCodec.OPUS:
        raise SpecError(f"{clip.spec.name}: QuickTime takes AAC and G.711, not Opus")
    unfinished = path.with_suffix(".part")
    turns = -(-seconds // clip.seconds)
    with av.open(unfinished, "w", format="mov") as output:
        video_name = "h264" if clip.spec.video is VideoCodec.H264 else "hevc"
        size = {"width": clip.spec.width, "height": clip.spec.height}
        streams = {Track.VIDEO: output.add_mux_stream(video_name, clip.spec.fps, **size)}
        ticks = {Track.VIDEO: Fraction(1, VIDEO_CLOCK_HZ)}
        if clip.audio_format is not None:
            # An encoder that is opened and never used: the muxer takes channels and configuration from it.
            sound = output.add_stream(clip.audio_format.codec.value, clip.audio_format.rate_hz)
            sound.codec_context.layout = "mono"
            streams[Track.AUDIO] = sound
            ticks[Track.AUDIO] = Fraction(1, clip.audio_format.rate_hz)
        for unit in merge(_pictures(clip, turns), _sounds(clip, turns), key=lambda unit: unit.due_us):
            packet = av.Packet(unit.data)
            packet.pts = packet.dts = unit.pts
            packet.time_base = ticks[unit.track]
            packet.is_keyframe = unit.keyframe
            packet.stream = streams[unit.track]
            output.mux_one(packet)
    unfinished.replace(path)


def _pictures(clip: Clip, turns: int) -> Iterator[MediaUnit]:
    for turn in range(turns):
        start = turn * clip.seconds * VIDEO_CLOCK_HZ
        for unit in clip.video:
            pts = start + unit.pts_90k
            yield MediaUnit(Track.VIDEO, unit.data, unit.keyframe, pts, pts * 1_000_000 // VIDEO_CLOCK_HZ)


def _sounds(clip: Clip, turns: int) -> Iterator[MediaUnit]:
    if clip.audio_format is None:
        return
    rate_hz = clip.audio_format.rate_hz
    for turn in range(turns):
        for frame in clip.audio:
            pts = turn * clip.seconds * rate_hz + frame.pts
            yield MediaUnit(Track.AUDIO, frame.data, True, pts, pts * 1_000_000 // rate_hz)
