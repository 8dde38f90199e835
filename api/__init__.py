"""The service: people and roles, cases, sessions, replay, audits, messages to the city. One folder a feature.

Knows `evidence_store`; never imports `recorder`, which it meets on the wire only.
"""
