"""Options that several commands share, so that each means the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

SiteDir = Annotated[Path, typer.Option("--dir", help="The site folder that `shilu init` made.", show_default=False)]
Room = Annotated[str, typer.Option("--room", help="Id of the room, as in devices.yaml.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Answer as one JSON object, for programs.")]
Case = Annotated[str | None, typer.Option("--case", help="Case number, such as 平综执立字〔2026〕第0012号.")]
NoCaseReason = Annotated[str | None, typer.Option("--no-case-reason", help="Why there is no case (instead of --case).")]
Officers = Annotated[
    list[str] | None,
    typer.Option("--officer", help="An officer as NAME:CERTIFICATE-NUMBER; give two. Repeat the option."),
]
OfficersReason = Annotated[str | None, typer.Option("--officers-reason", help="Why fewer than two officers are named.")]
Operator = Annotated[
    str, typer.Option("--operator", help="Who operates the recorder (default: the user signed in here).")
]
RightsRead = Annotated[bool, typer.Option("--rights-read", help="The person has been told the rights and duties.")]
OverrideReason = Annotated[
    str | None, typer.Option("--although", help="Why to start although a readiness check failed; goes into the record.")
]
