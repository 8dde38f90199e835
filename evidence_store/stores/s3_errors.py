"""What can go wrong on the way to an S3 server, in words for the person who has to put it right.

Only an error code and a message of the server are ever quoted: requests carry signatures, and other people's error
texts quote requests.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from xml.etree.ElementTree import ParseError

from minio.error import InvalidResponseError, S3Error, ServerError
from urllib3 import exceptions as http

from evidence_store.errors import StoreError, StoreUnavailableError

MISSING = frozenset({"NoSuchKey", "NoSuchVersion"})

_MESSAGE_CHARACTERS = 160
_NOT_IMPLEMENTED = 501
_SERVER_ERROR = 500

_NOT_S3 = "Check that an S3 server is at this address, and no other service or proxy in front of it."

# code: what it means, what to do
_KNOWN = {
    "AccessDenied": (
        "does not allow this to the account",
        "Allow it to list, read, write and lock objects in the bucket.",
    ),
    "InvalidAccessKeyId": ("does not know the access key", "Check the access key."),
    "SignatureDoesNotMatch": ("does not accept the secret key", "Check the secret key."),
    "NoSuchBucket": ("has no such bucket", "Check the url; or, if it is to be a new store, prepare it."),
    "RequestTimeTooSkewed": ("has another time than this machine", "Set the clocks of both by the same time server."),
    "XMinioStorageFull": ("is full", "Give it more disks; objects that are locked cannot be deleted."),
}
_LATER = frozenset(
    {"ConditionalRequestConflict", "OperationAborted", "RequestTimeTooSkewed", "RequestTimeout", "SlowDown"}
)


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Whatever the S3 client raises inside becomes a StoreError at `where`."""
    try:
        yield
    except S3Error as error:
        raise _answered(error, where) from error
    except ServerError as error:
        raise StoreUnavailableError(
            f"the server failed with HTTP status {error.status_code}", where=where, do="Look into the server's log."
        ) from error
    except (InvalidResponseError, ParseError, ValueError) as error:
        raise not_s3(where) from error
    except http.HTTPError as error:
        raise _not_reached(error, where) from error


def not_s3(where: str) -> StoreError:
    """Somebody answers who is no S3 server; so do gateways and log-in pages that stand in the way for a while."""
    return StoreUnavailableError("the answer is not one of S3", where=where, do=_NOT_S3)


def failed(error: S3Error) -> bool:
    """The server could not do what it was asked; else it would not."""
    return bool(error.response.status >= _SERVER_ERROR and error.response.status != _NOT_IMPLEMENTED)


def _answered(error: S3Error, where: str) -> StoreError:
    code = error.code or "an error without a code"
    kind = StoreUnavailableError if code in _LATER or failed(error) else StoreError
    if code in _KNOWN:
        what, do = _KNOWN[code]
        return kind(f"the server {what} ({code})", where=where, do=do)
    message = " ".join((error.message or "").split())[:_MESSAGE_CHARACTERS].rstrip(".")
    return kind(f"the server answers {code}: {message}", where=where)


def _not_reached(error: http.HTTPError, where: str) -> StoreError:
    if isinstance(error, http.SSLError):
        cause = error.args[0] if error.args else None
        if isinstance(cause, ssl.SSLCertVerificationError):
            return StoreError(
                f"the server's certificate is not trusted: {cause.verify_message}",
                where=where,
                do="Give the certificate of the authority that issued it, or renew it.",
            )
        return StoreUnavailableError("no TLS connection comes about", where=where, do=_NOT_S3)
    match error:
        case http.NameResolutionError():
            what = "the server's name is not known"
        case http.ConnectTimeoutError():
            what = "the server does not take the connection in time"
        case http.NewConnectionError():
            what = "the server cannot be connected to"
        case http.TimeoutError():
            what = "the server fell silent"
        case _:
            what = "the connection to the server broke"
    return StoreUnavailableError(what, where=where, do="Check the network, and that the server runs.")
