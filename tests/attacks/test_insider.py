"""Attacks by somebody who holds the recorder's key: every signature and every link of the chain is right.

What remains is that the statements have to fit together, with each other and with the film.
"""

from copy import deepcopy
from datetime import timedelta

import pytest

from evidence_store.media import parse_init
from evidence_store.records import parse_time, sha256_hex
from evidence_store.verify import Verdict
from tests.attacks.edits import add_gap, drop, moved, remove_track
from tests.attacks.expect import codes_of, expect, find
from tests.evidence_store.builder import SESSION, Recording, build, stated_fragments


@pytest.fixture
def recording() -> Recording:
    return build()


class TestSegments:
    def test_segment_removed_and_the_chain_made_anew(self, recording: Recording) -> None:
        hole = recording.span("room", 2)
        key = drop(recording, "segment", "room", 2)["media"]["key"]
        del recording.media[key]
        recording.count()
        report = recording.seal().verify()
        expect(report, "segment_skipped", key, hole)
        assert codes_of(report) == {"segment_skipped"}

    def test_segment_removed_and_indices_closed_up(self, recording: Recording) -> None:
        """The rest is numbered on: decode times still tell that two seconds are gone."""
        drop(recording, "segment", "room", 2)
        del recording.media[f"sessions/{SESSION}/media/room/000002.mp4"]
        for index in (3, 4):
            draft = recording.draft("segment", "room", index)
            old, new = draft["media"]["key"], f"sessions/{SESSION}/media/room/{index - 1:06d}.mp4"
            draft["index"], draft["media"]["key"] = index - 1, new
            recording.media[new] = recording.media.pop(old)
        recording.count()
        evidence = recording.seal()
        report = evidence.verify()
        start = recording.span("room", 2)[0]
        found = expect(report, "decode_times_break", evidence.media_key("room", 2), (start, start))
        assert "2.000 s" in found.en
        assert codes_of(report) == {"decode_times_break"}

    def test_segments_reordered_by_index(self, recording: Recording) -> None:
        first, second = recording.seq("segment", "room", 1), recording.seq("segment", "room", 2)
        drafts = recording.drafts
        for name in ("time", "monotonic_us"):
            drafts[first][name], drafts[second][name] = drafts[second][name], drafts[first][name]
        drafts[first], drafts[second] = drafts[second], drafts[first]
        report = recording.seal().verify()
        assert {"segment_skipped", "segment_repeated"} <= codes_of(report)
        assert report.verdict is Verdict.NOT_OK

    def test_segment_told_twice(self, recording: Recording) -> None:
        again = deepcopy(recording.draft("segment", "room", 1))
        after = recording.draft("segment", "room", 2)
        again.update(time=after["time"], monotonic_us=after["monotonic_us"])
        recording.drafts.insert(recording.seq("segment", "room", 2) + 1, again)
        report = recording.seal().verify()
        assert find(report, "segment_repeated").from_time == recording.span("room", 1)[0]
        assert report.verdict is Verdict.NOT_OK

    def test_segment_of_an_earlier_hour_put_in(self, recording: Recording) -> None:
        """The object and its own times are from elsewhere in the film; the record is made to fit."""
        source, target = recording.draft("segment", "room", 0), recording.draft("segment", "room", 3)
        target["media"].update({name: value for name, value in source["media"].items() if name != "key"})
        target["fragments"] = deepcopy(source["fragments"])
        recording.media[target["media"]["key"]] = recording.media[source["media"]["key"]]
        recording.count()
        report = recording.seal().verify()
        assert {"decode_times_break", "clock_backwards"} == codes_of(report)

    def test_new_run_claimed_to_hide_a_cut(self, recording: Recording) -> None:
        recording.draft("segment", "room", 3)["run"] = 1
        recording.draft("segment", "room", 4)["run"] = 1
        evidence = recording.seal()
        report = evidence.verify()
        moment = recording.span("room", 3)[0]
        expect(report, "gap_undeclared", evidence.media_key("room", 3), (moment, moment))
        assert codes_of(report) == {"gap_undeclared"}

    @pytest.mark.parametrize("run", [2, 5])
    def test_run_skipped(self, recording: Recording, run: int) -> None:
        for index in (2, 3):
            recording.draft("segment", "subject", index)["run"] = run
        evidence = recording.seal()
        report = evidence.verify()
        expect(report, "run_out_of_order", evidence.media_key("subject", 2), recording.span("subject", 2))

    def test_run_goes_back(self, recording: Recording) -> None:
        recording.draft("segment", "subject", 3)["run"] = 0
        assert "run_out_of_order" in codes_of(recording.seal().verify())

    def test_segment_of_a_track_that_was_never_opened(self, recording: Recording) -> None:
        recording.drafts[0]["tracks"] = [one for one in recording.drafts[0]["tracks"] if one["track"] != "room"]
        report = recording.seal().verify()
        assert codes_of(report) == {"track_unknown"}

    def test_track_removed_and_the_chain_made_anew(self, recording: Recording) -> None:
        remove_track(recording, "room")
        assert codes_of(recording.seal().verify()) == {"film_ends_early"}

    def test_track_named_twice(self, recording: Recording) -> None:
        recording.drafts[0]["tracks"].append(recording.drafts[0]["tracks"][0])
        evidence = recording.seal()
        expect(evidence.verify(), "track_twice", evidence.record_key("open"))


