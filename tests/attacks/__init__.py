"""Attacks on evidence, each a test named after it, and what the verifier answers: verdict, code, object, time.

Attackers come in three kinds. One who holds the store can change, remove, add and move objects. One who also has a key
and a certificate of their own can sign. One who holds the recorder's key can sign anything; what can still be said then
is that the statements do not fit together.
"""
