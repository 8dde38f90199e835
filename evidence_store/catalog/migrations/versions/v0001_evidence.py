"""The tables of the evidence, and those of what stores confirmed to hold."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "cases",
        sa.Column("number", _text(100), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_cases"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "certificates",
        sa.Column("sha256", _text(64), nullable=False),
        sa.Column("subject", _text(), nullable=False),
        sa.Column("not_before_us", sa.BigInteger(), nullable=False),
        sa.Column("not_after_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name="pk_certificates"),
        sqlite_with_rowid=False,
    )
    _sessions()
    _tracks()
    op.create_table(
        "records",
        sa.Column("session", _text(104), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("type", _text(20), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _text(64), nullable=False),
        sa.Column("prev", _text(64), nullable=False),
        sa.Column("signer", _text(64), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_records_session_sessions"),
        sa.ForeignKeyConstraint(["signer"], ["certificates.sha256"], name="fk_records_signer_certificates"),
        sa.PrimaryKeyConstraint("session", "seq", name="pk_records"),
        sqlite_with_rowid=False,
    )
    _segments()
    _events()
    op.create_table(
        "copies",
        sa.Column("key", _text(300), nullable=False),
        sa.Column("store", _text(40), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _text(64), nullable=False),
        sa.PrimaryKeyConstraint("key", "store", name="pk_copies"),
        sqlite_with_rowid=False,
    )


def _sessions() -> None:
    op.create_table(
        "sessions",
        sa.Column("id", _text(104), nullable=False),
        sa.Column("began_us", sa.BigInteger(), nullable=False),
        sa.Column("site", _text(40)),
        sa.Column("room", _text(40)),
        sa.Column("case_number", _text(100)),
        sa.Column("no_case_reason", _text()),
        sa.Column("operator", _text()),
        sa.Column("opened_us", sa.BigInteger()),
        sa.Column("pre_roll_us", sa.BigInteger()),
        sa.Column("follows", _text(104)),
        sa.Column("closed_us", sa.BigInteger()),
        sa.Column("close_reason", _text(20)),
        sa.Column("close_seq", sa.BigInteger()),
        sa.ForeignKeyConstraint(["case_number"], ["cases.number"], name="fk_sessions_case_number_cases"),
        sa.PrimaryKeyConstraint("id", name="pk_sessions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_sessions_case_number_began_us_id", "sessions", ["case_number", "began_us", "id"])
    op.create_index("ix_sessions_room_began_us_id", "sessions", ["room", "began_us", "id"])
    op.create_index("ix_sessions_began_us_id", "sessions", ["began_us", "id"])


def _tracks() -> None:
    op.create_table(
        "tracks",
        sa.Column("session", _text(104), nullable=False),
        sa.Column("track", _text(40), nullable=False),
        sa.Column("position", sa.BigInteger()),
        sa.Column("camera", _text(40)),
        sa.Column("role", _text()),
        sa.Column("sound", sa.Boolean()),
        sa.Column("video", _text()),
        sa.Column("audio", _text()),
        sa.Column("segments", sa.BigInteger()),
        sa.Column("first_time_us", sa.BigInteger()),
        sa.Column("last_time_us", sa.BigInteger()),
        sa.Column("recorded_us", sa.BigInteger()),
        sa.Column("gaps", sa.BigInteger()),
        sa.Column("missing_us", sa.BigInteger()),
        sa.Column("last_segment_sha256", _text(64)),
        sa.ForeignKeyConstraint(["session"], ["sessions.id"], name="fk_tracks_session_sessions"),
        sa.PrimaryKeyConstraint("session", "track", name="pk_tracks"),
        sqlite_with_rowid=False,
    )


def _segments() -> None:
    op.create_table(
        "segments",
        sa.Column("session", _text(104), nullable=False),
        sa.Column("track", _text(40), nullable=False),
        sa.Column("index", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("run", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("key", _text(300), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("init_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", _text(64), nullable=False),
        sa.Column("mime", _text(), nullable=False),
        sa.Column("first_time_us", sa.BigInteger(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=False),
        sa.Column("media_start_us", sa.BigInteger(), nullable=False),
        sa.Column("fragments", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session", "track"], ["tracks.session", "tracks.track"], name="fk_segments_session_track_tracks"
        ),
        sa.ForeignKeyConstraint(
            ["session", "seq"], ["records.session", "records.seq"], name="fk_segments_session_seq_records"
        ),
        sa.PrimaryKeyConstraint("session", "track", "index", name="pk_segments"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_segments_session_seq", "segments", ["session", "seq"], unique=True)


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("session", _text(104), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", _text(20), nullable=False),
        sa.Column("time_us", sa.BigInteger(), nullable=False),
        sa.Column("track", _text(40)),
        sa.Column("from_us", sa.BigInteger()),
        sa.Column("to_us", sa.BigInteger()),
        sa.Column("missing_us", sa.BigInteger()),
        sa.Column("cause", _text(20)),
        sa.Column("detail", _text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session", "seq"], ["records.session", "records.seq"], name="fk_events_session_seq_records"
        ),
        sa.PrimaryKeyConstraint("session", "seq", name="pk_events"),
        sqlite_with_rowid=False,
    )


def _text(characters: int | None = None) -> TypeEngine[str]:
    """Text that is compared by its bytes, as SQLite compares all text."""
    kind = sa.Text if characters is None else sa.String
    return kind(characters).with_variant(kind(characters, collation="C"), "postgresql")
