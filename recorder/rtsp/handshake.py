"""From nothing to PLAY: OPTIONS, DESCRIBE, SETUP of a track of each kind, PLAY (RFC 2326 section 10). Pure."""

import re
from collections.abc import Callable, Generator
from dataclasses import dataclass

from recorder.rtsp.address import Address, control_url, redirected
from recorder.rtsp.codecs import AudioPlan, Plan, plan_audio, plan_video
from recorder.rtsp.dialogue import Dialogue, require_ok
from recorder.rtsp.errors import RtspError
from recorder.rtsp.messages import Message
from recorder.rtsp.sdp import parse_sdp
from recorder.rtsp.units import Description, Kind

_DEFAULT_SESSION_S = 60  # RFC 2326 section 12.37
_INTERLEAVED = re.compile(r"interleaved=(\d{1,3})(?:-(\d{1,3}))?", re.IGNORECASE)
_TIMEOUT = re.compile(r";\s*timeout\s*=\s*(\d{1,6})", re.IGNORECASE)
_RTPTIME = re.compile(r";\s*rtptime\s*=\s*(\d{1,10})", re.IGNORECASE)


class RedirectedError(Exception):
    """The camera is to be asked at another address."""

    def __init__(self, address: Address) -> None:
        self.address = address
        super().__init__("redirected")


@dataclass(frozen=True, slots=True)
class Playing:
    """What PLAY has begun. `url` is the whole presentation's; `rtp_info` the timestamp that each track began with."""

    description: Description
    url: str
    rtp_info: dict[Kind, int]
    session_s: int
    methods: frozenset[str]


Listen = Callable[[Plan, int, int], None]
"""Told of each track that was set up, before its first packet: its plan, its RTP channel, its RTCP channel."""


def shake_hands(
    address: Address, dialogue: Dialogue, want_audio: bool, listen: Listen
) -> Generator[bytes, Message, Playing]:
    """Yields requests, is sent answers, returns when the stream plays.

    Raises:
        RtspError: it cannot be made to play.
        RedirectedError: it may play elsewhere.
    """
    options = yield from dialogue.ask("OPTIONS", address.url)
    methods = frozenset(re.split(r"[\s,]+", ",".join(options.headers.get("public", ())).upper()))
    answer = yield from dialogue.ask("DESCRIBE", address.url, ("Accept", "application/sdp"))
    if answer.status is not None and 300 <= answer.status < 400:
        raise RedirectedError(redirected(address, answer.first("location")))
    described = parse_sdp(require_ok(answer, "DESCRIBE").body)
    base = answer.first("content-base") or answer.first("content-location") or address.url
    whole = control_url(base, described.control)
    video = plan_video(described.media)
    audio, why = plan_audio(described.media) if want_audio else (None, "")

    session_s = _DEFAULT_SESSION_S
    urls: dict[Kind, str] = {}
    plans: list[Plan] = [video, audio] if audio else [video]
    for number, plan in enumerate(plans):
        channel = 2 * number
        offer = f"RTP/AVP/TCP;unicast;interleaved={channel}-{channel + 1}"
        url = control_url(base, plan.control)
        answer = yield from dialogue.ask("SETUP", url, ("Transport", offer))
        if isinstance(plan, AudioPlan) and answer.status != 200:
            audio, why = None, f"the camera answers SETUP of its sound with error {answer.status}"
            continue
        session_s = _set_up(require_ok(answer, "SETUP"), dialogue, session_s)
        urls["audio" if isinstance(plan, AudioPlan) else "video"] = url
        listen(plan, *_channels(answer, channel))

    answer = require_ok((yield from dialogue.ask("PLAY", whole, ("Range", "npt=0.000-"))), "PLAY")
    description = Description(video.description, audio.description if audio else None, why)
    return Playing(description, whole, _rtp_info(answer, urls), session_s, methods)


def _set_up(answer: Message, dialogue: Dialogue, session_s: int) -> int:
    """Take up the session; the answer is its timeout (RFC 2326 section 12.37)."""
    header = answer.first("session")
    if header:
        dialogue.session = header.partition(";")[0].strip()
    timeout = _TIMEOUT.search(header)
    return max(int(timeout[1]), 1) if timeout else session_s


def _channels(answer: Message, wanted: int) -> tuple[int, int]:
    """The channels of RTP and RTCP: those that were asked for, unless the camera chose others (section 12.39)."""
    transport = answer.first("transport")
    if "interleaved" not in transport.lower() and "/udp" in transport.lower():
        raise RtspError("the camera sends its stream over UDP only", do="Allow RTP over RTSP in its settings.")
    match = _INTERLEAVED.search(transport)
    if match is None or int(match[1]) > 254:
        return wanted, wanted + 1
    rtp, rtcp = int(match[1]), int(match[2] or 256)
    return rtp, rtcp if rtcp < 256 else rtp + 1


def _rtp_info(answer: Message, urls: dict[Kind, str]) -> dict[Kind, int]:
    """The tracks' timestamps out of RTP-Info (section 12.33): by URL, of which some cameras give but the end, and by
    order where no URL fits. What is missing or no timestamp is left out."""
    entries = re.split(r",\s*(?=url\s*=)", ",".join(answer.headers.get("rtp-info", ())), flags=re.IGNORECASE)
    found: dict[Kind, int] = {}
    by_order = list(urls)
    for number, entry in enumerate(entries):
        rtptime = _RTPTIME.search(entry)
        if rtptime is None or int(rtptime[1]) >= 1 << 32:
            continue
        url = entry.partition("=")[2].partition(";")[0].strip().strip('"')
        named: list[Kind] = [kind for kind, own in urls.items() if url and (own.endswith(url) or url.endswith(own))]
        if not named and len(entries) == len(by_order):
            named = [by_order[number]]
        if len(named) == 1:
            found.setdefault(named[0], int(rtptime[1]))
    return found
