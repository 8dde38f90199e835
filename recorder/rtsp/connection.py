"""One connection to a camera, from the first byte to the last. Pure: bytes in, units and bytes to send out."""

import contextlib
from collections.abc import Callable
from functools import partial

from recorder.rtsp.address import Address, Credentials
from recorder.rtsp.alignment import Alignment, SenderReport
from recorder.rtsp.auth import Authenticator
from recorder.rtsp.codecs import AudioPlan, Plan, VideoPlan
from recorder.rtsp.dialogue import Dialogue, answer_to
from recorder.rtsp.errors import ENDED, NOT_RTSP, RtspError
from recorder.rtsp.h264 import H264
from recorder.rtsp.h265 import H265
from recorder.rtsp.handshake import Playing, RedirectedError, shake_hands
from recorder.rtsp.messages import Message
from recorder.rtsp.receiver import Depacketizer, Receiver
from recorder.rtsp.rtcp import KINDS, ReportReader
from recorder.rtsp.sound import G711, Aac, Opus
from recorder.rtsp.splitter import Splitter
from recorder.rtsp.units import Kind, Unit

_MAX_UNSENT_BYTES = 65_536


class Connection:
    """`unsent` is what is to be sent next; `playing` is None until the stream plays."""

    def __init__(
        self, address: Address, credentials: Credentials | None, want_audio: bool, random_hex: Callable[[], str]
    ) -> None:
        self.playing: Playing | None = None
        self.torn_down = False
        self.unsent = bytearray()
        self._clocks_hz: dict[Kind, int] = {}
        self.alignment = Alignment(self._clocks_hz)
        self._units: list[Unit] = []
        self._arrival_us = 0
        self._dialogue = Dialogue(Authenticator(credentials, random_hex))
        self._splitter = Splitter(self._message)
        self._handshake = shake_hands(address, self._dialogue, want_audio, self._listen)
        self._error: RtspError | RedirectedError | None = None
        self._alive_us: int | None = None
        self._last_words = ""
        self._send(next(self._handshake))

    def receive(self, data: bytes, arrival_us: int) -> list[Unit]:
        """The units that are complete with `data`, which arrived at `arrival_us`.

        Raises:
            RtspError: the stream does not play or is over; the units before that have been returned.
            RedirectedError: the stream is elsewhere.
        """
        self._arrival_us = arrival_us
        if self._error is None:
            try:
                self._splitter.feed(data)
            except (RtspError, RedirectedError) as error:
                self._error = error
        units, self._units = self._units, []
        if self._error is not None and not units:
            raise self._error
        return units

    def keep_alive(self, now_us: int) -> None:
        """Speak up when half of the session's time has passed (RFC 2326 section 12.37)."""
        if self.playing is None:
            return
        if self._alive_us is None:
            self._alive_us = now_us
        if now_us - self._alive_us >= self.playing.session_s * 500_000:
            self._alive_us = now_us
            self._say("GET_PARAMETER" if "GET_PARAMETER" in self.playing.methods else "OPTIONS")

    def tear_down(self) -> None:
        """Say that the session is over; the answer makes `torn_down` true."""
        if self.playing is not None:
            self._say("TEARDOWN")

    def _say(self, method: str) -> None:
        """Ask while the stream plays. The answer is looked at when it comes, if it ever does."""
        if self.playing is not None:
            self._last_words = method
            self._send(self._dialogue.request(method, self.playing.url))

    def _send(self, data: bytes) -> None:
        self.unsent += data
        if len(self.unsent) > _MAX_UNSENT_BYTES:
            raise RtspError(NOT_RTSP)  # it asks and asks, and never takes an answer

    def _message(self, message: Message) -> None:
        status = message.status
        if status is None:
            if " RTSP/" not in message.start:
                raise RtspError(NOT_RTSP)
            if message.method == "TEARDOWN":
                raise RtspError(ENDED)
            self._send(answer_to(message))
        elif status >= 200:
            # One question is asked at a time, so an answer is to that one, whatever number the camera gives it.
            if self.playing is None:
                self._go_on(message)
            else:
                self._late_answer(message, status)

    def _go_on(self, answer: Message) -> None:
        try:
            self._send(self._handshake.send(answer))
        except StopIteration as end:
            playing: Playing = end.value
            self.playing = playing
            self.alignment.announce(playing.rtp_info)
            self._splitter.strict = False

    def _late_answer(self, answer: Message, status: int) -> None:
        if status == 401 and self._last_words:
            method, self._last_words = self._last_words, ""
            # A stream that plays is not given up because the camera is no longer sure of the password.
            with contextlib.suppress(RtspError):
                self._dialogue.auth.challenged(answer.headers.get("www-authenticate", ()))
                self._say(method)
                self._last_words = ""
            return
        self._dialogue.auth.accepted()
        self.torn_down = self.torn_down or self._last_words == "TEARDOWN"

    def _listen(self, plan: Plan, rtp_channel: int, rtcp_channel: int) -> None:
        kind: Kind = "video" if isinstance(plan, VideoPlan) else "audio"
        receiver = Receiver(plan.payload_type, self._depacketizer(plan))
        reports = ReportReader(partial(self._report, kind), partial(self._bye, kind, receiver))
        self._clocks_hz[kind] = plan.clock_hz
        self._splitter.listen(rtp_channel, receiver.packet, receiver.kinds)
        self._splitter.listen(rtcp_channel, reports.packet, KINDS)

    def _depacketizer(self, plan: Plan) -> Depacketizer:
        if isinstance(plan, VideoPlan):
            return H264(self._emit) if plan.description.codec == "h264" else H265(self._emit, plan.don)
        return self._sound(plan)

    def _sound(self, plan: AudioPlan) -> Depacketizer:
        if plan.aac is not None:
            return Aac(self._emit, plan.aac, plan.description.frame_samples)
        return Opus(self._emit) if plan.description.codec == "opus" else G711(self._emit, plan.description.channels)

    def _emit(self, unit: Unit) -> None:
        self._units.append(unit)
        self.alignment.seen(unit.kind, unit.timestamp, self._arrival_us)

    def _report(self, kind: Kind, utc_us: int, timestamp: int) -> None:
        self.alignment.report(kind, SenderReport(utc_us, timestamp, self._arrival_us))

    def _bye(self, kind: Kind, receiver: Receiver, source: int) -> None:
        if kind == "video" and source == receiver.source:
            raise RtspError(ENDED)
