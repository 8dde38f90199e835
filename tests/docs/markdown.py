"""What the tests need to know of a Markdown document: headings, code, links, tables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENTS = (
    ROOT / "README.md",
    ROOT / "deploy" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)

_FENCE = re.compile(r"^ {0,3}```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^ {0,3}```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(?P<marks>#{1,6}) (?P<text>.+)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_CELL = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str
    start: int

    @property
    def anchor(self) -> str:
        """What GitHub and GitLab make of it in an address."""
        plain = re.sub(r"[^\w\- ]", "", self.text.replace("`", "").lower())
        return plain.strip().replace(" ", "-")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code."""

    language: str
    text: str
    start: int


class Document:
    """One file, read once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.fences = [Fence(one["language"], one["text"], one.start()) for one in _FENCE.finditer(self.text)]
        # Blanked, not cut out, so that places in one text are places in the other.
        self.prose = _FENCE.sub(lambda one: re.sub(r"[^\n]", " ", one[0]), self.text)
        self.headings = [
            Heading(len(one["marks"]), one["text"].strip(), one.start()) for one in _HEADING.finditer(self.prose)
        ]

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    def spans(self) -> Iterator[str]:
        """Code inside of lines."""
        for one in _SPAN.finditer(self.prose):
            yield one[1]

    def links(self) -> Iterator[str]:
        for one in _LINK.finditer(_SPAN.sub("", self.prose)):
            yield one["target"]

    def section(self, heading: str) -> "Section":
        """From a heading to the next of the same level or above."""
        place = next(place for place, one in enumerate(self.headings) if one.text == heading)
        found = self.headings[place]
        end = next((one.start for one in self.headings[place + 1 :] if one.level <= found.level), len(self.text))
        return Section(self, found.start, end)


@dataclass(frozen=True, slots=True)
class Section:
    document: Document
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.document.text[self.start : self.end]

    @property
    def headings(self) -> list[Heading]:
        """Without the one that the section begins with."""
        return [one for one in self.document.headings if self.start < one.start < self.end]

    def fences(self, language: str) -> list[str]:
        inside = [one for one in self.document.fences if self.start <= one.start < self.end]
        return [one.text for one in inside if one.language == language]

    def rows(self) -> list[list[str]]:
        return table(self.text)


@cache
def read(path: Path) -> Document:
    return Document(path)


def documents() -> list[Document]:
    return [read(path) for path in DOCUMENTS]


def table(text: str) -> list[list[str]]:
    """The cells of the first table in `text`, without its head."""
    lines = text.splitlines()
    first = next((place for place, line in enumerate(lines) if re.fullmatch(r"\|[ :|-]+\|", line.strip())), None)
    if first is None:
        return []
    rows = []
    for line in lines[first + 1 :]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip().replace("\\|", "|") for cell in _CELL.split(line.strip())[1:-1]])
    return rows


def code(cell: str) -> str:
    """A cell that is one piece of code, without its marks."""
    assert cell.startswith("`"), cell
    assert cell.endswith("`"), cell
    return cell.strip("`")
