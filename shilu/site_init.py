"""Making a site folder: all of it or nothing."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from string import Template

from evidence_store import layout
from evidence_store.catalog import Catalog
from evidence_store.errors import EvidenceError
from evidence_store.signing import (
    RECORDER_USAGE,
    SERVICE_USAGE,
    Signer,
    certificate_pem,
    issue,
    make_root,
    private_key_pem,
)
from evidence_store.site import RECORDER, ROOT, SERVICE, SiteFolder
from evidence_store.trust import TrustAnchors, trust_bytes
from recorder.devices import json_schema, load_devices
from recorder.uploader import open_configured_store

ROOT_DAYS = 3650
CERTIFICATE_DAYS = 365
ACCESS_KEY_ENV = "SHILU_S3_ACCESS_KEY"
SECRET_KEY_ENV = "SHILU_S3_SECRET_KEY"  # noqa: S105  the variable's name, not its value


@dataclass(frozen=True, slots=True)
class SitePlan:
    """What a site folder is to say."""

    site: str
    store_url: str | None = None
    access_key_file: Path | None = None
    secret_key_file: Path | None = None
    database_url: str | None = None
    database_password_file: Path | None = None


def make_site(directory: Path, plan: SitePlan) -> SiteFolder:
    """Make the folder, its store and its catalog; raises EvidenceError, and then nothing is left behind."""
    layout.check_id(plan.site, name="site")
    directory = directory.absolute()
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise EvidenceError("is not empty", where=str(directory), do="Give a folder that is not there yet.")
    try:
        directory.parent.mkdir(parents=True, exist_ok=True)
        draft = Path(tempfile.mkdtemp(prefix=".shilu-init-", dir=directory.parent))
    except OSError as error:
        raise EvidenceError(f"cannot be made: {(error.strerror or '').lower()}", where=str(directory)) from None
    try:
        _fill(draft, directory, plan)
        draft.chmod(0o750)
        draft.rename(directory)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    site = SiteFolder(directory)
    try:
        _prepare(site)
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return site


def _prepare(site: SiteFolder) -> None:
    """Make and prove the store, make the catalog."""
    loaded = load_devices(site.devices)
    for settings in loaded.devices.stores:
        store = open_configured_store(settings, loaded.folder)
        store.prepare()
        store.prove()
    url, password = site.database()
    Catalog.open(url, password=password).close()


def _fill(draft: Path, final: Path, plan: SitePlan) -> None:
    folder = SiteFolder(draft)
    for name in ("keys", "certs", "spool", "run"):
        (draft / name).mkdir(mode=0o750)
    now = datetime.now(UTC)
    root = make_root(f"{plan.site} root", now, ROOT_DAYS)
    for name, signer in (
        (ROOT, root),
        (RECORDER, issue(root, f"{plan.site} recorder", RECORDER_USAGE, now, CERTIFICATE_DAYS)),
        (SERVICE, issue(root, f"{plan.site} service", SERVICE_USAGE, now, CERTIFICATE_DAYS)),
    ):
        _write_pair(folder, name, signer)
    folder.trust.write_bytes(trust_bytes(TrustAnchors(plan.site, (root.certificate,))))
    folder.settings_file.write_text(_site_yaml(plan), encoding="utf-8")
    folder.devices.write_text(devices_yaml(plan.site, _store_yaml(final, plan)), encoding="utf-8")
    (draft / "devices.schema.json").write_text(json_schema(), encoding="utf-8")


def devices_yaml(site: str, store: str) -> str:
    """The commented devices.yaml; `store` is the YAML of its one store."""
    template = (files("shilu") / "templates" / "devices.yaml").read_text(encoding="utf-8")
    return Template(template).substitute(site=site, store=store)


def _write_pair(folder: SiteFolder, name: str, signer: Signer) -> None:
    descriptor = os.open(folder.key(name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private_key_pem(signer.key))
    folder.certificate(name).write_bytes(certificate_pem([signer.certificate]))


def _store_yaml(final: Path, plan: SitePlan) -> str:
    url = plan.store_url or (final / "store").as_uri()
    lines = ["- name: main", f"    url: {url}"]
    if not url.startswith("file:"):
        if plan.access_key_file and plan.secret_key_file:
            lines += [
                f"    access_key_file: {plan.access_key_file.absolute()}",
                f"    secret_key_file: {plan.secret_key_file.absolute()}",
            ]
        else:
            lines += [f"    access_key_env: {ACCESS_KEY_ENV}", f"    secret_key_env: {SECRET_KEY_ENV}"]
        lines += ["    retention_days: 3650"]
    return "\n".join(lines)


def _site_yaml(plan: SitePlan) -> str:
    lines = [
        "# Settings of the service. Passwords come from a file or an environment variable, never from here.",
        "database:",
        f"  url: {plan.database_url or 'sqlite:///catalog.sqlite'}",
    ]
    if plan.database_password_file is not None:
        lines.append(f"  password_file: {plan.database_password_file.absolute()}")
    return "\n".join(lines) + "\n"
