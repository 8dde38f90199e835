"""What has to be right before a session begins, checked when start is pressed and stated in the open record."""

import shutil
from collections.abc import Iterable
from pathlib import Path

from evidence_store.records import ReadinessCheck, from_us
from evidence_store.signing import Signer, valid_at
from recorder.capture import Camera
from recorder.clock import Clock
from recorder.devices import Limits


def check(
    cameras: Iterable[Camera], spool: Path, signer: Signer, clock: Clock, limits: Limits
) -> tuple[ReadinessCheck, ...]:
    """Every check with its result; `failed` blocks the start unless the operator states a reason."""
    return (
        *(_camera(camera) for camera in cameras),
        _disk(spool, limits),
        _certificate(signer, clock),
        _clock(clock),
    )


def _camera(camera: Camera) -> ReadinessCheck:
    name = f"camera {camera.source.label}"
    delivers = camera.state == "delivering"
    return ReadinessCheck(
        name=name, result="ok" if delivers else "failed", detail=f"{name}: {camera.detail or camera.state}"
    )


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
