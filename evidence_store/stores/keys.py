"""Which keys an object may have. Pure text.

One rule for every kind of store, so that what one takes the others take too, and no key leaves a folder or is read
differently by a server, a shell or a browser.
"""

import re

from evidence_store.errors import StoreError

MAX_KEY_CHARACTERS = 1024
MAX_PART_CHARACTERS = 255

_PART = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")
_PREFIX = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]*/)*([A-Za-z0-9_-][A-Za-z0-9._-]*)?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def check_key(key: str) -> str:
    """The key itself; raises StoreError when it is not one: parts of ASCII letters, digits, `.`, `_` and `-`, joined
    by single slashes, none of them beginning with a dot."""
    if len(key) > MAX_KEY_CHARACTERS:
        raise StoreError(f"an object key of {len(key)} characters, at most {MAX_KEY_CHARACTERS} are allowed")
    for part in key.split("/"):
        if not _PART.fullmatch(part) or len(part) > MAX_PART_CHARACTERS:
            raise StoreError(
                f"{key[:120]!r} is not an object key",
                do="A key has ASCII letters, digits, dots, hyphens and underscores between slashes.",
            )
    return key


def check_prefix(prefix: str) -> str:
    """The beginning of a key, or nothing at all; raises StoreError for what no key begins with."""
    if len(prefix) > MAX_KEY_CHARACTERS or not _PREFIX.fullmatch(prefix):
        raise StoreError(f"{prefix[:120]!r} is not the beginning of an object key")
    return prefix


def check_sha256(sha256: str, *, where: str) -> str:
    """A hash as records state it; raises StoreError."""
    if not _SHA256.fullmatch(sha256):
        raise StoreError("the stated hash is not a SHA-256 in lower-case hex", where=where)
    return sha256


def check_range(offset: int, length: int, *, where: str) -> None:
    """A range of at least one byte; raises StoreError."""
    if offset < 0 or length < 1:
        raise StoreError(f"{length} bytes from {offset} on are no range", where=where)