class TestFilm:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("time", "2026-11-23T01:30:03.520001Z"),
            ("media_start_us", 1_520_001),
            ("duration_us", 479_999),
            ("keyframe", True),
            ("samples", {"video": 11, "audio": 0}),
            ("samples", {"video": 12, "audio": 1}),
        ],
    )
    def test_record_that_states_other_values_than_the_media(
        self, recording: Recording, field: str, value: object
    ) -> None:
        recording.draft("segment", "room", 1)["fragments"][1][field] = value
        recording.count()
        evidence = recording.seal()
        report = evidence.verify()
        found = find(report, "media_disagrees")
        assert found.object == evidence.media_key("room", 1)
        assert field in found.en
        assert found.from_time == recording.span("room", 1, 1, 1)[0]
        assert report.verdict is Verdict.NOT_OK

    def test_record_that_states_another_codec(self, recording: Recording) -> None:
        recording.draft("segment", "room", 1)["media"]["mime"] = 'video/mp4; codecs="hvc1.1.6.L93.B0"'
        evidence = recording.seal()
        found = expect(evidence.verify(), "media_disagrees", evidence.media_key("room", 1), recording.span("room", 1))
        assert "mime" in found.en

    def test_fragment_left_out_of_the_record(self, recording: Recording) -> None:
        recording.draft("segment", "room", 1)["fragments"].pop(2)
        evidence = recording.seal()
        report = evidence.verify()
        expect(report, "fragments_do_not_tile", evidence.media_key("room", 1), recording.span("room", 1))
        assert {"fragments_do_not_tile", "decode_times_break"} <= codes_of(report)

    def test_fragment_left_out_of_object_and_record(self, recording: Recording) -> None:
        """The film is cut inside a segment, and all sizes and hashes are made to fit."""
        draft = recording.draft("segment", "room", 1)
        data, gone = recording.media[draft["media"]["key"]], draft["fragments"][2]
        data = data[: gone["offset"]] + data[gone["offset"] + gone["bytes"] :]
        recording.replace_media("room", 1, data)
        draft["fragments"] = stated_fragments(data, parse_init(data))
        recording.count()
        evidence = recording.seal()
        report = evidence.verify()
        start = recording.span("room", 1, 2, 2)[0]
        expect(report, "decode_times_break", evidence.media_key("room", 1), (start, start))

    def test_fragments_that_overlap(self, recording: Recording) -> None:
        draft = recording.draft("segment", "room", 1)
        draft["fragments"][2]["offset"] -= 1
        evidence = recording.seal()
        expect(evidence.verify(), "fragments_do_not_tile", evidence.media_key("room", 1))

    def test_object_hash_that_fits_no_fragment(self, recording: Recording) -> None:
        recording.draft("segment", "room", 1)["media"]["sha256"] = "00" * 32
        evidence = recording.seal()
        report = evidence.verify()
        expect(report, "object_changed", evidence.media_key("room", 1), recording.span("room", 1))

    def test_fragment_hash_that_fits_no_fragment(self, recording: Recording) -> None:
        recording.draft("segment", "room", 1)["fragments"][2]["sha256"] = "00" * 32
        evidence = recording.seal()
        span = recording.span("room", 1, 2, 2)
        expect(evidence.verify(), "fragment_changed", evidence.media_key("room", 1), span)

    def test_sealed_segment_that_is_no_film(self, recording: Recording) -> None:
        """The fragments' bytes are zero, and the record was signed for exactly that."""
        draft = recording.draft("segment", "room", 2)
        init_bytes = draft["media"]["init_bytes"]
        data = recording.media[draft["media"]["key"]]
        recording.replace_media("room", 2, data[:init_bytes] + bytes(len(data) - init_bytes))
        for fragment in draft["fragments"]:
            fragment["sha256"] = sha256_hex(bytes(fragment["bytes"]))
        recording.count()
        evidence = recording.seal()
        report = evidence.verify()
        expect(report, "media_malformed", evidence.media_key("room", 2), recording.span("room", 2))

    def test_boxes_inside_a_sealed_segment_changed(self, recording: Recording) -> None:
        """The decode time in the second fragment is moved; sizes and hashes are made to fit."""
        draft = recording.draft("segment", "room", 2)
        data = bytearray(recording.media[draft["media"]["key"]])
        second = draft["fragments"][1]
        at = data.index(b"tfdt", second["offset"]) + 8
        data[at + 7] ^= 1
        recording.replace_media("room", 2, bytes(data))
        second["sha256"] = sha256_hex(bytes(data[second["offset"] : second["offset"] + second["bytes"]]))
        recording.count()
        evidence = recording.seal()
        report = evidence.verify()
        expect(report, "media_disagrees", evidence.media_key("room", 2), recording.span("room", 2, 1, 1))
        assert codes_of(report) == {"media_disagrees"}

    def test_init_changed_within_a_run(self, recording: Recording) -> None:
        draft = recording.draft("segment", "room", 2)
        data = bytearray(recording.media[draft["media"]["key"]])
        data[data.index(b"mvhd") + 11] ^= 1  # a creation time: still the same film
        recording.replace_media("room", 2, bytes(data))
        draft["media"]["init_sha256"] = sha256_hex(bytes(data[: draft["media"]["init_bytes"]]))
        evidence = recording.seal()
        report = evidence.verify()
        assert codes_of(report) == {"init_differs_in_run"}
        spans = {(found.from_time, found.to_time) for found in report.findings if found.code == "init_differs_in_run"}
        assert spans == {recording.span("room", 2), recording.span("room", 3)}

    def test_sound_left_out(self, recording: Recording) -> None:
        """The open record says that the track has sound; its segments never had any."""
        recording.drafts[0]["tracks"][1].update(sound=True, audio="aac")
        evidence = recording.seal()
        report = evidence.verify()
        assert {found.object for found in report.findings if found.code == "sound_missing"} == {
            evidence.media_key("room", index) for index in range(5)
        }
        assert report.verdict is Verdict.INCOMPLETE

    def test_segment_that_starts_without_a_key_frame(self, recording: Recording) -> None:
        """A segment is cut in two where there is no key frame."""
        draft = recording.draft("segment", "room", 4)
        data, start = recording.media[draft["media"]["key"]], draft["fragments"][1]["offset"]
        data = data[: draft["media"]["init_bytes"]] + data[start:]
        recording.replace_media("room", 4, data)
        draft["fragments"] = stated_fragments(data, parse_init(data))
        recording.count()
        report = recording.seal().verify()
        assert codes_of(report) == {"segment_without_key_frame", "decode_times_break"}


