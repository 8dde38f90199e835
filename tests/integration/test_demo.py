"""The demo, as a newcomer runs it."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from recorder.lock import UPLOADER_LOCK, holder, room_lock
from tests.integration.centre import SHILU, shilu, wait_for

pytestmark = pytest.mark.timeout(240)
LOCKS = [UPLOADER_LOCK, *(room_lock(f"room-{number}") for number in (1, 2, 3))]


def nothing_runs(folder: Path) -> bool:
    return not any(holder(folder / "run", lock) for lock in LOCKS)


def test_once_records_verifies_and_ends(tmp_path: Path) -> None:
    folder = tmp_path / "演示 demo"
    done = shilu("demo", "--once", "--seconds", "4", "--dir", folder)
    assert done.code == 0, done.err
    assert done.err.count("OK 完整") == 3
    assert nothing_runs(folder)
    verified = shilu("verify", "--dir", folder, "--all", "--json")
    assert verified.code == 0
    assert {one["facts"]["case"] for one in verified.json()["sessions"]} == {
        "平综执立字〔2026〕第0012号",
        "平综执立字〔2026〕第0013号",
        "平市监立字〔2026〕第0007号",
    }
    changed = next((folder / "store" / "sessions").rglob("000000.mp4"))
    changed.chmod(0o644)
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.write_bytes(data)
    assert shilu("verify", "--dir", folder, "--all").code == 5


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP, signal.SIGTERM])
def test_ends_in_order(tmp_path: Path, number: signal.Signals) -> None:
    """Ctrl-C, a closed terminal, a kill: nothing is left running."""
    command = [*SHILU, "demo", "--seconds", "2", "--dir", str(tmp_path / "demo")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=os.environ)
    try:
        assert process.stdout
        wait_for(lambda: "Ctrl-C" in process.stdout.readline(), "the demo to stay up")  # type: ignore[union-attr]
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
    assert nothing_runs(tmp_path / "demo")
