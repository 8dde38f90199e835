"""Which software records: its version and a hash over its sources, stated in every open record."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import evidence_store
import recorder
from evidence_store.records import Software


@cache
def software() -> Software:
    """The hash covers names and bytes of all Python files of the recording side, in order of their names."""
    digest = hashlib.sha256()
    for package in (evidence_store, recorder):
        folder = Path(package.__path__[0])
        for path in sorted(folder.rglob("*.py")):
            digest.update(f"{package.__name__}/{path.relative_to(folder)}\0".encode())
            digest.update(path.read_bytes())
    try:
        number = version("shilu")
    except PackageNotFoundError:
        number = "not installed"
    return Software(name="shilu", version=number, sha256=digest.hexdigest())