class TestClock:
    def test_clock_set_back_within_a_boot(self, recording: Recording) -> None:
        seq = recording.seq("segment", "room", 3)
        before = recording.drafts[seq - 1]["time"]
        back = moved(before, timedelta(seconds=-3))
        recording.drafts[seq]["time"] = back
        evidence = recording.seal()
        report = evidence.verify()
        span = parse_time(back), parse_time(before)
        expect(report, "clock_backwards", evidence.record_key("segment", "room", 3), span)
        assert codes_of(report) == {"clock_backwards"}

    def test_clock_set_back_as_far_as_its_state_allows(self, recording: Recording) -> None:
        seq = recording.seq("segment", "room", 3)
        recording.drafts[seq]["time"] = moved(recording.drafts[seq - 1]["time"], timedelta(microseconds=-2040))
        assert recording.seal().verify().verdict is Verdict.OK_WITH_DECLARED_GAPS
        recording.drafts[seq]["time"] = moved(recording.drafts[seq - 1]["time"], timedelta(microseconds=-2041))
        assert codes_of(recording.seal().verify()) == {"clock_backwards"}

    def test_clock_that_is_not_synchronised_and_was_set_back_is_only_reported(self, recording: Recording) -> None:
        seq = recording.seq("segment", "room", 3)
        recording.drafts[seq]["time"] = moved(recording.drafts[seq - 1]["time"], timedelta(seconds=-3))
        recording.drafts[seq]["clock"] = {"source": "none", "offset_us": 0, "uncertainty_us": 0, "synchronized": False}
        report = recording.seal().verify()
        assert codes_of(report) == {"clock_set_back"}
        assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS

    def test_clock_set_back_across_boots_is_no_contradiction(self, recording: Recording) -> None:
        seq = recording.seq("close")
        recording.drafts[seq].update(boot="another", monotonic_us=5)
        assert codes_of(recording.seal().verify()) == set()

    def test_monotonic_clock_set_back(self, recording: Recording) -> None:
        seq = recording.seq("close")
        recording.drafts[seq]["monotonic_us"] = 5
        evidence = recording.seal()
        expect(evidence.verify(), "monotonic_backwards", evidence.record_key("close"))

    def test_time_of_the_film_set_back(self, recording: Recording) -> None:
        draft = recording.draft("segment", "room", 2)
        before = draft["fragments"][1]["time"]
        draft["fragments"][2]["time"] = moved(before, timedelta(seconds=-3))
        evidence = recording.seal()
        report = evidence.verify()
        span = parse_time(before) - timedelta(seconds=3), parse_time(before)
        expect(report, "clock_backwards", evidence.media_key("room", 2), span)
        assert codes_of(report) == {"clock_backwards", "media_disagrees"}

    def test_time_of_the_film_as_far_back_as_a_burst_of_packets_explains(self, recording: Recording) -> None:
        draft = recording.draft("segment", "room", 2)
        before = draft["fragments"][1]["time"]
        for back_us, codes in ((1_001_020, set()), (1_001_021, {"clock_backwards"})):
            draft["fragments"][2]["time"] = moved(before, timedelta(microseconds=-back_us))
            assert codes_of(recording.seal().verify()) == codes | {"media_disagrees"}

    def test_clock_set_back_while_the_camera_was_lost_at_the_end(self, recording: Recording) -> None:
        """An honest recorder without a time source: the gap ends where it starts, after the time of the close."""
        for kind, track, index in (("segment", "room", 4), ("segment", "room", 3)):
            del recording.media[drop(recording, kind, track, index)["media"]["key"]]
        for draft in recording.drafts:
            if "clock" in draft:
                draft["clock"] = {"source": "none", "offset_us": 0, "uncertainty_us": 0, "synchronized": False}
        for track, index in (("room", 2), ("subject", 3)):
            end = recording.span(track, index)[1]
            add_gap(recording, track, index, end, end)
        for draft in recording.drafts[-3:]:
            draft["time"] = moved(draft["time"], timedelta(minutes=-1))
        report = recording.seal().verify()
        assert codes_of(report) == {"clock_set_back"}
        assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS


