"""Proving user name and password: Digest (RFC 7616, RFC 2617, RFC 2069) and Basic (RFC 7617), as RTSP takes them from
HTTP (RFC 2326 section 14). Pure: the client's nonce is passed in.

A password is tried once for each challenge. Cameras lock an account after a handful of wrong ones, so nothing is tried
a second time in another way.
"""

import hashlib
import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from recorder.rtsp.address import Credentials
from recorder.rtsp.errors import REFUSED, RtspError

_PART = re.compile(r'([^\s,="]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?')
_HASHES: dict[str, Callable[[bytes], "hashlib._Hash"]] = {
    "MD5": partial(hashlib.md5, usedforsecurity=False),
    "SHA-256": hashlib.sha256,
}


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way that a 401 answer offers. Names of parameters are in lower case; `stale`: the nonce was too old, the
    password was not at fault."""

    scheme: str
    parameters: dict[str, str]

    @property
    def nonce(self) -> str:
        return self.parameters.get("nonce", "")

    @property
    def stale(self) -> bool:
        return self.parameters.get("stale", "").lower() == "true"

    @property
    def algorithm(self) -> str:
        return self.parameters.get("algorithm", "MD5")

    @property
    def hash_name(self) -> str:
        return self.algorithm.upper().removesuffix("-SESS")

    @property
    def qop(self) -> str | None:
        """None: the camera knows RFC 2069 only. Empty: it wants none that is known here."""
        if "qop" not in self.parameters:
            return None
        return "auth" if "auth" in re.split(r"[\s,]+", self.parameters["qop"].lower()) else ""

    @property
    def strength(self) -> int:
        """0: cannot be met."""
        if self.scheme == "basic":
            return 1
        if self.scheme != "digest" or not self.nonce or self.qop == "" or self.hash_name not in _HASHES:
            return 0
        return 3 if self.hash_name == "SHA-256" else 2


def parse_challenges(headers: Iterable[str]) -> Iterator[Challenge]:
    """Out of WWW-Authenticate headers, each of which may hold several (RFC 7235 section 4.1)."""
    for header in headers:
        scheme, parameters = "", {}
        for match in _PART.finditer(header):
            name, quoted, bare = match[1].lower(), match[2], match[3]
            if quoted is not None:
                parameters[name] = re.sub(r"\\(.)", r"\1", quoted)
            elif bare is not None:
                parameters[name] = bare
            else:
                if scheme:
                    yield Challenge(scheme, parameters)
                scheme, parameters = name, {}
        if scheme:
            yield Challenge(scheme, parameters)


class Authenticator:
    """The Authorization headers of one connection. `random_hex` gives the client's nonces."""

    def __init__(self, credentials: Credentials | None, random_hex: Callable[[], str]) -> None:
        self._credentials = credentials
        self._random_hex = random_hex
        self._challenge: Challenge | None = None
        self._accepted = False
        self._count = 0

    def challenged(self, headers: Iterable[str]) -> None:
        """Take a 401 answer's challenges; the request may then be sent again.

        Raises:
            RtspError: there is no point in that.
        """
        if self._credentials is None:
            raise RtspError(
                "the camera asks for a user name and a password", do="Set username and password_file of this camera."
            )
        best = max(parse_challenges(headers), key=lambda one: one.strength, default=None)
        if best is None or not best.strength:
            raise RtspError(
                "the camera wants the password proved in an unknown way", do="Set its RTSP authentication to digest."
            )
        before = self._challenge
        if before is not None:
            renewed = best.stale or (self._accepted and best.nonce != before.nonce)
            if not renewed or best.scheme != before.scheme:
                raise RtspError(REFUSED)
        self._challenge, self._accepted, self._count = best, False, 0

    def accepted(self) -> None:
        """The last header did prove the password."""
        self._accepted = True

    def header(self, method: str, url: str) -> str | None:
        """For a request, None while the camera has not asked for one."""
        if self._challenge is None or self._credentials is None:
            return None
        if self._challenge.scheme == "basic":
            both = f"{self._credentials.user}:{self._credentials.password}"
            return f"Basic {b64encode(both.encode()).decode()}"
        return self._digest(self._challenge, self._credentials, method, url)

    def _digest(self, challenge: Challenge, credentials: Credentials, method: str, url: str) -> str:
        """RFC 7616 section 3.4; without qop RFC 2069 section 2.1.2."""

        def digest(*parts: str) -> str:
            return _HASHES[challenge.hash_name](":".join(parts).encode("utf-8", "surrogateescape")).hexdigest()

        realm = challenge.parameters.get("realm", "")
        self._count += 1
        count, own = f"{self._count:08x}", self._random_hex()
        secret = digest(credentials.user, realm, credentials.password)
        if challenge.algorithm.upper().endswith("-SESS"):
            secret = digest(secret, challenge.nonce, own)
        request = digest(method, url)
        qop = challenge.qop
        proof = (challenge.nonce, count, own, qop, request) if qop else (challenge.nonce, request)
        fields = [
            ("username", credentials.user),
            ("realm", realm),
            ("nonce", challenge.nonce),
            ("uri", url),
            ("response", digest(secret, *proof)),
        ]
        if "opaque" in challenge.parameters:
            fields.append(("opaque", challenge.parameters["opaque"]))
        header = "Digest " + ", ".join(f'{name}="{_escaped(value)}"' for name, value in fields)
        if "algorithm" in challenge.parameters:
            header += f", algorithm={challenge.algorithm}"
        if qop:
            header += f", qop={qop}, nc={count}"
        if qop or challenge.algorithm.upper().endswith("-SESS"):
            header += f', cnonce="{own}"'
        return header


def _escaped(value: str) -> str:
    return re.sub(r'(["\\])', r"\\\1", value)
