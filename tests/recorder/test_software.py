"""Which software recorded stands in every open record."""

import re
import subprocess
import sys
from pathlib import Path

from recorder.software import software

PROJECT = Path(__file__).parents[2]


def test_it_has_a_version_and_a_hash() -> None:
    found = software()
    assert found.name == "shilu"
    assert found.version
    assert re.fullmatch(r"[0-9a-f]{64}", found.sha256)


def test_another_process_of_the_same_software_says_the_same() -> None:
    code = "from recorder.software import software; print(software().sha256)"
    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == software.__wrapped__().sha256


def test_it_is_looked_at_once() -> None:
    """An update changes the files, not the program that runs."""
    assert software() is software()
