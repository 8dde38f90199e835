"""What is read out of session descriptions: of good ones, of odd ones, of nonsense."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder.rtsp.codecs import AudioPlan, VideoPlan, parse_audio_config, plan_audio, plan_video
from recorder.rtsp.errors import RtspError
from recorder.rtsp.sdp import parse_sdp

SPS, PPS = b"\x67\x42\0\x1e\xab", b"\x68\xce\x3c\x80"
SETS = b",".join(map(b64encode, (SPS, PPS))).decode()


def video(*lines: str) -> VideoPlan:
    return plan_video(parse_sdp("\r\n".join(["v=0", *lines, ""]).encode()).media)


def audio(*lines: str) -> tuple[AudioPlan | None, str]:
    return plan_audio(parse_sdp("\r\n".join(["v=0", *lines, ""]).encode()).media)


def sound(*lines: str) -> AudioPlan:
    plan, why = audio(*lines)
    assert plan is not None, why
    return plan


def h264(*fmtp: str) -> tuple[bytes, ...]:
    lines = ["m=video 0 RTP/AVP 96", "a=rtpmap:96 H264/90000", *(f"a=fmtp:96 {one}" for one in fmtp)]
    return video(*lines).description.parameter_sets


def test_a_description_as_cameras_give_it() -> None:
    described = parse_sdp(
        b"v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=Media\r\nt=0 0\r\na=control:*\r\n"
        b"m=video 0 RTP/AVP 96\r\nb=AS:5000\r\na=control:trackID=1\r\na=rtpmap:96 H264/90000\r\n"
        b"a=fmtp:96 profile-level-id=42001e; packetization-mode=1; sprop-parameter-sets=" + SETS.encode() + b"\r\n"
        b"m=audio 0 RTP/AVP 97\r\na=control:trackID=2\r\na=rtpmap:97 MPEG4-GENERIC/16000/2\r\n"
        b"a=fmtp:97 streamtype=5; mode=AAC-hbr; sizelength=13; indexlength=3; indexdeltalength=3; config=1410\r\n"
        b"m=application 0 RTP/AVP 107\r\na=rtpmap:107 vnd.onvif.metadata/90000\r\na=control:trackID=3\r\n"
    )
    assert described.control == "*"
    pictures = plan_video(described.media)
    assert (pictures.control, pictures.payload_type, pictures.clock_hz) == ("trackID=1", 96, 90_000)
    assert pictures.description.codec == "h264"
    assert pictures.description.parameter_sets == (SPS, PPS)
    plan, _ = plan_audio(described.media)
    assert plan is not None
    about = plan.description
    assert (plan.control, plan.payload_type, about.codec) == ("trackID=2", 97, "aac")
    assert (about.sample_rate_hz, about.channels, about.config, about.frame_samples) == (16_000, 2, b"\x14\x10", 1024)


def test_parameter_sets_of_h265() -> None:
    sets = {"sprop-pps": b"\x44\x01pps", "sprop-vps": b"\x40\x01vps", "sprop-sps": b"\x42\x01sps"}
    fmtp = ";".join(f"{name}={b64encode(unit).decode()}" for name, unit in sets.items())
    plan = video("m=video 0 RTP/AVP 98", "a=rtpmap:98 H265/90000", f"a=fmtp:98 {fmtp}; sprop-max-don-diff=2")
    assert plan.description.codec == "hevc"
    assert plan.description.parameter_sets == (b"\x40\x01vps", b"\x42\x01sps", b"\x44\x01pps")
    assert plan.don


@pytest.mark.parametrize(
    "fmtp", ["", "sprop-parameter-sets=", "sprop-parameter-sets=!!!,%%", "sprop-parameter-sets", ";=;"]
)
def test_parameter_sets_that_are_missing_or_garbage(fmtp: str) -> None:
    assert h264(fmtp) == ()


def test_parameter_sets_with_start_codes_or_without_padding() -> None:
    odd = b64encode(b"\0\0\0\1" + SPS).decode(), b64encode(PPS).decode().rstrip("="), "AAAA", "ZZ*Z"
    assert h264(f"sprop-parameter-sets={','.join(odd)}") == (SPS, PPS)


def test_the_first_track_that_can_be_taken_is_taken() -> None:
    plan = video(
        "m=video 0 RTP/AVP 26", "a=control:jpeg",
        "m=video 0 RTP/AVP 96 97", "a=control:both", "a=rtpmap:96 MP4V-ES/90000", "a=rtpmap:97 H265/90000",
    )  # fmt: skip
    assert (plan.control, plan.payload_type, plan.description.codec) == ("both", 97, "hevc")


@pytest.mark.parametrize(
    ("lines", "name"),
    [
        (["m=video 0 RTP/AVP 26"], "JPEG"),
        (["m=video 0 RTP/AVP 96", "a=rtpmap:96 MP4V-ES/90000"], "MP4V-ES"),
        (["m=video 0 RTP/AVP 99"], "PAYLOAD TYPE 99"),
    ],
)
def test_pictures_of_another_kind_are_named(lines: list[str], name: str) -> None:
    with pytest.raises(RtspError, match=f"as {name}. Set it to H.264 or H.265"):
        video(*lines)


def test_a_camera_without_pictures() -> None:
    with pytest.raises(RtspError, match="sends no picture"):
        video("m=audio 0 RTP/AVP 0")
    with pytest.raises(RtspError, match="sends no picture"):
        video("m=video 0 UDP 33", "m=video x RTP/AVP 96")


def test_g711_needs_no_rtpmap() -> None:
    assert sound("m=audio 0 RTP/AVP 8").description.codec == "pcm_alaw"
    mulaw = sound("m=audio 0 RTP/AVP 0").description
    assert (mulaw.codec, mulaw.sample_rate_hz, mulaw.channels) == ("pcm_mulaw", 8000, 1)


def test_g711_with_another_rate() -> None:
    plan = sound("m=audio 0 RTP/AVP 100", "a=rtpmap:100 PCMA/16000/2")
    assert (plan.payload_type, plan.description.sample_rate_hz, plan.description.channels) == (100, 16_000, 2)


def test_opus() -> None:
    about = sound("m=audio 0 RTP/AVP 111", "a=rtpmap:111 opus/48000/2").description
    assert (about.codec, about.sample_rate_hz, about.channels) == ("opus", 48_000, 2)


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        (["m=audio 0 RTP/AVP 97", "a=rtpmap:97 G726-32/8000"], "coded as G726-32; set it to AAC, Opus or G.711"),
        (["m=audio 0 RTP/AVP 97", "a=rtpmap:97 MP4A-LATM/48000/2"], "coded as MP4A-LATM"),
        (["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/0"], "PCMA"),
        (["m=audio 0 RTP/AVP 8", "a=rtpmap:8 PCMA/8000/99"], "99 channels"),
        (
            ["m=audio 0 RTP/AVP 97", "a=rtpmap:97 mpeg4-generic/48000", "a=fmtp:97 config=1188;ctsdeltalength=8"],
            "packed",
        ),
        (["m=audio 0 RTP/AVP 97", "a=rtpmap:97 mpeg4-generic/48000", "a=fmtp:97 config=F9F9"], "unknown kind"),
        (["m=video 0 RTP/AVP 96"], ""),
    ],
)
def test_sound_that_cannot_be_taken_is_named(lines: list[str], why: str) -> None:
    plan, said = audio(*lines)
    assert plan is None
    assert (why in said) if why else not said


def test_the_second_sound_is_taken_if_the_first_cannot_be() -> None:
    assert sound("m=audio 0 RTP/AVP 4", "m=audio 0 RTP/AVP 8", "a=control:two").control == "two"


def test_aac_without_a_configuration_is_lc_as_its_rtpmap_says() -> None:
    for fmtp in ("", "a=fmtp:97 config=zz"):
        about = sound("m=audio 0 RTP/AVP 97", "a=rtpmap:97 mpeg4-generic/16000/2", fmtp).description
        assert (about.config, about.channels) == (b"\x14\x10", 2)


def test_aac_frames_are_counted_in_ticks_of_the_rtp_clock() -> None:
    """HE-AAC: 1024 samples of the core at half the rate."""
    about = sound("m=audio 0 RTP/AVP 97", "a=rtpmap:97 mpeg4-generic/48000/2", "a=fmtp:97 config=2B11880").description
    assert about.frame_samples == 1024, "a configuration of seven digits is none"
    about = sound("m=audio 0 RTP/AVP 97", "a=rtpmap:97 mpeg4-generic/48000/2", "a=fmtp:97 config=1310").description
    assert about.frame_samples == 2048


@pytest.mark.parametrize(
    ("config", "meaning"),
    [
        ("1188", (48_000, 1, 1024)),
        ("1210", (44_100, 2, 1024)),
        ("1214", (44_100, 2, 960)),
        ("2b8a08", (22_050, 1, 1024)),  # SBR, its core LC
        ("17800bb808", (6_000, 1, 1024)),  # a rate of its own
        ("f8f9", (0, 0, 0)),
        ("", (0, 0, 0)),
    ],
)
def test_audio_specific_configs(config: str, meaning: tuple[int, int, int]) -> None:
    assert parse_audio_config(bytes.fromhex(config)) == meaning


def test_garbage_is_no_description() -> None:
    for body in (b"", b"<html>", bytes(range(256)), b"m=video"):
        with pytest.raises(RtspError, match="not a stream"):
            parse_sdp(body)


LINES = st.sampled_from(
    [
        "v=0",
        "m=video 0 RTP/AVP 96",
        "m=audio 0 RTP/AVP 97",
        "m=audio 0 RTP/AVP 0 8 97",
        "a=rtpmap:96 H264/90000",
        "a=rtpmap:97 mpeg4-generic/48000/2",
        "a=rtpmap:97 opus/48000",
        "a=rtpmap:99999999 X/1",
        "a=fmtp:96 sprop-parameter-sets=Z,Z,A=",
        "a=fmtp:97 config=",
        "a=fmtp:97 sizelength=99999;indexlength=٣",
        "a=control:",
    ]
)


@given(st.lists(st.one_of(LINES, st.text(max_size=40)), max_size=15))
def test_no_description_does_more_harm_than_an_error(lines: list[str]) -> None:
    try:
        media = parse_sdp("\n".join(lines).encode("utf-8", "surrogatepass")).media
        plan, _ = plan_audio(media)
        if plan is not None:
            assert plan.description.frame_samples > 0
            assert plan.description.sample_rate_hz > 0
        assert plan_video(media).clock_hz > 0
    except RtspError:
        return


@given(st.binary(max_size=40))
def test_no_configuration_does_harm(config: bytes) -> None:
    rate_hz, channels, frame_samples = parse_audio_config(config)
    assert bool(rate_hz) == bool(frame_samples)
    assert 0 <= channels <= 8
