"""Session descriptions (RFC 8866) of a camera, with what decoders need before the first packet."""

from base64 import b64encode

from shilu.cameras import nal
from shilu.cameras.media import AudioCodec, AudioFormat, Track, VideoCodec, VideoFormat
from shilu.cameras.rtp import audio_payload, video_payload

_SET_NAMES_H265 = {32: "sprop-vps", 33: "sprop-sps", 34: "sprop-pps"}


def control_name(track: Track) -> str:
    """The track's part of its control URL."""
    return f"trackID={track.value}"


def describe(name: str, host: str, video: VideoFormat, audio: AudioFormat | None) -> str:
    """The session description for DESCRIBE (RFC 2326 appendix C); `host` is the server's address."""
    lines = [
        "v=0",
        f"o=- 0 0 IN IP4 {host}",
        f"s={name}",
        "c=IN IP4 0.0.0.0",
        "t=0 0",
        "a=control:*",
        "a=range:npt=now-",
    ]
    lines += _video_lines(video)
    if audio is not None:
        lines += _audio_lines(audio)
    return "\r\n".join([*lines, ""])


def _video_lines(form: VideoFormat) -> list[str]:
    kind = video_payload(form).payload_type
    return [
        f"m=video 0 RTP/AVP {kind}",
        f"a=rtpmap:{kind} {form.codec.upper()}/90000",
        f"a=fmtp:{kind} {_h264_parameters(form) if form.codec is VideoCodec.H264 else _h265_parameters(form)}",
        f"a=framerate:{form.fps}",
        f"a=framesize:{kind} {form.width}-{form.height}",
        f"a=control:{control_name(Track.VIDEO)}",
    ]


def _h264_parameters(form: VideoFormat) -> str:
    """RFC 6184 section 8.1; profile-level-id is the three bytes after the SPS's header."""
    sets = ",".join(b64encode(unit).decode() for unit in form.parameter_sets)
    sps = next(unit for unit in form.parameter_sets if nal.nal_type(form.codec, unit) == 7)
    return f"packetization-mode=1;profile-level-id={sps[1:4].hex().upper()};sprop-parameter-sets={sets}"


def _h265_parameters(form: VideoFormat) -> str:
    """RFC 7798 section 7.1."""
    named = ((_SET_NAMES_H265[nal.nal_type(form.codec, unit)], unit) for unit in form.parameter_sets)
    return ";".join(f"{name}={b64encode(unit).decode()}" for name, unit in named)


def _audio_lines(form: AudioFormat) -> list[str]:
    kind = audio_payload(form).payload_type
    return [
        f"m=audio 0 RTP/AVP {kind}",
        *_audio_map(form, kind),
        f"a=control:{control_name(Track.AUDIO)}",
    ]


def _audio_map(form: AudioFormat, kind: int) -> list[str]:
    match form.codec:
        case AudioCodec.AAC:  # RFC 3640 section 4.1 and 3.3.6
            parameters = "streamtype=5;profile-level-id=1;mode=AAC-hbr;sizelength=13;indexlength=3;indexdeltalength=3"
            mapping = f"a=rtpmap:{kind} mpeg4-generic/{form.rate_hz}/1"
            return [mapping, f"a=fmtp:{kind} {parameters};config={form.config.hex()}"]
        case AudioCodec.OPUS:  # RFC 7587 section 7: always announced as 48000/2, whatever is sent
            return [f"a=rtpmap:{kind} opus/48000/2", f"a=fmtp:{kind} sprop-stereo=0"]
        case AudioCodec.ALAW:
            return [f"a=rtpmap:{kind} PCMA/8000"]
        case AudioCodec.MULAW:
            return [f"a=rtpmap:{kind} PCMU/8000"]
