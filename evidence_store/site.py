"""The site folder: where a centre's settings, keys and certificates lie. Read here by all who need them.

site.yaml       settings of the service (database)
devices.yaml    site, rooms, cameras, limits, stores (read by the recorder)
trust.json      what an auditor needs, to be given out by another road than the evidence
keys/           private keys, mode 0600
certs/          their certificates
spool/  run/    the recorder's files and sockets
"""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from evidence_store.errors import EvidenceError
from evidence_store.signing import Signer, load_signer, parse_certificates
from evidence_store.trust import TrustAnchors, parse_trust

RECORDER = "recorder"
SERVICE = "service"
ROOT = "root"


class DatabaseSettings(BaseModel):
    """Where the catalog is. The password never stands in the address."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    url: str
    password_file: Path | None = None
    password_env: str | None = None


class SiteSettings(BaseModel):
    """site.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    database: DatabaseSettings = Field(default_factory=lambda: DatabaseSettings(url="sqlite:///catalog.sqlite"))


@dataclass(frozen=True, slots=True)
class SiteFolder:
    """Paths in a site folder, and the readers of what is in it."""

    root: Path

    @property
    def devices(self) -> Path:
        return self.root / "devices.yaml"

    @property
    def settings_file(self) -> Path:
        return self.root / "site.yaml"

    @property
    def trust(self) -> Path:
        return self.root / "trust.json"

    @property
    def spool(self) -> Path:
        return self.root / "spool"

    @property
    def run(self) -> Path:
        return self.root / "run"

    def key(self, name: str) -> Path:
        return self.root / "keys" / f"{name}.key"

    def certificate(self, name: str) -> Path:
        return self.root / "certs" / f"{name}.pem"

    def signer(self, name: str) -> Signer:
        """Key and certificate of the recorder or the service; refuses a key that others can read."""
        path = self.key(name)
        _refuse_open_key(path)
        return load_signer(_read(path), _read(self.certificate(name)), where=str(path))

    def chain(self, name: str) -> list[x509.Certificate]:
        """The certificate and its issuer: what goes into the store beside the records."""
        paths = [self.certificate(name), self.certificate(ROOT)]
        return [certificate for path in paths for certificate in parse_certificates(_read(path), where=str(path))]

    def anchors(self) -> TrustAnchors:
        return parse_trust(_read(self.trust), where=str(self.trust))

    def settings(self) -> SiteSettings:
        """site.yaml; raises EvidenceError with the field that is wrong."""
        where = str(self.settings_file)
        try:
            values = yaml.safe_load(_read(self.settings_file)) or {}
            return SiteSettings.model_validate(values)
        except yaml.YAMLError:
            raise EvidenceError("not YAML", where=where, do="Check indentation and quotes.") from None
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            field = ".".join(str(part) for part in first["loc"])
            raise EvidenceError(f"{field}: {first['msg']}", where=where, do="Correct it.") from None

    def database(self) -> tuple[str, str | None]:
        """Address and password of the catalog's database; a relative SQLite path counts from the folder."""
        settings = self.settings().database
        url = settings.url
        prefix = "sqlite:///"
        if url.startswith(prefix) and not url.startswith(prefix + "/"):
            url = f"{prefix}{self.root.resolve() / url.removeprefix(prefix)}"
        if settings.password_file is not None:
            return url, _read(self.root / settings.password_file).decode().strip("\r\n")
        if settings.password_env is not None:
            if settings.password_env not in os.environ:
                raise EvidenceError(
                    f"the environment variable {settings.password_env} is not set", where=str(self.settings_file)
                )
            return url, os.environ[settings.password_env]
        return url, None


def open_site(root: Path) -> SiteFolder:
    """The site folder at `root`; raises EvidenceError when it is none."""
    if not (root / "devices.yaml").is_file() or not (root / "keys").is_dir():
        raise EvidenceError("is not a site folder", where=str(root), do=f"Make one with `shilu init {root}`.")
    return SiteFolder(root.resolve())


def _refuse_open_key(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as error:
        raise EvidenceError(f"cannot be read: {(error.strerror or '').lower()}", where=str(path)) from None
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise EvidenceError("others can read this private key", where=str(path), do=f"Run `chmod 600 {path}`.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise EvidenceError(f"cannot be read: {(error.strerror or '').lower()}", where=str(path)) from None
