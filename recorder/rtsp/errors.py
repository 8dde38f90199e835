"""Why a camera cannot be read."""

from evidence_store.errors import EvidenceError


class RtspError(EvidenceError):
    """One line for a technician: what the camera did and what to set. It holds no address, user name or password, and
    nothing that the camera wrote but numbers and the names of codecs."""


NOT_RTSP = "the camera answers with something that is not a stream"
REFUSED = "the camera refused user name or password"
ENDED = "the camera ended the stream"
NO_ANSWER = "the camera does not answer"
