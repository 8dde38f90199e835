"""The HTTP under an S3 store: waits that end, nothing tried twice, and writes that the server itself keeps to one."""

import io
import ssl
from pathlib import Path
from typing import Any

import urllib3
from urllib3.response import BaseHTTPResponse

from evidence_store.errors import StoreError

CHECKSUM_HEADER = "x-amz-checksum-sha256"

_CONNECTIONS = 16
# urllib3 gives the sending of a body as long as the making of a connection. So bodies go out in pieces, each of which
# has that time: a slow line is not taken for a dead one.
_PIECE_BYTES = 1 << 16


class S3Http(urllib3.PoolManager):
    """The connections of one store. No request is sent again or to another address than its own."""

    def __init__(self, *, connect_timeout_s: float, read_timeout_s: float, tls: ssl.SSLContext | None) -> None:
        """`read_timeout_s` is how long the server may stay silent; nothing limits how long a whole answer takes."""
        super().__init__(
            timeout=urllib3.Timeout(connect=connect_timeout_s, read=read_timeout_s),
            retries=False,
            maxsize=_CONNECTIONS,
            blocksize=_PIECE_BYTES,
            ssl_context=tls,
        )

    def urlopen(  # type: ignore[override]
        self, method: str, url: str, redirect: bool = False, **kw: Any
    ) -> BaseHTTPResponse:
        if body := kw.get("body"):
            kw["body"] = io.BytesIO(body)
        headers = kw["headers"]
        if CHECKSUM_HEADER in headers:
            # The client library cannot be asked for this: it would take the header for one of the user's own.
            # A server that knows it refuses to overwrite; with one that does not, asking first has to do.
            headers["If-None-Match"] = "*"
        return super().urlopen(method, url, redirect=redirect, **kw)


def tls_context(ca_file: Path | None, *, where: str) -> ssl.SSLContext:
    """Certificates from `ca_file` (PEM) alone, or from the system's own authorities; raises StoreError."""
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        raise StoreError(
            f"the certificates in {ca_file} cannot be used", where=where, do="Give a readable file in PEM format."
        ) from error
