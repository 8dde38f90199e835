"""Addresses of cameras: `rtsp://` (RFC 2326 section 3.2) and `rtsps://` (RFC 7826 section 4.2)."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from recorder.rtsp.errors import RtspError

_PORTS = {"rtsp": 554, "rtsps": 322}
_UNPRINTABLE = re.compile(r"[\x00-\x20\x7f]")


@dataclass(frozen=True, slots=True)
class Credentials:
    user: str = field(repr=False)
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Address:
    """`url` is what requests name: without credentials."""

    tls: bool
    host: str
    port: int
    url: str


def parse_address(url: str) -> tuple[Address, Credentials | None]:
    """The address, and the user name and password if they stand in it.

    Raises:
        RtspError: not the address of an RTSP stream.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # what the resolver will do, with labels that are empty or too long
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if parts.scheme not in _PORTS or not host or _UNPRINTABLE.search(url):
        raise RtspError("not the address of an RTSP stream", do="Write it like rtsp://192.0.2.10:554/stream1.")
    place = parts.netloc.rpartition("@")[2]
    plain = urlunsplit((parts.scheme, place, parts.path, parts.query, ""))
    found = Credentials(unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return Address(parts.scheme == "rtsps", host, port or _PORTS[parts.scheme], plain), found


def redirected(address: Address, location: str) -> Address:
    """Where a camera sends its clients (RFC 2326 section 11.3).

    Raises:
        RtspError: it is no RTSP address, or would give up TLS.
    """
    try:
        target, _ = parse_address(location)
    except RtspError:
        raise RtspError("the camera sends its clients to an address that is not RTSP") from None
    if address.tls and not target.tls:
        raise RtspError("the camera sends its clients to an address without TLS", do="Set that address if it is meant.")
    return target


def control_url(base: str, control: str) -> str:
    """The URL that an `a=control:` attribute means (RFC 2326 appendix C.1.1).

    A relative one is put behind the base and a slash, query included: cameras mean it so, and RFC 3986 would take the
    last part of the path away where `Content-Base` has no slash at its end.

    Raises:
        RtspError: the attribute cannot be part of a URL.
    """
    control = control.strip()
    if _UNPRINTABLE.search(control):
        raise RtspError("the camera describes its stream with an address that cannot be asked for")
    if control in ("", "*"):
        return base
    if re.match(r"rtsps?://", control, re.IGNORECASE):
        return control
    if control.startswith("/"):
        scheme, _, rest = base.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}{control}"
    return f"{base.rstrip('/')}/{control}"
