"""The synthetic voice."""

import numpy as np
import pytest

from shilu.cameras.speech import BEEP_LEVEL, BEEP_MS, SPEECH_LEVEL, soundtrack


def test_same_seed_same_words() -> None:
    assert np.array_equal(soundtrack(2, 8000, 7, beep=False), soundtrack(2, 8000, 7, beep=False))


def test_other_seed_other_words() -> None:
    assert not np.array_equal(soundtrack(2, 8000, 7, beep=False), soundtrack(2, 8000, 8, beep=False))


@pytest.mark.parametrize("rate_hz", [8000, 48000])
def test_speech_has_syllables_and_pauses(rate_hz: int) -> None:
    voice = soundtrack(16, rate_hz, 1, beep=False)
    assert np.abs(voice).max() == pytest.approx(SPEECH_LEVEL)
    loudness = np.sqrt((voice.reshape(-1, rate_hz // 50) ** 2).mean(axis=1))  # 20 ms steps
    assert 0.05 < (loudness < 0.01).mean() < 0.6, "some pauses, mostly speech"
    rhythm = np.abs(np.fft.rfft(loudness - loudness.mean()))
    rhythm_hz = np.fft.rfftfreq(loudness.size, 0.02)
    syllabic = rhythm[(rhythm_hz > 2.5) & (rhythm_hz < 6)].sum()
    assert syllabic > 2 * rhythm[(rhythm_hz > 10) & (rhythm_hz < 13.5)].sum()


def test_loop_has_no_seam() -> None:
    voice = soundtrack(2, 48000, 3, beep=False)
    assert abs(voice[0] - voice[-1]) <= np.abs(np.diff(voice)).max()


@pytest.mark.parametrize("rate_hz", [8000, 48000])
def test_beep_begins_on_the_first_sample_of_each_second(rate_hz: int) -> None:
    sound = soundtrack(3, rate_hz, 1, beep=True)
    loud = np.flatnonzero(np.abs(sound) > BEEP_LEVEL / 2)
    for second in range(3):
        of_second = loud[(loud >= second * rate_hz) & (loud < (second + 1) * rate_hz)] - second * rate_hz
        assert of_second[0] == 0
        assert of_second[-1] < rate_hz * BEEP_MS // 1000
