"""The daemon beside the cameras: from a camera's packets to sealed, uploaded evidence.

In the order in which data passes: `devices` (what is configured), `capture` (one camera, for ever), `read_rtsp` (with
`rtsp`) and `read_ts` (ways of reading it, paced by `lag`), `intake` (makes samples; helped by `nal`, `timeline`,
`sound`, `inits`), `groups` (cuts fragments), `feed` (pre-roll or queue), `session` (states of one interview),
`fragments` (writes fMP4), `spool` (durable files), `sealing` (records, chain), `upload`, `index`, `prune`. Around it
`room` (one process a room), `daemon` (the supervisor), `uploader`, `control` (the socket), `readiness`, `recovery`,
`clock`, `lock`.

Imports `evidence_store` and nothing of `api` or `shilu`. While it records it needs its cameras, its disk and its key.
"""
