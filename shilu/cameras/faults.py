"""The switches by which a test makes a camera misbehave the way real ones do."""

from pydantic import BaseModel, ConfigDict, Field


class Faults(BaseModel):
    """What is wrong with a camera just now. Setting an attribute takes effect with the next picture or packet of sound,
    from any thread; a new `Faults` is a camera in good order."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    stalled: bool = False
    """Nothing is sent, while connections stay open and requests are answered."""
    silent: bool = False
    """Packets of sound go on, with silence in them."""
    sound_muted: bool = False
    """No packets of sound at all; pictures go on."""
    sound_delay_s: float = Field(default=0, ge=0)
    """The first packet of sound comes that long after PLAY (RTSP)."""
    timestamp_shift_s: float = 0
    """Added to the timestamps of both tracks: a change makes them jump, forward or back."""
    wild_start_frames: int = Field(default=0, ge=0)
    """So many frames after PLAY carry random RTP timestamps, on each track (RTSP)."""
    loss_percent: float = Field(default=0, ge=0, le=100)
    """Part of the RTP packets that is left out, sequence numbers counting on (RTSP)."""
    ntp_step_s: float = 0
    """How far the camera's wall clock is wrong in RTCP sender reports (RTSP)."""
    garbage_describe: bool = False
    """DESCRIBE is answered "200 OK" with bytes that are no session description (RTSP)."""
