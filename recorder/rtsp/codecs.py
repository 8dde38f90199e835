"""Which of the tracks that a camera offers are taken, and how their payloads are to be read. Pure."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from recorder.rtsp.errors import RtspError
from recorder.rtsp.sdp import Format, Medium, base64_values
from recorder.rtsp.sound import AacLayout
from recorder.rtsp.units import VIDEO_CLOCK_HZ, AudioCodec, AudioDescription, VideoDescription

_VIDEO_NAMES = "H.264 or H.265"
_START_CODE = re.compile(rb"\A\x00*\x00\x00\x01")
_RATES_HZ = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""ISO/IEC 14496-3 table 1.18."""
_MORE_IN_AU_HEADER = (
    "ctsdeltalength",
    "dtsdeltalength",
    "randomaccessindication",
    "streamstateindication",
    "auxiliarydatasizelength",
)
"""What no camera sends: it would stand between sizes and data (RFC 3640 sections 3.2.1.1 and 3.2.2)."""
_CLOCKS_HZ = range(4_000, 200_001)
_MAX_CHANNELS = 8
_OPUS_HZ = 48_000  # RFC 7587 section 4.1
_G711: dict[str, AudioCodec] = {"PCMA": "pcm_alaw", "PCMU": "pcm_mulaw"}


@dataclass(frozen=True, slots=True)
class VideoPlan:
    """`don`: packets of H.265 bear a decoding order number (RFC 7798 section 7.1, sprop-max-don-diff)."""

    control: str
    payload_type: int
    clock_hz: int
    description: VideoDescription
    don: bool


@dataclass(frozen=True, slots=True)
class AudioPlan:
    control: str
    payload_type: int
    clock_hz: int
    description: AudioDescription
    aac: AacLayout | None


Plan = VideoPlan | AudioPlan


def plan_video(media: Iterable[Medium]) -> VideoPlan:
    """The first track with pictures that can be taken.

    Raises:
        RtspError: there is none.
    """
    offered = [(medium, form) for medium in media if medium.kind == "video" for form in medium.formats]
    for medium, form in offered:
        clock_hz = form.clock_hz or VIDEO_CLOCK_HZ
        if form.encoding == "H264":
            sets = _sets(form, ("sprop-parameter-sets",), lambda header: header & 0x1F in (7, 8))
            return VideoPlan(medium.control, form.payload_type, clock_hz, VideoDescription("h264", sets), False)
        if form.encoding in ("H265", "HEVC"):
            names = ("sprop-vps", "sprop-sps", "sprop-pps")
            sets = _sets(form, names, lambda header: header >> 1 & 0x3F in (32, 33, 34))
            don = form.number("sprop-max-don-diff", 0) > 0
            return VideoPlan(medium.control, form.payload_type, clock_hz, VideoDescription("hevc", sets), don)
    if not offered:
        raise RtspError("the camera sends no picture")
    raise RtspError(f"the camera codes pictures as {offered[0][1].encoding}", do=f"Set it to {_VIDEO_NAMES}.")


def plan_audio(media: Iterable[Medium]) -> tuple[AudioPlan | None, str]:
    """The first track with sound that can be taken; if there is only another, what is wrong with that."""
    why = ""
    for medium in media:
        if medium.kind != "audio":
            continue
        for form in medium.formats:
            found = _audio(medium, form)
            if isinstance(found, AudioPlan):
                return found, ""
            why = why or found
    return None, why


def _sets(form: Format, names: Iterable[str], wanted: Callable[[int], bool]) -> tuple[bytes, ...]:
    """Parameter sets in the order of `names`, those left out that are none. Some cameras put start codes before."""
    found = (_START_CODE.sub(b"", one) for name in names for one in base64_values(form.parameters.get(name, "")))
    return tuple(one for one in found if len(one) > 3 and wanted(one[0]))


def _audio(medium: Medium, form: Format) -> AudioPlan | str:
    encoding, clock_hz = form.encoding, form.clock_hz
    if form.channels > _MAX_CHANNELS:
        return f"its sound has {form.channels} channels"
    if encoding == "OPUS":
        about = AudioDescription("opus", _OPUS_HZ, form.channels or 2, b"", _OPUS_HZ // 50)
        return AudioPlan(medium.control, form.payload_type, _OPUS_HZ, about, None)
    if encoding in _G711 and clock_hz in _CLOCKS_HZ:
        about = AudioDescription(_G711[encoding], clock_hz, form.channels or 1, b"", clock_hz // 50)
        return AudioPlan(medium.control, form.payload_type, clock_hz, about, None)
    if encoding == "MPEG4-GENERIC" and clock_hz in _CLOCKS_HZ:
        return _aac(medium, form)
    return f"its sound is coded as {encoding}; set it to AAC, Opus or G.711"


def _aac(medium: Medium, form: Format) -> AudioPlan | str:
    """RFC 3640 section 4.1: what the parameters mean. Left out they are those of AAC-hbr (section 3.3.6)."""
    layout = AacLayout(form.number("sizelength", 13), form.number("indexlength", 3), form.number("indexdeltalength", 3))
    if any(form.number(name, 0) for name in _MORE_IN_AU_HEADER) or not layout.is_usable:
        return "its AAC is packed in an unknown way; set it to AAC-hbr"
    config = _config(form)
    rate_hz, channels, frame_samples = parse_audio_config(config)
    if not rate_hz:
        return "its AAC is of an unknown kind; set it to AAC-LC"
    frame_ticks = frame_samples * form.clock_hz // rate_hz
    about = AudioDescription("aac", form.clock_hz, channels or form.channels or 1, config, frame_ticks)
    return AudioPlan(medium.control, form.payload_type, form.clock_hz, about, layout)


def _config(form: Format) -> bytes:
    """The AudioSpecificConfig; where a camera announces none, AAC-LC with the rate and channels of its rtpmap."""
    try:
        config = bytes.fromhex(form.parameters.get("config", "").strip('"'))
    except ValueError:
        config = b""
    if len(config) >= 2:
        return config
    rate = _RATES_HZ.index(form.clock_hz) if form.clock_hz in _RATES_HZ else 4
    return (2 << 11 | rate << 7 | (form.channels or 1) << 3).to_bytes(2, "big")


def parse_audio_config(config: bytes) -> tuple[int, int, int]:
    """Rate in Hz, channels (0: not said) and samples of a frame out of an AudioSpecificConfig (ISO/IEC 14496-3,
    1.6.2.1); the rate is 0 if it makes no sense. With SBR a frame still has its core's length at its core's rate."""
    bits = _Bits(config)
    kind = _object_type(bits)
    rate_hz = _rate_hz(bits)
    channels = bits.take(4)
    if kind in (5, 29):  # SBR and PS announce their core behind themselves
        _rate_hz(bits)
        kind = _object_type(bits)
    if kind not in (1, 2, 3, 4) or rate_hz not in _CLOCKS_HZ:
        return 0, 0, 0
    return rate_hz, channels if channels < 7 else _MAX_CHANNELS, 960 if bits.take(1) else 1024


def _object_type(bits: "_Bits") -> int:
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == 31 else kind


def _rate_hz(bits: "_Bits") -> int:
    index = bits.take(4)
    if index == 15:
        return bits.take(24)
    return _RATES_HZ[index] if index < len(_RATES_HZ) else 0


class _Bits:
    """Bits from the first on; behind the last one there are zeros."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data[:16].ljust(16, b"\0"), "big")
        self._left = 128

    def take(self, count: int) -> int:
        self._left -= count
        return self._value >> self._left & ((1 << count) - 1)
