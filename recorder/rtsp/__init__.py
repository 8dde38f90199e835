"""RTSP 1.0 over TCP (RFC 2326): a camera's bytes in, whole pictures and frames of sound out.

The way of a byte: `source` (the socket, the only file here that waits) -> `connection` -> `splitter` (interleaved
frames, messages) -> `receiver` (RTP numbering) -> `h264`, `h265` on `pictures`, or `sound` -> `units`. The way to
there: `address`, `dialogue` with `auth`, `handshake` with `sdp` and `codecs`. `alignment` puts picture and sound on one
time line with `rtcp`'s reports. `templates` describes sound to the muxer.

All but `source` and `templates` are pure: the same bytes give the same units however they were cut, and no bytes do
more harm than `RtspError`. Media over UDP, RTSP 2.0 and sending have no place here.
"""
