"""Who may watch: Digest and Basic authentication, as RTSP 1.0 takes them from HTTP (RFC 2617)."""

import hashlib
import hmac
import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from pathlib import Path

from shilu.cameras.errors import CameraError

REALM = "camera"

_PARAMETER = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')


class Accounts:
    """User names and passwords; with none of them everybody may watch."""

    def __init__(self, passwords: Mapping[str, str]) -> None:
        self._passwords = dict(passwords)

    @classmethod
    def from_file(cls, path: Path) -> "Accounts":
        """One `user:password` a line; blank lines and lines that begin with # are passed over."""
        passwords = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if line.strip() and not line.startswith("#"):
                user, colon, password = line.partition(":")
                if not colon:
                    raise CameraError(f"{path}:{number}: no colon between user and password; write user:password")
                passwords[user] = password
        return cls(passwords)

    def challenges(self, nonce: str) -> list[str]:
        """The WWW-Authenticate headers of a 401 answer, the stronger scheme first."""
        return [f'Digest realm="{REALM}", nonce="{nonce}", algorithm="MD5"', f'Basic realm="{REALM}"']

    def admit(self, authorization: str | None, method: str, nonce: str) -> bool:
        """Whether the Authorization header of a request proves a known password; `nonce` is what was last given out."""
        if not self._passwords:
            return True
        scheme, _, rest = (authorization or "").partition(" ")
        match scheme.lower():
            case "digest":
                return self._digest_holds(rest, method, nonce)
            case "basic":
                return self._basic_holds(rest)
            case _:
                return False

    def _digest_holds(self, rest: str, method: str, nonce: str) -> bool:
        """RFC 2617 section 3.2.2.1, without qop, as the challenge asks for none."""
        given = {name.lower(): quoted or bare for name, quoted, bare in _PARAMETER.findall(rest)}
        password = self._passwords.get(given.get("username", ""))
        if password is None or given.get("nonce") != nonce:
            return False
        secret = _md5(f"{given['username']}:{REALM}:{password}")
        request = _md5(f"{method}:{given.get('uri', '')}")
        expected = _md5(f"{secret}:{nonce}:{request}")
        return hmac.compare_digest(expected, given.get("response", "").lower())

    def _basic_holds(self, rest: str) -> bool:
        try:
            user, _, password = b64decode(rest, validate=True).decode("utf-8").partition(":")
        except (Base64Error, UnicodeDecodeError):
            return False
        return user in self._passwords and hmac.compare_digest(self._passwords[user].encode(), password.encode())


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
