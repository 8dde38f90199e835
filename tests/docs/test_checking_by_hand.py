"""The commands of "Checking by hand" in docs/evidence-format.md, run as they stand, on a session and on attacks."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from evidence_store import layout
from evidence_store.trust import trust_bytes
from tests.docs.markdown import read
from tests.docs.tables import EVIDENCE_FORMAT
from tests.evidence_store.builder import SESSION, Evidence, build
from tests.evidence_store.chains import make_site
from tests.parts.require import require

COMMANDS = "".join(read(EVIDENCE_FORMAT).section("Checking by hand 手工校验").fences("sh"))
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def check_by_hand(evidence: Evidence, folder: Path) -> subprocess.CompletedProcess[str]:
    for key, data in evidence.objects.items():
        path = folder / "store" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    trust = folder / "trust.json"
    if not trust.exists():
        trust.write_bytes(trust_bytes(evidence.recording.site.anchors))
    # An auditor has some Python; here it is this one, without the project.
    programs = f"{Path(sys.executable).parent}:{require('openssl').parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", COMMANDS], cwd=folder, env={"PATH": programs}, capture_output=True, text=True, timeout=50
    )


def test_an_untouched_session_passes_every_step(tmp_path: Path) -> None:
    done = check_by_hand(build().seal(), tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Verified OK") == len(build().drafts)
    assert done.stdout.count(".mp4: OK") == 9
    # The last step prints the gap that the session declares.
    assert done.stdout.splitlines()[-1] == (
        "subject 2026-11-23T01:30:04.000000Z 2026-11-23T01:30:06.000000Z 2000000 camera_lost"
    )


def test_it_needs_nothing_of_the_project() -> None:
    assert "shilu" not in COMMANDS
    assert SESSION in COMMANDS


def flipped_segment(evidence: Evidence) -> None:
    evidence.flip(evidence.media_key("subject", 2), 5000)


def flipped_record(evidence: Evidence) -> None:
    evidence.flip(evidence.record_key("mark"), 40)


def removed_segment(evidence: Evidence) -> None:
    del evidence.objects[evidence.media_key("room", 4)]


def added_segment(evidence: Evidence) -> None:
    evidence.objects[layout.media_key(SESSION, "room", 5)] = b"more"


def removed_record(evidence: Evidence) -> None:
    del evidence.objects[evidence.record_key("mark")]
    del evidence.objects[evidence.signature_key("mark")]


def removed_signature(evidence: Evidence) -> None:
    del evidence.objects[evidence.signature_key("mark")]


def removed_end(evidence: Evidence) -> None:
    del evidence.objects[evidence.record_key("close")]
    del evidence.objects[evidence.signature_key("close")]


def swapped_records(evidence: Evidence) -> None:
    evidence.swap(evidence.record_key("segment", "room", 1), evidence.record_key("segment", "room", 2))
    evidence.swap(evidence.signature_key("segment", "room", 1), evidence.signature_key("segment", "room", 2))


def other_half_of_a_signature(evidence: Evidence) -> None:
    key = evidence.signature_key("mark")
    r, s = decode_dss_signature(evidence.objects[key])
    evidence.objects[key] = encode_dss_signature(r, P256_ORDER - s)


def another_certificate(evidence: Evidence) -> None:
    other = make_site("elsewhere")
    stranger = build().seal(other.recorder)
    evidence.objects[evidence.certificate_key] = stranger.objects[layout.certificate_key(other.recorder.id)]


@pytest.mark.parametrize(
    "attack",
    [
        flipped_segment,
        flipped_record,
        removed_segment,
        added_segment,
        removed_record,
        removed_signature,
        removed_end,
        swapped_records,
        other_half_of_a_signature,
        another_certificate,
    ],
)
def test_an_attack_stops_it(attack: Callable[[Evidence], None], tmp_path: Path) -> None:
    evidence = build().seal()
    attack(evidence)
    assert check_by_hand(evidence, tmp_path).returncode != 0


def test_a_session_of_another_site_stops_it(tmp_path: Path) -> None:
    (tmp_path / "trust.json").write_bytes(trust_bytes(make_site("elsewhere").anchors))
    assert check_by_hand(build().seal(), tmp_path).returncode != 0
