"""Real parts for tests: what a machine has (`require`), and servers started on loopback and ended by process id.

No test doubles live here. Every server listens on 127.0.0.1, on a port of its own, and keeps its data in a temporary
folder.
"""
