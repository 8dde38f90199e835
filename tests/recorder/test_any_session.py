"""Whatever happens in an interview, in whatever order: the chain verifies, and film and gaps fill the time."""

from hypothesis import example, given, settings
from hypothesis import strategies as st

from evidence_store.records import Mark, Resumed, to_us
from evidence_store.verify import Verdict
from tests.recorder.memory_disk import MemoryDisk
from tests.recorder.studio import GONE, TRACKS, Studio

Action = tuple[str, int]

actions = st.one_of(
    st.tuples(st.just("roll"), st.integers(1, 120)),
    st.tuples(st.sampled_from(["lose room", "lose subject", "connect room", "connect subject"]), st.just(0)),
    st.tuples(st.just("wait"), st.integers(0, 5)),
    st.tuples(st.sampled_from(["mark", "kill", "power cut", "reboot", "suspend"]), st.just(0)),
)


class Interview:
    """A session in which things happen."""

    def __init__(self) -> None:
        self.studio = Studio(MemoryDisk())
        self.studio.connect(*TRACKS)
        self.studio.begin()

    def do(self, name: str, number: int) -> None:
        studio = self.studio
        match name.split():
            case ["roll"]:
                studio.roll(number)
            case ["lose", track] if track in studio.takes:
                studio.lose(track)
            case ["connect", track] if track not in studio.takes:
                studio.connect(track, lost=GONE, first=50)
            case ["wait"]:
                studio.wait(number)
            case ["mark"]:
                studio.interview.event(Mark(kind="mark", text="出示证据"))
            case ["kill"] | ["power", "cut"] | ["reboot"] | ["suspend"]:
                self._end_process(name)
            case _:
                pass

    def _end_process(self, name: str) -> None:
        studio, disk = self.studio, self.studio.disk
        assert isinstance(disk, MemoryDisk)
        if name == "suspend":
            studio.interview.suspend()
        studio.wait(0.3)
        if name == "reboot":
            studio.clock.reboot()
        assert studio.recover(disk.after_kill() if name in {"kill", "suspend"} else disk.after_power_cut()) is not None
        studio.interview.event(Resumed(kind="resumed", cause="recorder_restarted", down_us=studio.down_us, detail=name))


@settings(max_examples=60)
@given(st.lists(actions, max_size=14))
@example([("roll", 60), ("kill", 0), ("kill", 0), ("roll", 10), ("power cut", 0)])
@example([("lose room", 0), ("kill", 0), ("connect room", 0), ("roll", 120), ("lose room", 0)])
@example([("roll", 14), ("reboot", 0), ("reboot", 0), ("wait", 5), ("roll", 1)])
def test_it_verifies_and_nothing_is_unaccounted_for(happened: list[Action]) -> None:
    interview = Interview()
    for name, number in happened:
        interview.do(name, number)
    studio = interview.studio
    studio.stop()
    report = studio.verify()
    assert report.verdict in {Verdict.OK, Verdict.OK_WITH_DECLARED_GAPS}, report.text("en")
    assert report.facts.opened is not None
    assert report.facts.closed is not None
    for track in report.facts.tracks:
        span_us = to_us(report.facts.closed) - to_us(report.facts.opened)
        # A track that was seen to the end may lack what a camera sends in a moment, and no more.
        assert 0 <= span_us - (track.recorded_us + track.missing_us) <= 1_100_000 * (track.gaps + 1), track
