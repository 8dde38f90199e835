"""What processes use, from /proc: CPU seconds and proportional memory, children included."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def tree(root: int) -> list[int]:
    """A process and all its descendants."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                fields = (path / "stat").read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(fields[1]), []).append(int(path.name))
    found = [root]
    for process in found:
        found += children.get(process, [])
    return found


def cpu_s(processes: Iterable[int]) -> float:
    """User and system time that the processes have used since they started, seconds."""
    total = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS_PER_S


def memory_bytes(processes: Iterable[int], kind: Literal["Pss", "Rss"]) -> int:
    """Memory of the processes: proportional (what is shared is counted in parts) or resident (counted each time)."""
    total = 0
    for process in processes:
        for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
            if line.startswith(f"{kind}:"):
                total += int(line.split()[1]) * 1024
    return total
