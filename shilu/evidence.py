"""What the evidence commands do: find sessions, verify them, make the catalog anew."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from evidence_store import layout
from evidence_store.catalog import Catalog, RebuildProgress
from evidence_store.errors import EvidenceError
from evidence_store.records import format_time, from_us
from evidence_store.site import SiteFolder, open_site
from evidence_store.stores import ObjectStore, S3Credentials, open_store
from evidence_store.trust import TrustAnchors, parse_trust
from evidence_store.verify import ReaderSource, Report, Verdict, verify_session, worst
from recorder.devices import load_devices
from recorder.uploader import open_configured_store
from shilu.site_init import ACCESS_KEY_ENV, SECRET_KEY_ENV

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Choice:
    """What is to be verified, and against what."""

    directory: Path | None
    store_url: str | None
    trust: Path | None
    sessions: tuple[str, ...]
    case: str | None
    every: bool


@dataclass(frozen=True, slots=True)
class Result:
    """Reports in the order of the sessions, and the worst verdict."""

    verdict: Verdict
    reports: tuple[Report, ...]


def verify_sessions(choice: Choice) -> Result:
    """Verify what was chosen; raises EvidenceError when the choice makes no sense or nothing can be read."""
    chosen = bool(choice.sessions) + (choice.case is not None) + choice.every
    if chosen != 1:
        raise EvidenceError("say what to verify", do="Give session ids, or --case, or --all; one of them.")
    store, anchors = _evidence(choice)
    source = ReaderSource(store)
    sessions = [layout.check_session_id(session) for session in choice.sessions] or list(_found(choice, store))
    if not sessions:
        wanted = f"case {choice.case}" if choice.case else "the store"
        raise EvidenceError("there is no session", where=wanted, do="Check the case number, and that uploads are done.")
    with ExitStack() as stack:
        workers = stack.enter_context(ThreadPoolExecutor(os.cpu_count() or 1))
        progress = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        reports = [
            verify_session(session, source, anchors, mapper=workers.map)
            for session in progress.track(sessions, description="verifying")
        ]
    return Result(worst(report.verdict for report in reports), tuple(reports))


def reports_text(result: Result) -> str:
    """The reports, both languages, one after another."""
    return "\n\n".join(f"{report.text('zh')}\n\n{report.text('en')}" for report in result.reports)


def list_sessions(directory: Path, case: str | None, limit: int) -> list[dict[str, Any]]:
    """Sessions of the catalog, newest first."""
    site = open_site(directory)
    stores = [store.name for store in load_devices(site.devices).devices.stores]
    with _catalog(site) as catalog:
        page = catalog.sessions(case=_case(case), limit=limit)
        rows = []
        for session in page.items:
            copies = catalog.session_keys_confirmed(session.id)
            rows.append(
                {
                    "session": session.id,
                    "case": session.case_number,
                    "room": session.room,
                    "opened": _shown(session.opened_us),
                    "closed": _shown(session.closed_us),
                    "reason": session.close_reason,
                    "stored": {name: name in copies and copies[name].complete for name in stores},
                }
            )
    return rows


def sessions_text(rows: list[dict[str, Any]]) -> str:
    """A line a session."""
    if not rows:
        return "no sessions"
    return "\n".join(
        f"{row['session']}  {row['case'] or '(no case)'}  {row['opened'] or '?'}  "
        f"{'closed: ' + row['reason'] if row['closed'] else 'open'}  "
        + ", ".join(f"{name}: {'stored' if done else 'not stored yet'}" for name, done in row["stored"].items())
        for row in rows
    )


def rebuild_catalog(directory: Path) -> dict[str, Any]:
    """Make the catalog anew and compare it with what it was."""
    site = open_site(directory)
    loaded = load_devices(site.devices)
    stores = {one.name: open_configured_store(one, loaded.folder) for one in loaded.devices.stores}
    with _catalog(site) as catalog, Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("reading the stores", total=None)

        def tell(at: RebuildProgress) -> None:
            progress.update(task, completed=at.objects, description=f"reading {at.store}")

        before = catalog.digest()
        report = catalog.rebuild(stores, site.anchors(), tell)
        after = catalog.digest()
    return {
        "sessions": report.sessions,
        "records": report.records,
        "segments": report.segments,
        "copies": report.copies,
        "problem_count": report.problem_count,
        "problems": [{"store": one.store, "key": one.key, "what": one.what} for one in report.problems],
        "digest_before": before,
        "digest_after": after,
    }


def _evidence(choice: Choice) -> tuple[ObjectStore, TrustAnchors]:
    """The store to read and the anchors to judge by."""
    if choice.directory is not None and choice.store_url is None:
        site = open_site(choice.directory)
        loaded = load_devices(site.devices)
        trust = choice.trust or site.trust
        return open_configured_store(loaded.devices.stores[0], loaded.folder), _anchors(trust)
    if choice.store_url is None or choice.trust is None:
        raise EvidenceError("say where the evidence is", do="Give --dir, or --store together with --trust.")
    keys = os.environ.get(ACCESS_KEY_ENV), os.environ.get(SECRET_KEY_ENV)
    credentials = S3Credentials(keys[0], keys[1]) if keys[0] and keys[1] else None
    store = open_store(choice.store_url, name="store", credentials=credentials, retention_days=1)
    return store, _anchors(choice.trust)


def _anchors(path: Path) -> TrustAnchors:
    try:
        return parse_trust(path.read_bytes(), where=str(path))
    except OSError as error:
        raise EvidenceError(f"cannot be read: {(error.strerror or '').lower()}", where=str(path)) from None


def _found(choice: Choice, store: ObjectStore) -> Iterator[str]:
    """Sessions of a case from the catalog, or all that the store holds."""
    if choice.case is None:
        yield from _stored_sessions(store)
        return
    if choice.directory is None:
        raise EvidenceError("--case needs the catalog", do="Give --dir, or name the sessions, or use --all.")
    with _catalog(open_site(choice.directory)) as catalog:
        cursor: str | None = None
        while True:
            page = catalog.sessions(case=_case(choice.case), limit=_PAGE, cursor=cursor)
            yield from (session.id for session in page.items)
            cursor = page.next_cursor
            if cursor is None:
                return


def _stored_sessions(store: ObjectStore) -> Iterator[str]:
    last = ""
    for listed in store.list("sessions/"):
        session = listed.key.split("/")[1]
        if session != last and layout.is_session_id(session):
            yield session
        last = session


def _catalog(site: SiteFolder) -> Catalog:
    url, password = site.database()
    return Catalog.open(url, password=password)


def _case(case: str | None) -> str | None:
    return layout.check_case_number(case) if case is not None else None


def _shown(time_us: int | None) -> str | None:
    return format_time(from_us(time_us)) if time_us is not None else None
