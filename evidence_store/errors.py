"""The error that every part of the evidence package raises when it has to tell a person something."""


class EvidenceError(Exception):
    """Something about the evidence is wrong.

    `what` happened, `where` (object, file or field) and what to `do` next make one line for the person who reads it.
    """

    def __init__(self, what: str, *, where: str = "", do: str = "") -> None:
        self.what = what
        self.where = where
        self.do = do
        super().__init__(str(self))

    def __str__(self) -> str:
        line = f"{self.where}: {self.what}" if self.where else self.what
        return f"{line}. {self.do}" if self.do else line


class FormatError(EvidenceError, ValueError):
    """Bytes or values that do not follow the evidence format (a ValueError, so that Pydantic names the field)."""


class SignatureError(EvidenceError):
    """A signature, key or certificate that does not hold."""


class ChainError(EvidenceError):
    """A record that does not extend the chain it is said to belong to."""


class StoreError(EvidenceError):
    """An object store refused, failed, or does not hold what it should."""


class StoreUnavailableError(StoreError):
    """The store cannot be reached now; the same call may succeed later."""


class ObjectMissingError(StoreError):
    """The store holds no object with this key, or hides it behind a delete marker."""


class ObjectConflictError(StoreError):
    """A key is already taken by other bytes: objects are written once."""


class CatalogError(EvidenceError):
    """The catalog cannot be opened, migrated or rebuilt."""
