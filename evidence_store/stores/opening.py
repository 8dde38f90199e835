"""From a url in the configuration to a store. Nothing is read, written or contacted until the store is used."""

import re
from pathlib import Path, PurePosixPath
from urllib.parse import SplitResult, unquote, urlsplit

from evidence_store.durable import RealDisk
from evidence_store.errors import StoreError
from evidence_store.layout import check_id
from evidence_store.stores.file import FileStore
from evidence_store.stores.interface import ObjectStore, S3Credentials

MAX_RETENTION_DAYS = 36_500

_FORMS = "Use file:///folder, s3+http://host:port/bucket or s3+https://host[:port]/bucket."
_BUCKET = re.compile(r"(?!.*(\.\.|\.-|-\.))(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_HOST = re.compile(r"[A-Za-z0-9_.-]+|[0-9a-fA-F:.]+")


def open_store(
    url: str,
    *,
    name: str,
    credentials: S3Credentials | None = None,
    retention_days: int,
    ca_file: Path | None = None,
) -> ObjectStore:
    """The store at `url`, called `name`; raises StoreError or, for its name, FormatError.

    An error never quotes the url, which may hold what it must not.

    `retention_days` is for how long every object is locked when it is written; a folder cannot lock and ignores it.
    `ca_file` holds the certificates (PEM) that a server's own may come from; without it, those of the system.
    """
    check_id(name, name="store")
    where = f"url of store {name}"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise StoreError("is not a url", where=where, do=_FORMS) from None
    if not url.isprintable():  # the parser would drop line breaks and tabs without a word
        raise StoreError("holds a line break or another unprintable character", where=where, do=_FORMS)
    if "@" in parts.netloc:
        raise StoreError(
            "holds a user name or a password",
            where=where,
            do="Give the keys apart from the url, which logs show.",
        )
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise StoreError("goes on after the path", where=where, do=_FORMS)
    match parts.scheme:
        case "file":
            return FileStore(_folder(parts, where), name, RealDisk())
        case "s3+http" | "s3+https":
            return _open_s3(parts, port, name, credentials, retention_days, ca_file)
        case _:
            raise StoreError("is of no kind that is known", where=where, do=_FORMS)


def _folder(parts: SplitResult, where: str) -> Path:
    folder = unquote(parts.path)
    if parts.netloc:
        raise StoreError("names a host where a path should begin", where=where, do="Write file:/// with three slashes.")
    if not folder.startswith("/") or folder.startswith("//") or ".." in PurePosixPath(folder).parts or "\0" in folder:
        raise StoreError("is not an absolute path without '..'", where=where, do=_FORMS)
    if PurePosixPath(folder) == PurePosixPath("/"):
        raise StoreError("is the root of the file system", where=where, do="Name a folder for this store alone.")
    return Path(folder)


def _open_s3(
    parts: SplitResult,
    port: int | None,
    name: str,
    credentials: S3Credentials | None,
    retention_days: int,
    ca_file: Path | None,
) -> ObjectStore:
    where = f"url of store {name}"
    secure = parts.scheme == "s3+https"
    bucket = parts.path.removeprefix("/")
    if not parts.hostname or not _HOST.fullmatch(parts.hostname):
        raise StoreError("names no host", where=where, do=_FORMS)
    if port is None and not secure:
        raise StoreError("names no port", where=where, do="Write it after the host; MinIO's is usually 9000.")
    if not _BUCKET.fullmatch(bucket):
        raise StoreError(
            "does not end in the name of a bucket",
            where=where,
            do="A bucket has 3 to 63 lower-case letters, digits, hyphens and dots, and nothing comes after it.",
        )
    if credentials is None:
        raise StoreError("no access key is given", where=f"store {name}", do="Give the access key and the secret key.")
    if not 1 <= retention_days <= MAX_RETENTION_DAYS:
        raise StoreError(
            f"objects cannot be locked for {retention_days} days",
            where=f"store {name}",
            do=f"Give between 1 and {MAX_RETENTION_DAYS}.",
        )
    # Importing the S3 client takes longer than everything else a file:// store needs.
    from evidence_store.stores.s3 import S3Address, S3Store

    address = S3Address(parts.hostname, port or 443, bucket, secure)
    return S3Store(address, name, credentials, retention_days, ca_file=ca_file)
