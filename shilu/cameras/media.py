"""The values that travel from an encoder to a socket: codecs, formats, access units, frames."""

from dataclasses import dataclass
from enum import Enum, StrEnum

VIDEO_CLOCK_HZ = 90_000
"""RTP clock of every video format (RFC 6184 section 8.2.1, RFC 7798 section 7.1)."""


class VideoCodec(StrEnum):
    H264 = "h264"
    H265 = "h265"


class AudioCodec(StrEnum):
    AAC = "aac"
    OPUS = "opus"
    ALAW = "pcm_alaw"
    MULAW = "pcm_mulaw"


SAMPLE_RATE_HZ = {AudioCodec.AAC: 48_000, AudioCodec.OPUS: 48_000, AudioCodec.ALAW: 8_000, AudioCodec.MULAW: 8_000}
"""One sampling rate a codec. It is also the RTP clock: RFC 3640 section 3.1, RFC 7587 section 4.1, RFC 3551 table 4."""

FRAME_SAMPLES = {AudioCodec.AAC: 1024, AudioCodec.OPUS: 960, AudioCodec.ALAW: 160, AudioCodec.MULAW: 160}
"""Samples in one packet: the AAC-LC frame, otherwise 20 ms."""


class Track(Enum):
    """A camera's two tracks; the value is the track's number in SDP."""

    VIDEO = 0
    AUDIO = 1


@dataclass(frozen=True, slots=True)
class VideoFormat:
    """What a receiver must know before the first picture. `parameter_sets` are NAL units without start codes:
    SPS, PPS for H.264; VPS, SPS, PPS for H.265."""

    codec: VideoCodec
    width: int
    height: int
    fps: int
    parameter_sets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """What a receiver must know before the first sound; always one channel. `config` is the AudioSpecificConfig
    (ISO/IEC 14496-3 section 1.6.2.1) of AAC, empty for the others."""

    codec: AudioCodec
    config: bytes

    @property
    def rate_hz(self) -> int:
        return SAMPLE_RATE_HZ[self.codec]

    @property
    def frame_samples(self) -> int:
        return FRAME_SAMPLES[self.codec]


@dataclass(frozen=True, slots=True)
class AccessUnit:
    """One encoded picture in Annex B form (start codes). `pts_90k` counts from the start of its clip or source."""

    data: bytes
    pts_90k: int
    keyframe: bool


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """One encoded packet of sound. `pts` counts samples from the start of its clip or source."""

    data: bytes
    pts: int


@dataclass(frozen=True, slots=True)
class MediaUnit:
    """One picture or packet of sound on its way to the clients. `pts` counts the track's clock from the source's
    epoch and never wraps; `due_us` is the moment of capture on the monotonic clock, which is also when it is sent."""

    track: Track
    data: bytes
    keyframe: bool
    pts: int
    due_us: int
