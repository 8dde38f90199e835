"""A second process that writes to a catalog.

It reads its job from standard input, one line of JSON, and says `ready`; after one more line it does the job and says
`done`.
"""

import base64
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from evidence_store.catalog import Catalog, RebuildProgress
from evidence_store.signing import certificate_id, certificate_pem, parse_certificates
from evidence_store.trust import parse_trust, trust_bytes
from tests.evidence_store.chains import Signed, Site
from tests.evidence_store.memory_store import MemoryStore

_ROOT = Path(__file__).parents[3]


class Writer:
    """The process, as the test that starts it sees it."""

    def __init__(
        self, url: str, site: Site, *, records: Sequence[Signed] = (), store: MemoryStore | None = None
    ) -> None:
        """It ingests `records` one by one; or, given a store, rebuilds and stops for good before the end."""
        job = {
            "url": url,
            "trust": trust_bytes(site.anchors).decode(),
            "certificates": certificate_pem(site.certificates.values()).decode(),
            "records": [[_encode(record.data), _encode(record.signature)] for record in records],
            "objects": {key: _encode(data) for key, data in store.objects.items()} if store else None,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.evidence_store.catalog.writer"],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._say(json.dumps(job))
        self.expect("ready")

    def go(self) -> None:
        self._say("go")

    def expect(self, line: str) -> None:
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == line

    def wait(self) -> None:
        """Ends well, or the test fails."""
        self._process.communicate()
        assert self._process.returncode == 0

    def kill(self) -> None:
        """What a power cut does to the process."""
        self._process.kill()
        self._process.communicate()

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()


def main() -> None:
    job = json.loads(sys.stdin.readline())
    anchors = parse_trust(job["trust"].encode(), where="trust")
    certificates = {
        certificate_id(certificate): certificate
        for certificate in parse_certificates(job["certificates"].encode(), where="certificates")
    }
    with Catalog.open(job["url"]) as catalog:
        _say("ready")
        sys.stdin.readline()
        if job["objects"] is not None:
            store = MemoryStore("hall")
            store.objects = {key: base64.b64decode(data) for key, data in job["objects"].items()}
            catalog.rebuild({"hall": store}, anchors, _stop_there)
        for data, signature in job["records"]:
            catalog.ingest(base64.b64decode(data), base64.b64decode(signature), certificates, anchors)
    _say("done")


def _stop_there(_: RebuildProgress) -> None:
    _say("rebuilding")
    sys.stdin.readline()


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