class TestOpenAndClose:
    def test_close_removed(self, recording: Recording) -> None:
        drop(recording, "close")
        report = recording.seal().verify()
        expect(report, "close_missing", f"sessions/{SESSION}/", (recording.span("room", 4)[1], None))
        assert codes_of(report) == {"close_missing"}

    def test_close_in_the_middle(self, recording: Recording) -> None:
        recording.drafts.insert(5, deepcopy(recording.draft("close")))
        assert "record_after_close" in codes_of(recording.seal().verify())

    def test_second_open(self, recording: Recording) -> None:
        recording.drafts.insert(3, deepcopy(recording.draft("open")) | {"case": "另一案件"})
        evidence = recording.seal()
        report = evidence.verify()
        assert find(report, "record_out_of_order").seq == 3
        assert report.facts.case == recording.drafts[0]["case"]

    def test_no_open(self, recording: Recording) -> None:
        drop(recording, "open")
        evidence = recording.seal()
        report = evidence.verify()
        assert find(report, "record_out_of_order").seq == 0
        assert report.verdict is Verdict.NOT_OK

    @pytest.mark.parametrize(("site", "room"), [("xindai", "room-2"), ("dushan", "room-1")])
    def test_session_id_of_another_room(self, recording: Recording, site: str, room: str) -> None:
        recording.drafts[0].update(site=site, room=room)
        evidence = recording.seal()
        found = find(evidence.verify(), "session_name_differs")
        assert found.object == evidence.record_key("open")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("segments", 4),
            ("first_time", "2026-11-23T01:30:00.000001Z"),
            ("last_time", "2026-11-23T01:30:09.999999Z"),
            ("recorded_us", 9_999_999),
            ("gaps", 1),
            ("missing_us", 1),
            ("last_segment_sha256", "00" * 32),
            ("last_segment_sha256", None),
        ],
    )
    def test_totals_that_differ(self, recording: Recording, field: str, value: object) -> None:
        room = next(totals for totals in recording.draft("close")["tracks"] if totals["track"] == "room")
        room[field] = value
        evidence = recording.seal()
        report = evidence.verify()
        found = expect(report, "totals_differ", evidence.record_key("close"))
        assert found.track == "room"
        assert f": {field}." in found.en
        assert codes_of(report) == {"totals_differ"}

    @pytest.mark.parametrize("change", ["fewer", "more", "twice", "records"])
    def test_totals_of_other_tracks_or_records(self, recording: Recording, change: str) -> None:
        close = recording.draft("close")
        if change == "fewer":
            close["tracks"].pop()
        elif change == "more":
            close["tracks"].append(close["tracks"][0] | {"track": "ceiling"})
        elif change == "twice":
            close["tracks"].append(close["tracks"][0])
        else:
            close["records"] += 1
        assert codes_of(recording.seal().verify()) == {"totals_differ"}

    def test_close_after_a_failure_is_reported_and_no_fault(self, recording: Recording) -> None:
        recording.draft("close")["reason"] = "recovered"
        report = recording.seal().verify()
        assert codes_of(report) == {"close_recovered"}
        assert report.verdict is Verdict.OK_WITH_DECLARED_GAPS


