"""What a camera's stream is made of: whole pictures, whole frames of sound, and what describes them."""

from dataclasses import dataclass
from typing import ClassVar, Literal

Kind = Literal["video", "audio"]
VideoCodec = Literal["h264", "hevc"]
AudioCodec = Literal["aac", "opus", "pcm_alaw", "pcm_mulaw"]

VIDEO_CLOCK_HZ = 90_000


@dataclass(frozen=True, slots=True)
class VideoUnit:
    """One picture: the NAL units of an access unit in the order in which they came, without start codes.

    `timestamp` is the RTP timestamp in ticks of the track's clock, continued beyond 32 bits; it is the time of showing,
    which goes back and forth where a camera codes B pictures. `lost_before`: pictures before this one are missing.
    """

    kind: ClassVar[Literal["video"]] = "video"
    nals: tuple[bytes, ...]
    timestamp: int
    lost_before: bool


@dataclass(frozen=True, slots=True)
class AudioUnit:
    """One coded frame of sound (AAC access unit, Opus packet, block of G.711), `samples` long in ticks of its clock."""

    kind: ClassVar[Literal["audio"]] = "audio"
    data: bytes
    timestamp: int
    samples: int
    lost_before: bool


Unit = VideoUnit | AudioUnit


@dataclass(frozen=True, slots=True)
class VideoDescription:
    """`parameter_sets` are the NAL units that the session description announces; often none."""

    codec: VideoCodec
    parameter_sets: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class AudioDescription:
    """`sample_rate_hz` is also the clock of the timestamps. `config` is AAC's AudioSpecificConfig (ISO/IEC 14496-3,
    1.6.2.1), empty for the others. `frame_samples` is the length of a frame; of Opus and G.711 the usual one."""

    codec: AudioCodec
    sample_rate_hz: int
    channels: int
    config: bytes
    frame_samples: int


@dataclass(frozen=True, slots=True)
class Description:
    """What a connection delivers. Where the camera has sound that is not delivered, `silent_because` says why."""

    video: VideoDescription
    audio: AudioDescription | None
    silent_because: str
