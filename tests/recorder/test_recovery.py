"""After a crash: every whole fragment is kept, what is torn is set aside, the loss is declared, the session goes on.

The cuts are at every step that changes the disk, by a killed process and by a power cut, and at every kind of place in
the file that was being written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import pytest

from evidence_store import layout
from evidence_store.durable import RealDisk
from evidence_store.errors import EvidenceError
from evidence_store.media import fragments, parse_init
from evidence_store.records import (
    CloseRecord,
    EventRecord,
    Gap,
    Mark,
    OpenRecord,
    Resumed,
    SegmentRecord,
    parse_record,
    to_us,
)
from evidence_store.signing import RECORDER_USAGE, certificate_pem, issue
from evidence_store.verify import ReaderSource, Report, Verdict, verify_session
from recorder.groups import Loss
from recorder.recovery import loss_of, recover
from recorder.sealing import Sealer
from recorder.upload import spooled_records
from tests.evidence_store.chains import START, make_site
from tests.evidence_store.memory_store import MemoryStore
from tests.recorder.clocks import FakeClock
from tests.recorder.memory_disk import MemoryDisk, PowerCut
from tests.recorder.studio import SESSION, SPOOL, Studio

FOLDER = SPOOL / SESSION
AnyRecord = OpenRecord | SegmentRecord | EventRecord | CloseRecord
GOOD = {Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS}


def records(studio: Studio) -> list[AnyRecord]:
    return [parse_record(record.data, where="") for record in spooled_records(studio.spool, 0)]


def segments(studio: Studio, track: str) -> list[SegmentRecord]:
    return [one for one in records(studio) if isinstance(one, SegmentRecord) and one.track == track]


def gaps(studio: Studio) -> list[Gap]:
    return [one.event for one in records(studio) if isinstance(one, EventRecord) and isinstance(one.event, Gap)]


def go_on(studio: Studio) -> None:
    """Cameras are back, half a minute is recorded, stop is pressed."""
    studio.connect("room", "subject")
    studio.roll(60)
    studio.stop()


def torn(disk: MemoryDisk) -> dict[str, bytes]:
    return {path.name: data for path, data in disk.files().items() if path.parent.name == "torn"}


# --- Every step -----------------------------------------------------------------------------------------------------


def play(studio: Studio) -> None:
    """A whole session: two cameras, one of them lost and back, a mark, segments that are cut, stop."""
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(60)
    studio.interview.event(Mark(kind="mark", text="出示证据"))
    studio.lose("room")
    studio.roll(20)
    studio.connect("room", lost=Loss("camera_lost", "the camera does not answer"))
    studio.roll(40)
    studio.stop()


@cache
def steps() -> list[tuple[str, Path]]:
    """What the session does to the disk."""
    disk = MemoryDisk()
    play(Studio(disk))
    return disk.steps


@dataclass(frozen=True)
class Crash:
    """A way in which the recording ends. `half` of what was being appended may have reached the file."""

    name: str
    half: bool
    leave: Callable[[MemoryDisk], MemoryDisk]


CRASHES = [
    Crash("killed", False, MemoryDisk.after_kill),
    Crash("killed in the middle of a write", True, MemoryDisk.after_kill),
    Crash("power cut", False, MemoryDisk.after_power_cut),
    Crash("power cut, names were written", True, lambda disk: disk.after_power_cut(lucky=True)),
]


def crashed(step: int, crash: Crash) -> tuple[Studio, MemoryDisk, MemoryDisk]:
    """The session, its disk when the process ended, and what is left of that."""
    disk = MemoryDisk(step, half=crash.half)
    studio = Studio(disk)
    with pytest.raises(PowerCut):
        play(studio)
    left = crash.leave(disk)
    studio.disk = left
    studio.clock.advance(1_500_000)
    return studio, disk, left


def kept_until_us(studio: Studio) -> dict[str, int]:
    """What the recorder had told to be on the disk."""
    interview = getattr(studio, "interview", None)
    return dict(interview.kept_until_us) if interview is not None else {}


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.name)
def test_a_crash_at_any_step(crash: Crash) -> None:
    """What was told to be durable is in the session; nothing contradicts anything; the session can go on."""
    for step in range(len(steps())):
        studio, before, left = crashed(step, crash)
        kept_us = kept_until_us(studio)
        seen = uploaded(before)
        interview = studio.recover()
        if interview is None:
            assert not kept_us or closed(studio), step
            continue
        for track, until_us in kept_us.items():
            last = studio.sealer.tallies[track].last_time
            assert last is not None
            assert to_us(last) >= until_us, f"step {step}, {track}"
        if studio.spool.stopping() is not None:
            interview.close("recovered", "stop had been asked for")
        else:
            go_on(studio)
        stored = studio.objects()
        report = studio.verify()
        assert report.verdict in GOOD, f"step {step} {steps()[step]}\n{report.text('en')}"
        changed = [key for key, data in seen.items() if stored[key] != data]
        assert not changed, f"step {step}: had left the machine"
        assert nothing_is_deleted(before, left), step


def closed(studio: Studio) -> bool:
    records = list(spooled_records(studio.spool, 0))
    return not records or records[-1].last


def uploaded(disk: MemoryDisk) -> dict[str, bytes]:
    """What an uploader could have sent before the crash: all that had a signature."""
    return Studio(disk).objects() if disk.look(FOLDER / "records") else {}


def nothing_is_deleted(before: MemoryDisk, left: MemoryDisk) -> bool:
    """Every byte of film that the crash left is in a segment or in torn/."""
    return before is not left and all(
        any(data in other for other in left.files().values())
        for path, data in left.files().items()
        if path.suffix == ".mp4"
    )


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.name)
def test_a_crash_at_any_step_of_recovery_itself(crash: Crash) -> None:
    """Recovery may be cut as often as it likes; the next one goes on from there."""
    a_torn_segment = next(
        n for n, (name, path) in enumerate(steps()) if n > 30 and name == "append" and ".mp4" in path.name
    )
    an_unsigned_record = next(n for n, (_, path) in enumerate(steps()) if n > 30 and path.name.endswith("3.sig.new"))
    for first in (a_torn_segment, an_unsigned_record):
        studio, _, left = crashed(first, CRASHES[1])
        image = left
        whole = recovery_steps(replace(studio), image)
        for step in range(whole):
            again = replace(studio, clock=studio.clock, takes={})
            disk = image.after_kill(step, half=crash.half)
            with pytest.raises(PowerCut):
                again.recover(disk)
            again.recover(crash.leave(disk))
            go_on(again)
            report = again.verify()
            assert report.verdict in GOOD, f"crash {first}, recovery cut at {step}\n{report.text('en')}"


def recovery_steps(studio: Studio, image: MemoryDisk) -> int:
    disk = image.after_kill()
    studio.recover(disk)
    return len(disk.steps)


# --- Every place in the file ----------------------------------------------------------------------------------------


@cache
def growing() -> tuple[dict[Path, bytes], Path, Path]:
    """A session in its third segment, as a killed process leaves it, and the two files that were growing."""
    disk = MemoryDisk()
    studio = Studio(disk)
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(150)
    room, subject = (FOLDER / "media" / track / "000002.0000.mp4" for track in ("room", "subject"))
    return disk.files(), room, subject


def image_of(files: dict[Path, bytes]) -> MemoryDisk:
    disk = MemoryDisk()
    for path, data in files.items():
        disk.make_folder(path.parent)
        disk.alter(path, data)
    disk.make_folder(FOLDER / "records")
    disk.steps.clear()
    return disk


@cache
def places() -> dict[str, tuple[int, int]]:
    """Where the growing file is cut, by what is cut, and how many fragments are whole before that."""
    files, _, subject = growing()
    data = files[subject]
    init = parse_init(data)
    found = list(fragments(data, init))
    assert len(found) == 3
    last = found[-1]
    prft = last.offset
    moof = prft + int.from_bytes(data[prft : prft + 4], "big")
    mdat = moof + int.from_bytes(data[moof : moof + 4], "big")
    end = last.offset + last.bytes
    assert end == len(data)
    return {
        "nothing written": (0, 0),
        "inside ftyp": (3, 0),
        "between ftyp and moov": (int.from_bytes(data[:4], "big"), 0),
        "inside moov": (init.bytes - 100, 0),
        "one byte short of the init": (init.bytes - 1, 0),
        "after the init": (init.bytes, 0),
        "one byte of the first fragment": (init.bytes + 1, 0),
        "one byte short of the first fragment": (found[1].offset - 1, 0),
        "after the first fragment": (found[1].offset, 1),
        "after the second fragment": (prft, 2),
        "in the size of prft": (prft + 2, 2),
        "inside prft": (prft + 20, 2),
        "between prft and moof": (moof, 2),
        "in the type of moof": (moof + 6, 2),
        "inside moof": (moof + 60, 2),
        "between moof and mdat": (mdat, 2),
        "in the header of mdat": (mdat + 5, 2),
        "at the first byte of mdat": (mdat + 8, 2),
        "inside mdat": ((mdat + 8 + end) // 2, 2),
        "one byte short of the end": (end - 1, 2),
        "at the end": (end, 3),
    }


@pytest.mark.parametrize("place", places())
def test_a_file_that_is_cut(place: str) -> None:
    files, _, subject = growing()
    cut, whole = places()[place]
    disk = image_of(files | {subject: files[subject][:cut]})
    studio = Studio(disk)
    studio.clock.advance(150 * 40_000 + 1_000_000)
    studio.recover()
    tally = studio.sealer.tallies["subject"]
    assert tally.segments == (3 if whole else 2)
    assert tally.recorded_us == 4_000_000 + [0, 520_000, 1_040_000, 1_560_000][whole]
    assert b"".join(torn(disk).values()) == (files[subject][cut_back(whole) : cut])
    assert studio.sealer.tallies["room"].segments == 3
    go_on(studio)
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    runs = [one.run for one in segments(studio, "subject")]
    assert runs == [0] * (3 if whole else 2) + [1, 1]


def cut_back(whole: int) -> int:
    """Up to where the growing file is kept."""
    files, _, subject = growing()
    found = list(fragments(files[subject], parse_init(files[subject])))
    return found[whole - 1].offset + found[whole - 1].bytes if whole else 0


@pytest.mark.parametrize("filler", [b"\x00", b"\xff", b"free"])
def test_a_tail_of_other_bytes_is_set_aside(filler: bytes) -> None:
    """What a file system may leave after a power cut: the right length, and not the bytes."""
    files, _, subject = growing()
    tail = filler * 5000
    disk = image_of(files | {subject: files[subject] + tail})
    studio = Studio(disk)
    studio.clock.advance(7_000_000)
    studio.recover()
    assert torn(disk) == {"subject-000002.0000": tail}
    go_on(studio)
    assert studio.verify().verdict is Verdict.OK_WITH_DECLARED_GAPS


def test_every_byte_of_the_last_fragment() -> None:
    """No length of the file makes recovery fail or keep half a fragment."""
    files, _, subject = growing()
    data = files[subject]
    start = cut_back(2)
    signer = make_site().recorder
    for cut in range(start, len(data), 97):
        disk = image_of(files | {subject: data[:cut]})
        sealer = recover(Studio(disk).spool, signer, FakeClock())
        assert sealer is not None
        assert sealer.tallies["subject"].recorded_us == 5_040_000
        assert torn(disk).get("subject-000002.0000", b"") == data[start:cut]


# --- Records --------------------------------------------------------------------------------------------------------


def paths(seq: int) -> tuple[Path, Path, Path]:
    folder = FOLDER / "records"
    return folder / f"{seq:08d}.json", folder / f"{seq:08d}.sig", folder / f"{seq:08d}.sig.new"


def last_seq(files: dict[Path, bytes]) -> int:
    return max(int(path.stem) for path in files if path.suffix == ".sig")


def recovered(files: dict[Path, bytes]) -> tuple[Studio, MemoryDisk]:
    disk = image_of(files)
    studio = Studio(disk)
    studio.clock.advance(7_000_000)
    assert studio.recover() is not None
    go_on(studio)
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    return studio, disk


def test_a_record_without_its_signature_is_made_again() -> None:
    files, _, _ = growing()
    record, signature, _ = paths(last_seq(files))
    rest = {path: data for path, data in files.items() if path != signature}
    studio, disk = recovered(rest)
    assert torn(disk)[f"record-{record.name}.0000"] == files[record]
    assert studio.sealer.tallies["subject"].segments == 5


def test_a_record_whose_signature_is_a_whole_draft_is_kept() -> None:
    """An uploader may have seen it under its name, which a power cut took back."""
    files, _, _ = growing()
    record, signature, draft = paths(last_seq(files))
    rest = {draft if path == signature else path: data for path, data in files.items()}
    studio, disk = recovered(rest)
    assert torn(disk) == {}
    assert disk.files()[record] == files[record]
    assert disk.files()[signature] == files[signature]
    assert draft not in disk.files()
    assert studio.sealer.tallies["subject"].segments == 5


@pytest.mark.parametrize("length", [0, 1, 40, -1])
def test_a_record_whose_signature_is_torn_is_made_again(length: int) -> None:
    files, _, _ = growing()
    record, signature, draft = paths(last_seq(files))
    rest = {path: data for path, data in files.items() if path != signature}
    rest[draft] = files[signature][:length]
    _, disk = recovered(rest)
    assert torn(disk)[f"record-{record.name}.0000"] == files[record]
    assert torn(disk)[f"record-{draft.name}.0001"] == files[signature][:length]


@pytest.mark.parametrize("length", [0, 1, 200])
def test_a_record_that_is_torn_is_made_again(length: int) -> None:
    files, _, _ = growing()
    seq = last_seq(files)
    record, signature, _ = paths(seq)
    rest = {path: data for path, data in files.items() if path != signature}
    rest[record] = files[record][:length]
    _, disk = recovered(rest)
    assert torn(disk) == {f"record-{record.name}.0000": files[record][:length]}


def test_a_crash_before_the_first_record_leaves_no_session() -> None:
    disk = MemoryDisk()
    studio = Studio(disk)
    studio.spool.create(["room"])
    disk.alter(paths(0)[0], b"half a rec")
    assert recover(studio.spool, make_site().recorder, FakeClock()) is None
    assert torn(disk) == {"record-00000000.json.0000": b"half a rec"}


def test_a_closed_session_is_left_alone() -> None:
    disk = MemoryDisk()
    play(Studio(disk))
    before = disk.files()
    disk.steps.clear()
    sealer = recover(Studio(disk).spool, make_site().recorder, FakeClock())
    assert sealer is not None
    assert sealer.closed
    assert disk.files() == before
    assert disk.steps == []


# --- What is declared -----------------------------------------------------------------------------------------------


def down(seconds: float, *, reboot: bool = False) -> Studio:
    """A session whose process was killed in its third segment and is recovered so much later."""
    files, _, _ = growing()
    studio = Studio(image_of(files))
    studio.clock.advance(150 * 40_000)
    studio.wait(seconds)
    if reboot:
        studio.clock.reboot()
    assert studio.recover() is not None
    return studio


def test_a_killed_process_costs_what_was_not_on_disk_and_the_restart() -> None:
    studio = down(1.2)
    assert studio.down_us == pytest.approx(1_200_000 + 440_000, abs=1000)
    go_on(studio)
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS
    assert [(gap.track, gap.cause, gap.after_index) for gap in gaps(studio)] == [
        ("room", "recorder_restarted", 2),
        ("subject", "recorder_restarted", 2),
    ]
    for gap in gaps(studio):
        assert gap.missing_us == pytest.approx(1_640_000, abs=1000)
        assert gap.detail == "the recording process ended and was started again"


def test_another_boot_means_that_the_power_was_lost() -> None:
    studio = down(240, reboot=True)
    go_on(studio)
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert {gap.cause for gap in gaps(studio)} == {"power_lost"}
    assert all(gap.missing_us == pytest.approx(240_440_000, abs=1000) for gap in gaps(studio))


def test_the_cause_is_the_same_when_recovery_itself_was_cut_off() -> None:
    """The first recovery sealed what it found, in the new boot and hours after the film."""
    files, _, _ = growing()
    studio = Studio(image_of(files))
    studio.clock.advance(150 * 40_000)
    studio.wait(7200)
    studio.clock.reboot()
    for _ in range(3):
        assert studio.recover() is not None
        assert studio.down_us == pytest.approx(7_200_440_000, abs=1000)
        studio.wait(0)
    go_on(studio)
    assert {gap.cause for gap in gaps(studio)} == {"power_lost"}


def test_a_session_that_went_on_after_a_power_cut_and_then_was_killed() -> None:
    studio = down(240, reboot=True)
    studio.interview.event(Resumed(kind="resumed", cause="power_lost", down_us=studio.down_us, detail=""))
    studio.connect("room", "subject")
    studio.roll(60)
    studio.wait(1)
    assert studio.recover() is not None
    assert studio.down_us < 2_000_000
    go_on(studio)
    assert [gap.cause for gap in gaps(studio)] == ["power_lost"] * 2 + ["recorder_restarted"] * 2


def test_a_session_in_which_no_camera_delivered_was_there_until_its_last_mark() -> None:
    studio = Studio(MemoryDisk())
    studio.begin()
    studio.wait(600)
    studio.interview.event(Mark(kind="mark", text="等候"))
    studio.wait(5)
    assert studio.recover() is not None
    assert studio.down_us == 5_000_000


def test_a_clock_that_was_set_back_while_down_makes_no_negative_time() -> None:
    files, _, _ = growing()
    studio = Studio(image_of(files))
    studio.clock.advance(150 * 40_000)
    studio.clock.reboot()
    studio.clock.set_utc(to_us(START) - 60_000_000)
    assert studio.recover() is not None
    assert studio.down_us == 0
    studio.clock.set_utc(to_us(START) + 10_000_000)
    go_on(studio)
    assert studio.verify().verdict in GOOD


def test_a_session_may_crash_again_and_again() -> None:
    studio = down(1)
    for number in range(4):
        studio.connect("room", "subject")
        studio.interview.event(
            Resumed(kind="resumed", cause="recorder_restarted", down_us=studio.down_us, detail=f"{number}")
        )
        studio.roll(30)
        assert isinstance(studio.disk, MemoryDisk)
        studio.disk = studio.disk.after_power_cut()
        studio.wait(2)
        assert studio.recover() is not None
    go_on(studio)
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert len(gaps(studio)) == 10
    for track in report.facts.tracks:
        assert track.last_time is not None
        assert track.first_time is not None
        assert track.recorded_us + track.missing_us == to_us(track.last_time) - to_us(track.first_time)


def test_a_camera_that_is_not_back_when_the_session_goes_on() -> None:
    studio = down(1)
    studio.connect("room")
    studio.roll(60)
    studio.stop()
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    subject = next(gap for gap in gaps(studio) if gap.track == "subject")
    assert subject.cause == "recorder_restarted"
    assert subject.missing_us == pytest.approx(1_000_000 + 440_000 + 2_400_000, abs=1000)


def test_a_session_that_is_not_taken_up_is_closed_with_its_gaps() -> None:
    studio = down(7200)
    studio.interview.close("recovered", "the recorder was down for 7200 s")
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    assert report.facts.close_reason == "recovered"
    close = records(studio)[-1]
    assert isinstance(close, CloseRecord)
    assert close.detail == "the recorder was down for 7200 s"


def test_a_crash_between_stop_and_close_is_closed_at_recovery() -> None:
    disk = MemoryDisk()
    studio = Studio(disk)
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(70)
    studio.spool.mark_stopping("operator")
    studio.disk = disk.after_power_cut()
    studio.wait(3)
    assert studio.recover() is not None
    assert studio.spool.stopping() == "operator"
    studio.interview.close("recovered", "stop had been asked for")
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")


def test_with_another_key_since_the_crash() -> None:
    """Certificates are renewed; a chain may have records by two of them."""
    files, _, _ = growing()
    studio = Studio(image_of(files))
    studio.clock.advance(8_000_000)
    studio.signer = issue(studio.site.root, "xindai room-1, renewed", RECORDER_USAGE, START, 365)
    assert studio.recover() is not None
    go_on(studio)
    objects = studio.objects()
    renewed = verify_with_both(studio, objects)
    assert renewed.verdict is Verdict.OK_WITH_DECLARED_GAPS, renewed.text("en")


def verify_with_both(studio: Studio, objects: dict[str, bytes]) -> Report:
    site = studio.site
    store = MemoryStore("hall")
    store.objects = objects | {
        layout.certificate_key(site.recorder.id): certificate_pem([site.recorder.certificate, site.root.certificate])
    }
    return verify_session(SESSION, ReaderSource(store), site.anchors)


def test_a_chain_that_does_not_hold_is_not_gone_on_with() -> None:
    files, _, _ = growing()
    changed = bytearray(files[paths(2)[0]])
    changed[100] ^= 1
    disk = image_of(files | {paths(2)[0]: bytes(changed)})
    with pytest.raises(EvidenceError):
        recover(Studio(disk).spool, make_site().recorder, FakeClock())
    assert disk.files()[paths(2)[0]] == bytes(changed)


def test_a_session_of_which_nothing_is_known_has_no_loss() -> None:
    sealer = Sealer(Studio(MemoryDisk()).spool, make_site().recorder, FakeClock())
    with pytest.raises(EvidenceError, match="has no record"):
        loss_of(sealer, FakeClock())


def test_on_a_real_disk(tmp_path: Path) -> None:
    """The same with files: a growing file is cut in the middle of a fragment."""
    studio = Studio(RealDisk(), folder=tmp_path / SESSION)
    studio.connect("room", "subject")
    studio.begin()
    studio.roll(150)
    growing_file = studio.folder / "media" / "subject" / "000002.0000.mp4"
    data = growing_file.read_bytes()
    with growing_file.open("r+b") as file:
        file.truncate(len(data) - 500)
    studio.wait(2)
    assert studio.recover() is not None
    go_on(studio)
    report = studio.verify()
    assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS, report.text("en")
    (aside,) = (studio.folder / "torn").iterdir()
    assert growing_file.read_bytes() + aside.read_bytes() == data[:-500]
