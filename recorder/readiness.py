"""What has to be right before a session begins, checked when start is pressed and stated in the open record."""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from evidence_store.records import ReadinessCheck, from_us
from evidence_store.signing import Signer, valid_at
from recorder.capture import Camera
from recorder.clock import Clock
from recorder.devices import Limits

SILENT_US = 2_000_000  # a camera that sent nothing for so long hangs, whatever its connection says
Result = Literal["ok", "warning", "failed"]


def check(
    cameras: Iterable[Camera], spool: Path, signer: Signer, clock: Clock, limits: Limits
) -> tuple[ReadinessCheck, ...]:
    """Every check with its result; `failed` blocks the start unless the operator states a reason."""
    return (
        *(_camera(camera, clock) for camera in cameras),
        _disk(spool, limits),
        _certificate(signer, clock),
        _clock(clock),
    )


def _camera(camera: Camera, clock: Clock) -> ReadinessCheck:
    name = f"camera {camera.source.label}"
    stream = camera.stream
    silent_us = clock.monotonic_us() - camera.last_packet_us
    result: Result = "ok"
    detail = camera.detail or camera.state
    if camera.state != "delivering":
        result = "failed"
    elif silent_us > SILENT_US:
        result, detail = "failed", f"nothing has come for {silent_us / 1e6:.1f} s"
    elif camera.source.sound and stream is not None and stream.audio_codec is None:
        result, detail = "warning", "delivering, but no sound"
    return ReadinessCheck(name=name, result=result, detail=f"{name}: {detail}")


def _disk(spool: Path, limits: Limits) -> ReadinessCheck:
    free_gb = shutil.disk_usage(spool).free / 1e9
    detail = f"{free_gb:.1f} GB free for the spool, at least {limits.min_free_gb:g} GB are asked for"
    return ReadinessCheck(name="disk", result="ok" if free_gb >= limits.min_free_gb else "failed", detail=detail)


def _certificate(signer: Signer, clock: Clock) -> ReadinessCheck:
    valid = valid_at(signer.certificate, from_us(clock.utc_us()))
    detail = f"the recorder's certificate is valid until {signer.certificate.not_valid_after_utc:%Y-%m-%d}"
    return ReadinessCheck(name="certificate", result="ok" if valid else "failed", detail=detail)


def _clock(clock: Clock) -> ReadinessCheck:
    if clock.state().synchronized:
        return ReadinessCheck(name="clock", result="ok", detail="the clock is synchronized")
    return ReadinessCheck(name="clock", result="warning", detail="the clock is not synchronized with a time source")
