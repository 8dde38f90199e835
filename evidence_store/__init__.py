"""The evidence: records, signing, chain, verification, object stores, catalog.

Knows nothing of cameras, HTTP or users. What decides (`records`, `strict_json`, `signing`, `chain`, `media`, `layout`,
`trust`, `verify`) is pure: bytes in, values out, no clock, no disk, no network. What does I/O (`durable`, `stores`,
`catalog`) stands at the edge and calls it.
"""
