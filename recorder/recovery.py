"""After a crash or a power cut: every whole fragment is kept, the torn tail set aside, the segment sealed.

Runs before anything is recorded, on every session of the room that has no close record. What it writes goes through the
same `Sealer` as ordinary recording, so a second crash during recovery leaves what a first one did.
"""

from evidence_store.errors import EvidenceError
from evidence_store.media import MediaError, parse_init, whole_fragments
from evidence_store.records import to_us
from evidence_store.signing import Signer
from recorder.clock import Clock
from recorder.groups import Loss
from recorder.sealing import Sealer, new_segment
from recorder.spool import SessionSpool, SpooledMedia


def recover(spool: SessionSpool, signer: Signer, clock: Clock) -> Sealer | None:
    """The session's chain, with every segment that recording left open sealed; None if it never began."""
    sealer = Sealer(spool, signer, clock)
    sealer.load()
    spool.set_aside_records(sealer.records)
    if sealer.opened is None:
        return None
    for media in spool.media():
        if not sealer.closed and media.index >= sealer.tallies[media.track].segments:
            _seal_rest(spool, sealer, media)
    return sealer


def loss_of(sealer: Sealer, clock: Clock) -> tuple[Loss, int]:
    """Why the recorder was down and for how long in microseconds, whether or not recovery was cut off before."""
    if sealer.active_until is None:
        raise EvidenceError("has no record", where=sealer.session)
    # Up to when it ran: its last picture or, if later, the last thing that was said of the session.
    times = [sealer.active_until, *(tally.last_time for tally in sealer.tallies.values() if tally.last_time)]
    down_us = max(0, clock.utc_us() - to_us(max(times)))
    if sealer.active_boot == clock.boot_id():
        return Loss("recorder_restarted", "the recording process ended and was started again"), down_us
    return Loss("power_lost", "the machine was started again"), down_us


def _seal_rest(spool: SessionSpool, sealer: Sealer, media: SpooledMedia) -> None:
    data = spool.read(media.path)
    label = f"{media.track}-{media.index:06d}"
    try:
        init = parse_init(data)
    except MediaError:
        spool.set_aside(media.path, None, label)
        return
    found, end = whole_fragments(data, init)
    if not found:
        spool.set_aside(media.path, None, label)
        return
    if end < len(data):
        spool.set_aside(media.path, end, label)
    segment = new_segment(media.track, media.run, media.index, data[: init.bytes], init)
    for boxes in found:
        segment.add(memoryview(data)[boxes.offset : boxes.offset + boxes.bytes], boxes)
    sealer.seal(segment)
