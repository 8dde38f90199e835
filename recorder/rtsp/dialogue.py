"""Requests of one connection and the camera's answers to them. Pure.

A request is a generator: it yields bytes to send and is sent the answer. So the order of a conversation stands in one
place as it happens, and nobody waits in it.
"""

from collections.abc import Generator

from recorder.rtsp.auth import Authenticator
from recorder.rtsp.errors import NOT_RTSP, REFUSED, RtspError
from recorder.rtsp.messages import Message, render

Asking = Generator[bytes, Message, Message]

_TRIES = 3  # without a password, with one, and once more where the nonce was too old


class Dialogue:
    """Numbers requests, adds the session and the proof of the password."""

    def __init__(self, auth: Authenticator) -> None:
        self.auth = auth
        self.session = ""
        self._number = 0  # CSeq of the last request (RFC 2326 section 12.17)

    def ask(self, method: str, url: str, *headers: tuple[str, str]) -> Asking:
        """The camera's answer, whatever its status but 401.

        Raises:
            RtspError: user name and password are missing or refused.
        """
        for _ in range(_TRIES):
            answer = yield self.request(method, url, *headers)
            if answer.status != 401:
                self.auth.accepted()
                return answer
            self.auth.challenged(answer.headers.get("www-authenticate", ()))
        raise RtspError(REFUSED)

    def request(self, method: str, url: str, *headers: tuple[str, str]) -> bytes:
        self._number += 1
        lines = [("CSeq", str(self._number)), ("User-Agent", "Shilu")]
        proof = self.auth.header(method, url)
        if proof is not None:
            lines.append(("Authorization", proof))
        if self.session:
            lines.append(("Session", self.session))
        return render(f"{method} {url} RTSP/1.0", [*lines, *headers])


def answer_to(request: Message) -> bytes:
    """What a camera is told that asks something itself (RFC 2326 sections 10.1, 10.8 and 11.3)."""
    known = {"OPTIONS": "OPTIONS, GET_PARAMETER, SET_PARAMETER", "GET_PARAMETER": "", "SET_PARAMETER": ""}
    headers = [("CSeq", request.first("cseq") or "0")]
    if request.method not in known:
        return render("RTSP/1.0 501 Not Implemented", headers)
    if known[request.method]:
        headers.append(("Public", known[request.method]))
    return render("RTSP/1.0 200 OK", headers)


def require_ok(answer: Message, method: str) -> Message:
    """Raises:
    RtspError: the camera did not do what it was asked.
    """
    status = answer.status
    if status is None:
        raise RtspError(NOT_RTSP)
    if 200 <= status < 300:
        return answer
    match status:
        case 403:
            raise RtspError("the camera does not let this user see its stream", do="Give the user that right.")
        case 404 | 410:
            raise RtspError("the camera has no stream at this path", do="Look up the path in the camera's manual.")
        case 453 | 503:
            raise RtspError("the camera serves no more viewers", do="Close other viewers of this camera.")
        case 461:
            raise RtspError(
                "the camera sends its stream over UDP only", do="Allow RTP over RTSP, also called TCP, in its settings."
            )
        case _:
            raise RtspError(f"the camera answers {method} with error {status}")
