"""Run the measurements, print the table, write it to bench/results/."""

import argparse
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench import recording, verifying
from bench.table import Row, markdown

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="length of the recording")
    parser.add_argument("--megabytes", type=int, default=300, help="size of the session that is verified")
    parser.add_argument("--only", choices=("recording", "verifying"), help="measure only this")
    arguments = parser.parse_args()
    parts: list[tuple[str, list[Row]]] = []
    if arguments.only != "verifying":
        parts.append(("Recording", recording.measure(arguments.seconds)))
    if arguments.only != "recording":
        parts.append(("Verification", verifying.measure(arguments.megabytes * 1_000_000)))
    now = datetime.now(UTC)
    head = f"# Measured {now:%Y-%m-%d %H:%M} UTC, {platform.machine()}, Python {platform.python_version()}\n"
    text = "\n".join([head, *(markdown(title, rows) for title, rows in parts)])
    sys.stdout.write(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{now:%Y%m%dT%H%M%SZ}.md").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
