"""A voice made of numbers: sound that meters, level watchers and encoders take for speech, with nobody in it.

Glottal pulses go through three formants for each syllable; syllables come about four a second, in phrases with pauses
between. The whole is a loop without a seam: what sticks out over the end comes in again at the start.
"""

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Samples: TypeAlias = NDArray[np.float32]
"""One channel; 1.0 is full scale."""

BEEP_HZ = 1000
BEEP_MS = 40
BEEP_LEVEL = 0.8
"""Peak of the beep; speech that goes with it stays below a quarter of that, so that a threshold tells them apart."""

SPEECH_LEVEL = 0.5
SPEECH_LEVEL_UNDER_BEEP = 0.2

_VOWELS_HZ = (
    (730, 1090, 2440),
    (530, 1840, 2480),
    (270, 2290, 3010),
    (570, 840, 2410),
    (300, 870, 2240),
    (490, 1350, 1690),
)
"""First three formants of vowels, male voices (Peterson and Barney, JASA 24, 1952)."""
_BANDWIDTHS_HZ = (80, 110, 160)


def soundtrack(seconds: int, rate_hz: int, seed: int, beep: bool) -> Samples:
    """`seconds` of speech as a loop; with `beep`, quieter and with a beep that begins at each whole second."""
    voice = _speech(seconds, rate_hz, np.random.default_rng(seed))
    if not beep:
        return voice * np.float32(SPEECH_LEVEL)
    return voice * np.float32(SPEECH_LEVEL_UNDER_BEEP) + _beeps(seconds, rate_hz)


def _beeps(seconds: int, rate_hz: int) -> Samples:
    """A sine of `BEEP_HZ` that starts on the first sample of every second; the start is abrupt, to be found exactly."""
    second = np.zeros(rate_hz, dtype=np.float32)
    length = rate_hz * BEEP_MS // 1000
    second[:length] = BEEP_LEVEL * np.cos(2 * np.pi * BEEP_HZ * np.arange(length) / rate_hz)
    return np.tile(second, seconds)


def _speech(seconds: int, rate_hz: int, rng: np.random.Generator) -> Samples:
    """Phrases of syllables with pauses, peak 1.0."""
    total = seconds * rate_hz
    loop = np.zeros(total, dtype=np.float32)
    pitch_hz = rng.uniform(95, 180)
    at = 0
    while at < total:
        syllables = int(rng.integers(4, 10))
        for number in range(syllables):
            falling = 1.12 - 0.24 * number / syllables  # a statement's pitch goes down
            sound = _syllable(float(rng.uniform(0.16, 0.30)), pitch_hz * falling, rate_hz, rng)
            np.add.at(loop, np.arange(at, at + sound.size) % total, sound)
            at += int(sound.size * rng.uniform(0.9, 1.1))
        at += int(rate_hz * rng.uniform(0.3, 0.8))
    return loop / np.float32(np.abs(loop).max())


def _syllable(seconds: float, pitch_hz: float, rate_hz: int, rng: np.random.Generator) -> Samples:
    """A consonant's burst of noise, then a vowel that swells and fades."""
    size = int(seconds * rate_hz)
    time_s = np.arange(size) / rate_hz
    vibrato = 1 + 0.03 * np.sin(2 * np.pi * 5 * time_s) + rng.uniform(-0.05, 0.05)
    cycles = np.cumsum(pitch_hz * vibrato / rate_hz)
    pulses = np.diff(np.floor(cycles), prepend=0.0)
    breath = rng.normal(0, 0.02, size)
    frequency_hz = np.fft.rfftfreq(size, 1 / rate_hz)
    vowel = np.fft.irfft(np.fft.rfft(pulses + breath) * _vocal_tract(frequency_hz, rng), size)
    vowel *= np.minimum(1, time_s / 0.04) * np.minimum(1, (seconds - time_s) / 0.08)
    hiss = np.fft.irfft(np.fft.rfft(rng.normal(0, 1, size)) * (frequency_hz > 2500), size)
    hiss *= np.exp(-(((time_s - 0.025) / 0.015) ** 2))
    loudness = rng.uniform(0.6, 1.0)
    sound: Samples = (loudness * (vowel / np.abs(vowel).max() + 0.15 * hiss)).astype(np.float32)
    return sound


def _vocal_tract(frequency_hz: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.complexfloating]:
    """The transfer of throat and mouth: the glottis' fall of 12 dB an octave, lifted by one resonance a formant."""
    transfer: NDArray[np.complexfloating] = 1 / (1 + (frequency_hz / 150) ** 2) + 0j
    formants_hz = _VOWELS_HZ[int(rng.integers(len(_VOWELS_HZ)))]
    for formant_hz, bandwidth_hz in zip(formants_hz, _BANDWIDTHS_HZ, strict=True):
        ratio = frequency_hz / (formant_hz * rng.uniform(0.95, 1.05))
        transfer = transfer * (1 + 2 / (1 - ratio**2 + 1j * ratio * bandwidth_hz / formant_hz))
    transfer[0] = 0
    return transfer
