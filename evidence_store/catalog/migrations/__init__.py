"""Changes of the tables, oldest first, applied when a catalog is opened.

A file in `versions` is never edited once it was released: a change is a further file, written by hand, that names the
one before it. A test compares the outcome with the models.
"""

# A name of its own, so that another program's tables may live in the same database.
VERSION_TABLE = "catalog_version"
HEAD = "0001"  # the newest version