class TestHugeValues:
    @pytest.mark.parametrize("field", ["duration_us", "media_start_us", "offset", "bytes"])
    def test_lengths_beyond_any_calendar(self, recording: Recording, field: str) -> None:
        recording.draft("segment", "room", 2)["fragments"][3][field] = (1 << 63) - 1
        assert recording.seal().verify().verdict is Verdict.NOT_OK

    @pytest.mark.parametrize("time", ["0001-01-01T00:00:00.000000Z", "9999-12-31T23:59:59.999999Z"])
    @pytest.mark.parametrize("kind", ["open", "segment", "gap", "close"])
    def test_times_at_the_ends_of_the_calendar(self, recording: Recording, kind: str, time: str) -> None:
        draft = recording.draft(kind, "room", 1)
        draft["time"] = time
        if kind == "segment":
            draft["fragments"][1]["time"] = time
        if kind == "gap":
            draft["event"].update({"from": time, "to": time})
        report = recording.seal().verify()
        assert report.verdict is Verdict.NOT_OK
        assert report.text("zh")

    @pytest.mark.parametrize("field", ["bytes", "init_bytes"])
    def test_sizes_beyond_any_disk(self, recording: Recording, field: str) -> None:
        recording.draft("segment", "room", 2)["media"][field] = (1 << 63) - 1
        assert "fragments_do_not_tile" in codes_of(recording.seal().verify())
