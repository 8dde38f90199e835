"""What verification finds: a verdict, the codes that findings carry, and their place in the film."""

import unicodedata
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import Any

from evidence_store.records import format_time

MAX_FINDINGS_PER_CODE = 50  # what is beyond is counted: hostile input must not fill memory, nobody reads further
_MAX_VALUE_CHARACTERS = 200


class Verdict(Enum):
    """What is said of a session. The order of the members is from best to worst, and the worst finding wins.

    CANNOT_JUDGE stands between NOT_OK and INCOMPLETE: a contradiction stays one whatever could not be judged, while
    "what is there holds" (INCOMPLETE) must not be said of something that could not be judged.
    """

    OK = "OK"
    OK_WITH_DECLARED_GAPS = "OK_WITH_DECLARED_GAPS"
    INCOMPLETE = "INCOMPLETE"
    CANNOT_JUDGE = "CANNOT_JUDGE"
    NOT_OK = "NOT_OK"

    @property
    def exit_code(self) -> int:
        """What a command that verifies ends with (1 is a failed program, 2 wrong use)."""
        return _EXIT_CODES[self]

    @property
    def zh(self) -> str:
        return _WORDS[self][0]

    @property
    def en(self) -> str:
        return _WORDS[self][1]


_EXIT_CODES = {
    Verdict.OK: 0,
    Verdict.OK_WITH_DECLARED_GAPS: 3,
    Verdict.INCOMPLETE: 4,
    Verdict.NOT_OK: 5,
    Verdict.CANNOT_JUDGE: 6,
}
_WORDS = {
    Verdict.OK: ("完整", "everything holds and nothing is missing"),
    Verdict.OK_WITH_DECLARED_GAPS: ("完整(含已声明缺口)", "everything holds; time that was not recorded is declared"),
    Verdict.INCOMPLETE: ("不齐全", "what is there holds, but something is missing"),
    Verdict.NOT_OK: ("不一致", "something there contradicts something else"),
    Verdict.CANNOT_JUDGE: ("无法判定", "it could not be judged"),
}
_SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict that wins; OK when there is none."""
    return max(verdicts, key=_SEVERITY.__getitem__, default=Verdict.OK)


@dataclass(frozen=True, slots=True)
class Code:
    """One kind of finding: its name, the verdict it leads to, and its sentence with {fields} in both languages."""

    name: str
    verdict: Verdict
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Span:
    """Time in the film, UTC. None: not known, which at the end means up to whatever comes next."""

    start: datetime | None = None
    end: datetime | None = None


NOWHERE = Span()


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found: `object` is the key it is about, `from_time` to `to_time` the UTC span of film it touches."""

    code: str
    verdict: Verdict
    object: str
    seq: int | None
    track: str | None
    from_time: datetime | None
    to_time: datetime | None
    zh: str
    en: str

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "verdict": self.verdict.value,
            "object": self.object,
            "seq": self.seq,
            "track": self.track,
            "from": format_time(self.from_time) if self.from_time else None,
            "to": format_time(self.to_time) if self.to_time else None,
            "zh": self.zh,
            "en": self.en,
        }


def finding(
    code: Code,
    *,
    object_key: str,
    seq: int | None = None,
    track: str | None = None,
    span: Span = NOWHERE,
    **values: Any,
) -> Finding:
    """A finding whose sentences are the code's with `values` put in."""
    shown = {name: plain(value) for name, value in values.items()}
    return Finding(
        code=code.name,
        verdict=code.verdict,
        object=object_key,
        seq=seq,
        track=track,
        from_time=span.start,
        to_time=span.end,
        zh=code.zh.format_map(shown),
        en=code.en.format_map(shown),
    )


def plain(value: object) -> str:
    """Text from the evidence, made safe to print: no control, format or line characters, and not endless."""
    text = str(value)
    cut = text[:_MAX_VALUE_CHARACTERS]
    shown = "".join(
        character if character.isprintable() or unicodedata.category(character) == "Zs" else f"<U+{ord(character):04X}>"
        for character in cut
    )
    return shown if len(cut) == len(text) else f"{shown}…"


def seconds(length_us: int) -> str:
    """A length as people read it: seconds to the millisecond, or exactly if that would hide something."""
    sign, length_us = "-" if length_us < 0 else "", abs(length_us)
    whole, rest_us = divmod(length_us, 1_000_000)
    return f"{sign}{whole}.{rest_us // 1000:03d}" if rest_us % 1000 == 0 else f"{sign}{whole}.{rest_us:06d}"


class Findings:
    """The findings of one verification, at most `MAX_FINDINGS_PER_CODE` of each code; the rest only counts."""

    def __init__(self) -> None:
        self._kept: list[Finding] = []
        self._counts: Counter[str] = Counter()
        self._open: list[int] = []
        self.verdict = Verdict.OK

    def add(self, found: Finding, *, until_next_record: bool = False) -> None:
        """Take in a finding. With `until_next_record` its span ends where the next readable record stands."""
        self.verdict = worst((self.verdict, found.verdict))
        self._counts[found.code] += 1
        if self._counts[found.code] > MAX_FINDINGS_PER_CODE:
            return
        if until_next_record:
            self._open.append(len(self._kept))
        self._kept.append(found)

    def reach(self, time: datetime) -> None:
        """A readable record with this time was reached: findings before it end there."""
        for position in self._open:
            self._kept[position] = replace(self._kept[position], to_time=time)
        self._open.clear()

    def left_out(self) -> dict[str, int]:
        """By code, how many findings were counted and not kept."""
        return {
            code: count - MAX_FINDINGS_PER_CODE
            for code, count in sorted(self._counts.items())
            if count > MAX_FINDINGS_PER_CODE
        }

    def sorted(self) -> tuple[Finding, ...]:
        """The worst first, then in the order of the film."""

        def order(found: Finding) -> tuple[int, str, int, str]:
            start = format_time(found.from_time) if found.from_time else ""
            return -_SEVERITY[found.verdict], start, -1 if found.seq is None else found.seq, found.object

        return tuple(sorted(self._kept, key=order))
