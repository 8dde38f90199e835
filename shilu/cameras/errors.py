"""The one family of errors of the synthetic cameras."""


class CameraError(Exception):
    """Something about a synthetic camera cannot be done; the message says what, for which camera, and what to do."""


class SpecError(CameraError):
    """A description of a camera or a clip asks for what cannot be made."""


class ProtocolError(CameraError):
    """A client sent bytes that are neither an RTSP request nor an interleaved frame."""
