"""Where the next page of a list begins: the place of the last entry of the page before, in a form that fits into a URL.

A cursor comes back from whoever was given it and is read as any other input. Pure.
"""

import base64
import binascii

from evidence_store.errors import FormatError
from evidence_store.strict_json import canonical_bytes, parse_object

MAX_LIMIT = 1000

_MAX_CHARACTERS = 2000


def write_cursor(text: str, number: int = 0) -> str:
    return base64.urlsafe_b64encode(canonical_bytes({"text": text, "number": number})).decode()


def read_cursor(cursor: str) -> tuple[str, int]:
    """What `write_cursor` was given; raises FormatError."""
    wrong = FormatError("not the cursor of a list", do="Begin again at the first page.")
    if len(cursor) > _MAX_CHARACTERS:
        raise wrong
    try:
        values = parse_object(base64.b64decode(cursor, altchars=b"-_", validate=True), where="cursor")
    except (binascii.Error, ValueError):
        raise wrong from None
    match values:
        case {"text": str(text), "number": int(number)} if not isinstance(number, bool):
            return text, number
    raise wrong


def check_limit(limit: int) -> int:
    """The length of a page; raises FormatError."""
    if not 1 <= limit <= MAX_LIMIT:
        raise FormatError(f"a page of {limit} entries", do=f"Ask for 1 to {MAX_LIMIT}.")
    return limit
