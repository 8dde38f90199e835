"""The report of a verification: verdict, findings, facts, and what no check can show."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from evidence_store.records import format_time
from evidence_store.verify.findings import Finding, Verdict, plain, seconds
from evidence_store.verify.tally import DeclaredGap, Tally, TrackTally

FORMAT = "shilu-report/1"
Language = Literal["zh", "en"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """The same in Chinese and in English."""

    zh: str
    en: str

    def in_language(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class TimeProof:
    """Until when the evidence is proved to have existed, and by whom besides the centre."""

    until: datetime | None
    by: tuple[str, ...]
    words: Sentence


RECORDERS_CLOCK_ONLY = TimeProof(
    until=None,
    by=(),
    words=Sentence(
        "时间仅以录制设备自身的时钟为依据;未配置见证方或可信时间戳,无法由中心以外的任何一方证明证据在何时已经存在。",
        "Time rests on the recorder's clock alone; no witness or timestamp is configured, so nobody besides the centre "
        "proves when the evidence existed.",
    ),
)

LIMITS = (
    Sentence(
        "镜头前的情景是否为摆拍,摄像机是否被调换,校验无法判断。",
        "No check can show a staged scene or a swapped camera.",
    ),
    Sentence(
        "在计算哈希值之前设备已被侵入的,校验无法发现。",
        "No check can show a break-in before the hash was made.",
    ),
    Sentence(
        "从未录制的询问,校验无法发现。",
        "No check can show an interview that was never recorded.",
    ),
    Sentence(
        "操作员、见证方与时间戳机构全部串通的,校验无法发现。",
        "No check can show that operator, witness and timestamp authority were all in league.",
    ),
)


@dataclass(frozen=True, slots=True)
class TrackFacts:
    """What the records say of one track."""

    track: str
    segments: int
    first_time: datetime | None
    last_time: datetime | None
    recorded_us: int
    gaps: int
    missing_us: int


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found, whatever the verdict. What a record that does not hold says stands here as it says it."""

    case: str | None = None
    room: str | None = None
    site: str | None = None
    operator: str | None = None
    opened: datetime | None = None
    closed: datetime | None = None
    close_reason: str | None = None
    tracks: tuple[TrackFacts, ...] = ()
    gaps: tuple[DeclaredGap, ...] = ()
    records: int = 0
    objects_checked: int = 0
    bytes_checked: int = 0

    @classmethod
    def of(cls, tally: Tally, *, objects_checked: int, bytes_checked: int) -> "Facts":
        opened, closed = tally.opened, tally.closed
        return cls(
            case=opened.case if opened else None,
            room=opened.room if opened else None,
            site=opened.site if opened else None,
            operator=opened.operator if opened else None,
            opened=opened.time if opened else None,
            closed=closed.time if closed else None,
            close_reason=closed.reason if closed else None,
            tracks=tuple(_track_facts(tally.tracks[track]) for track in sorted(tally.tracks)),
            gaps=tuple(tally.gaps),
            records=tally.records,
            objects_checked=objects_checked,
            bytes_checked=bytes_checked,
        )

    def to_json(self) -> dict[str, Any]:
        return {
            "case": self.case,
            "room": self.room,
            "site": self.site,
            "operator": self.operator,
            "opened": _time(self.opened),
            "closed": _time(self.closed),
            "close_reason": self.close_reason,
            "tracks": [
                {
                    "track": track.track,
                    "segments": track.segments,
                    "first_time": _time(track.first_time),
                    "last_time": _time(track.last_time),
                    "recorded_us": track.recorded_us,
                    "gaps": track.gaps,
                    "missing_us": track.missing_us,
                }
                for track in self.tracks
            ],
            "gaps": [
                {
                    "track": gap.track,
                    "from": _time(gap.from_time),
                    "to": _time(gap.to_time),
                    "missing_us": gap.missing_us,
                    "cause": gap.cause,
                    "detail": gap.detail,
                }
                for gap in self.gaps
            ],
            "records": self.records,
            "objects_checked": self.objects_checked,
            "bytes_checked": self.bytes_checked,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of verifying one session. `findings_left_out` counts, by code, findings that are not in the list."""

    session: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    findings_left_out: dict[str, int]
    facts: Facts
    time_proof: TimeProof = RECORDERS_CLOCK_ONLY
    limits: tuple[Sentence, ...] = LIMITS

    def to_json(self) -> dict[str, Any]:
        """Plain values for JSON; times as in records."""
        return {
            "format": FORMAT,
            "session": self.session,
            "verdict": self.verdict.value,
            "exit_code": self.verdict.exit_code,
            "verdict_zh": self.verdict.zh,
            "verdict_en": self.verdict.en,
            "findings": [found.to_json() for found in self.findings],
            "findings_left_out": self.findings_left_out,
            "facts": self.facts.to_json(),
            "time_proof": {
                "until": _time(self.time_proof.until),
                "by": list(self.time_proof.by),
                "zh": self.time_proof.words.zh,
                "en": self.time_proof.words.en,
            },
            "limits": [{"zh": limit.zh, "en": limit.en} for limit in self.limits],
        }

    def text(self, language: Language) -> str:
        """The report for a person to read, in lines."""
        return "\n".join(_ZH.lines(self) if language == "zh" else _EN.lines(self)) + "\n"


@dataclass(frozen=True, slots=True)
class _Words:
    """Labels of the text report in one language."""

    language: Language
    session: str
    verdict: str
    case: str
    place: str
    operator: str
    opened: str
    closed: str
    track: str
    checked: str
    findings: str
    left_out: str
    limits: str

    def lines(self, report: Report) -> list[str]:
        facts, verdict = report.facts, report.verdict
        word = verdict.zh if self.language == "zh" else verdict.en
        found = [
            f"{self.session}: {report.session}",
            f"{self.verdict}: {verdict.value} ({word})",
            f"{self.case}: {plain(facts.case or '-')}",
            f"{self.place}: {plain(facts.site or '-')} / {plain(facts.room or '-')}",
            f"{self.operator}: {plain(facts.operator or '-')}",
            f"{self.opened}: {_shown(facts.opened)}",
            f"{self.closed}: {_shown(facts.closed)}",
        ]
        found += [
            self.track.format(
                track=track.track,
                recorded=seconds(track.recorded_us),
                gaps=track.gaps,
                missing=seconds(track.missing_us),
            )
            for track in facts.tracks
        ]
        found.append(
            self.checked.format(records=facts.records, objects=facts.objects_checked, total=facts.bytes_checked)
        )
        found.append(report.time_proof.words.in_language(self.language))
        if report.findings:
            found.append(f"{self.findings}:")
            found += [line for finding in report.findings for line in self._finding(finding)]
        for code, count in report.findings_left_out.items():
            found.append(self.left_out.format(code=code, count=count))
        found.append(f"{self.limits}:")
        found += [f"  - {limit.in_language(self.language)}" for limit in report.limits]
        return found

    def _finding(self, finding: Finding) -> list[str]:
        sentence = finding.zh if self.language == "zh" else finding.en
        place = plain(finding.object)
        if finding.from_time or finding.to_time:
            place += f"  {_shown(finding.from_time)} – {_shown(finding.to_time)}"
        return [f"  [{finding.verdict.value}] {finding.code}: {sentence}", f"      {place}"]


_ZH = _Words(
    language="zh",
    session="询问录制",
    verdict="结论",
    case="案件",
    place="中心 / 询问室",
    operator="操作员",
    opened="开始(UTC)",
    closed="关闭(UTC)",
    track="画面 {track}: 已录 {recorded} 秒,缺口 {gaps} 处共 {missing} 秒",
    checked="已校验 {records} 条记录、{objects} 个媒体对象,共 {total} 字节。",
    findings="发现",
    left_out="  另有 {count} 项 {code} 未列出。",
    limits="校验无法证明",
)
_EN = _Words(
    language="en",
    session="Session",
    verdict="Verdict",
    case="Case",
    place="Site / room",
    operator="Operator",
    opened="Opened (UTC)",
    closed="Closed (UTC)",
    track="Track {track}: {recorded} s recorded, {gaps} gaps of {missing} s in all",
    checked="Checked: {records} records, {objects} media objects, {total} bytes.",
    findings="Findings",
    left_out="  {count} more of {code} are not listed.",
    limits="What no check can show",
)


def _track_facts(tally: TrackTally) -> TrackFacts:
    return TrackFacts(
        track=tally.track,
        segments=tally.segments,
        first_time=tally.first_time,
        last_time=tally.last_time,
        recorded_us=tally.recorded_us,
        gaps=tally.gaps,
        missing_us=tally.missing_us,
    )


def _time(value: datetime | None) -> str | None:
    return format_time(value) if value else None


def _shown(value: datetime | None) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S.%f}"[:-3] if value else "?"
