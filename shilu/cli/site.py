"""`shilu init`: making a site folder."""

from pathlib import Path
from typing import Annotated

import typer

from shilu.cli.options import Json


def add_to(app: typer.Typer) -> None:
    app.command()(init)


def init(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to make; must be empty or not there yet.")],
    store: Annotated[
        str | None,
        typer.Option(
            help="Where evidence is kept: file:///folder or s3+https://host:port/bucket. Default: DIR/store. "
            "The keys of an S3 store come from SHILU_S3_ACCESS_KEY and SHILU_S3_SECRET_KEY, or from the two files."
        ),
    ] = None,
    access_key_file: Annotated[Path | None, typer.Option(help="File with the access key of an S3 store.")] = None,
    secret_key_file: Annotated[Path | None, typer.Option(help="File with the secret key of an S3 store.")] = None,
    database: Annotated[
        str | None,
        typer.Option(
            help="Where the catalog is: sqlite:///file or postgresql+psycopg://user@host:port/name, without password. "
            "Default: DIR/catalog.sqlite."
        ),
    ] = None,
    database_password_file: Annotated[Path | None, typer.Option(help="File with the password of the database.")] = None,
    site: Annotated[str, typer.Option(help="Id of the centre; begins every session id.")] = "xindai",
    as_json: Json = False,
) -> None:
    """Make a site folder: settings, keys and certificates, trust.json, a commented devices.yaml."""
    from shilu.cli.output import answer
    from shilu.site_init import SitePlan, make_site

    plan = SitePlan(
        site=site,
        store_url=store,
        access_key_file=access_key_file,
        secret_key_file=secret_key_file,
        database_url=database,
        database_password_file=database_password_file,
    )
    folder = make_site(directory, plan)
    answer(
        as_json,
        {"dir": str(folder.root), "trust": str(folder.trust), "devices": str(folder.devices)},
        f"Site folder {folder.root} is ready.\n"
        f"1. Write rooms and cameras into {folder.devices}.\n"
        f"2. Give {folder.trust} to your auditors now, by hand: it is what they check against.\n"
        f"3. Keep keys/root.key offline: it is only needed to make new certificates.\n"
        f"4. Start recording: shilu recorder --dir {folder.root}",
    )
