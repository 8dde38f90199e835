"""Cameras to read: the synthetic ones of tests/cameras."""

from tests.cameras.conftest import clip_cache, hosted

__all__ = ["clip_cache", "hosted"]
