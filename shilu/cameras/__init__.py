"""Synthetic network cameras, served over real sockets, for the demo, the tests and the measurements.

The way of a picture: `spec` (what is wanted) -> `picture`, `speech` -> `encoding` -> `clip` and `loop` (encoded once,
played for ever) or `live` (encoded as it is sent) -> `camera` (faults, watchers) -> `rtp`, `rtsp` or `mpegts`.
`host` runs cameras in a thread for ordinary code, `serve` as a process; `config` describes sets of them, `control`
carries faults to a process, `clip_file` writes clips for other programs to serve.

Nothing here knows the recorder, and nothing of the product depends on it: it stands where a camera would.
"""
