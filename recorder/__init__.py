"""The daemon beside the cameras: from a camera's packets to sealed, uploaded evidence.

In the order in which data passes: `devices` (what is configured), `capture` (reads a camera; helped by `nal`,
`timeline`, `sound`), `fragments` (cuts and writes fMP4; `inits` makes the header), `feed`, `session` (states of one
interview), `spool` (durable files), `sealing` (records, chain), `upload`. Around it `room` (one process a room),
`daemon` (the supervisor), `control` (the socket), `recovery`, `clock`.

Imports `evidence_store` and nothing of `api` or `shilu`. While it records it needs its cameras, its disk and its key.
"""
