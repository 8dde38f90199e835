"""Where evidence is kept: objects written once, read by anybody, held as long as the store promises.

`interface` says what a store is and what it owes; `file` keeps one in a folder, `s3` in a bucket with object lock;
`opening` finds the right one for a url. Nothing here knows what is in an object: it is a key, bytes and their SHA-256.
"""

from evidence_store.errors import ObjectMissingError
from evidence_store.stores.interface import (
    Confirmation,
    ObjectInfo,
    ObjectReader,
    ObjectStore,
    ObjectVersion,
    S3Credentials,
)
from evidence_store.stores.keys import check_key
from evidence_store.stores.opening import open_store

__all__ = [
    "Confirmation",
    "ObjectInfo",
    "ObjectMissingError",
    "ObjectReader",
    "ObjectStore",
    "ObjectVersion",
    "S3Credentials",
    "check_key",
    "open_store",
]
