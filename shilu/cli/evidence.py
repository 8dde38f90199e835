"""Commands about evidence that is there: list it, verify it, make its catalog anew."""

from pathlib import Path
from typing import Annotated, Any

import typer

from shilu.cli.options import Json, SiteDir
from shilu.cli.output import answer

_OptionalDir = Annotated[
    Path | None, typer.Option("--dir", help="The site folder. Or give --store and --trust.", show_default=False)
]


def add_to(app: typer.Typer) -> None:
    app.command()(sessions)
    app.command()(verify)
    catalog = typer.Typer(help="The catalog: an index that can be made again from the stores.", no_args_is_help=True)
    catalog.command("rebuild")(rebuild)
    app.add_typer(catalog, name="catalog")


def sessions(
    directory: SiteDir,
    case: Annotated[str | None, typer.Option("--case", help="Only sessions of this case.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 50,
    as_json: Json = False,
) -> None:
    """List the sessions in the catalog."""
    from shilu.evidence import list_sessions, sessions_text

    found = list_sessions(directory, case, limit)
    answer(as_json, {"sessions": found}, sessions_text(found))


def verify(
    session: Annotated[list[str] | None, typer.Argument(metavar="SESSION", help="Sessions to verify.")] = None,
    directory: _OptionalDir = None,
    case: Annotated[str | None, typer.Option("--case", help="All sessions of this case (with --dir).")] = None,
    every: Annotated[bool, typer.Option("--all", help="All sessions in the store.")] = False,
    store: Annotated[
        str | None,
        typer.Option(help="Verify in this store: file:///folder or s3+https://host:port/bucket; needs --trust."),
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="The trust.json that you were given, not one that lies beside the evidence.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Verify sessions. Exit: 0 OK, 3 with declared gaps, 4 incomplete, 5 not OK, 6 cannot judge (the worst counts)."""
    from shilu.evidence import Choice, reports_text, verify_sessions

    result = verify_sessions(Choice(directory, store, trust, tuple(session or ()), case, every))
    values: dict[str, Any] = {"verdict": result.verdict.name, "sessions": [one.to_json() for one in result.reports]}
    answer(as_json, values, reports_text(result))
    raise typer.Exit(result.verdict.exit_code)


def rebuild(directory: SiteDir, as_json: Json = False) -> None:
    """Throw the catalog away and make it again from the stores alone. Exit 1 when something in them is not right."""
    from shilu.evidence import rebuild_catalog

    report = rebuild_catalog(directory)
    problems = "".join(f"\n  {one['store']}: {one['key']}: {one['what']}" for one in report["problems"])
    answer(
        as_json,
        report,
        f"Catalog made from the stores: {report['sessions']} sessions, {report['records']} records, "
        f"{report['segments']} segments, {report['copies']} copies, {report['problem_count']} problems.{problems}\n"
        f"Before: {report['digest_before']}\nAfter:  {report['digest_after']}"
        + (" (equal)" if report["digest_before"] == report["digest_after"] else " (not equal)"),
    )
    if report["problem_count"]:
        raise typer.Exit(1)
