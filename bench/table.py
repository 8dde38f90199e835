"""Results as a table: each figure beside its peer, the ratio, and the aim."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `peer` is what it is compared with; `aim` is a limit for the ratio (or the value, without a peer)."""

    what: str
    value: float
    unit: str
    peer: float | None = None
    peer_name: str = ""
    aim: str = ""

    def cells(self) -> tuple[str, ...]:
        peer = f"{self.peer:.3g} {self.unit} ({self.peer_name})" if self.peer is not None else ""
        ratio = f"{self.value / self.peer:.2f}" if self.peer else ""
        return self.what, f"{self.value:.3g} {self.unit}", peer, ratio, self.aim


def markdown(title: str, rows: list[Row]) -> str:
    """A Markdown table, padded so that it reads well in a terminal."""
    head = ("measured", "shilu", "beside it", "ratio", "aim")
    cells = [head, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return f"## {title}\n\n" + "\n".join(lines) + "\n"
