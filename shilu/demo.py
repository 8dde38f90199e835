"""`shilu demo`: a centre with three rooms and six synthetic cameras on this machine.

Nothing in here is special to the demo but the cameras: it makes a site with `make_site`, runs the recorder that every
site runs, speaks to it over its socket, and verifies from the store with the site's trust.json.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import yaml
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from evidence_store.errors import EvidenceError
from evidence_store.records import Officer
from evidence_store.site import SiteFolder, open_site
from evidence_store.verify import Report, Verdict
from recorder.control import ControlError, MarkRequest, StartRequest, StatusRequest, StopRequest, ask, socket_path
from shilu.cameras.config import demo_cameras
from shilu.evidence import Choice, Result, verify_sessions
from shilu.site_init import SitePlan, make_site
from shilu.status import waiting_records

CAMERAS_TIMEOUT_S = 60.0
READY_TIMEOUT_S = 60.0
STORED_TIMEOUT_S = 60.0
END_TIMEOUT_S = 20.0
_TURN_S = 0.1
_OFFICERS = (
    Officer(id="330482001", name="张三", certificate_no="浙330482001"),
    Officer(id="330482002", name="李四", certificate_no="浙330482002"),
)
_CASES = {
    "room-1": "平综执立字〔2026〕第0012号",
    "room-2": "平综执立字〔2026〕第0013号",
    "room-3": "平市监立字〔2026〕第0007号",
}
_NAMES = {"room-1": "第一询问室", "room-2": "第二询问室", "room-3": "第三询问室"}


def run_demo(directory: Path, *, once: bool, seconds: float) -> int:
    """Run it; the exit code. Everything that was started is ended before this returns."""
    for number in (signal.SIGTERM, signal.SIGHUP):  # a closed terminal ends the demo as Ctrl-C does
        signal.signal(number, _end)
    console = Console(stderr=once)
    logs = directory / "run"
    site = _site(directory)
    with (
        _process(
            [sys.executable, "-m", "shilu.cameras", "--demo", "--until-stdin-closes"], logs / "cameras.log"
        ) as cameras,
        _progress(console) as progress,
    ):
        task = progress.add_task("six cameras", total=4)
        _write_devices(site, _camera_urls(cameras, logs / "cameras.log"))
        progress.update(task, completed=1, description="recorder")
        command = [sys.executable, "-m", "recorder.daemon", "--site", str(site.root)]
        with _process(command, logs / "recorder.log") as daemon:
            _wait_for(
                lambda: _ready(site, daemon), READY_TIMEOUT_S, f"the rooms did not get ready; see {logs}/recorder.log"
            )
            progress.update(task, completed=2, description=f"recording {seconds:g} s in three rooms")
            sessions = _record(site, seconds, progress)
            progress.update(task, completed=3, description="storing and verifying")
            _wait_for(
                lambda: waiting_records(site, list(_CASES), "main") == 0,
                STORED_TIMEOUT_S,
                "the store did not confirm all",
            )
            result = verify_sessions(Choice(directory, None, None, tuple(sessions), None, every=False))
            progress.update(task, completed=4, description="done")
            progress.stop()
            _show(console, result)
            if not once:
                _stay(console, directory)
    return 0 if result.verdict is Verdict.OK else max(result.verdict.exit_code, 1)


def _end(number: int, _: FrameType | None) -> None:
    """Leave in an orderly way: what was started is ended on the way out."""
    raise SystemExit(128 + number)


def _site(directory: Path) -> SiteFolder:
    if (directory / "devices.yaml").exists():
        return open_site(directory)
    return make_site(directory, SitePlan(site="xindai"))


def _write_devices(site: SiteFolder, urls: Mapping[str, str]) -> None:
    """The demo's devices.yaml: its cameras have other ports each time."""
    rooms = [
        {
            "id": room,
            "name": _NAMES[room],
            "cameras": [
                {"id": f"{room}-{role}", "role": role, "url": urls[f"{room}/{role}"], "sound": role == "subject"}
                for role in ("subject", "room")
            ],
        }
        for room in _CASES
    ]
    devices = {
        "site": "xindai",
        "name": "新埭镇一体化智能办案中心(演示)",
        "rooms": rooms,
        "stores": [{"name": "main", "url": (site.root / "store").as_uri()}],
        "limits": {"min_free_gb": 0.2},
    }
    site.devices.write_text(yaml.safe_dump(devices, allow_unicode=True, sort_keys=False), encoding="utf-8")


def _camera_urls(cameras: "subprocess.Popen[str]", log: Path) -> dict[str, str]:
    if cameras.stdout is None:
        raise EvidenceError("the cameras have no output")
    line = cameras.stdout.readline()
    if not line:
        raise EvidenceError("the synthetic cameras did not start", where=str(log), do="Read why in this file.")
    urls: dict[str, str] = json.loads(line)["rtsp"]
    missing = {camera.path for camera in demo_cameras()} - urls.keys()
    if missing:
        raise EvidenceError(f"the synthetic cameras lack {', '.join(sorted(missing))}", where=str(log))
    return urls


def _ready(site: SiteFolder, daemon: "subprocess.Popen[str]") -> bool:
    if daemon.poll() is not None:
        raise EvidenceError("the recorder ended", where=str(site.run / "recorder.log"), do="Read why in this file.")
    try:
        rooms = [ask(socket_path(site.run, room), StatusRequest()) for room in _CASES]
    except ControlError:
        return False
    return all(camera["state"] == "delivering" for room in rooms for camera in room["cameras"])


def _record(site: SiteFolder, seconds: float, progress: Progress) -> list[str]:
    """An interview in each room, all at once, with a mark in the middle; the ids of the sessions."""
    sessions = []
    for room, case in _CASES.items():
        request = StartRequest(case=case, officers=_OFFICERS, operator="demo", rights_read=True)
        sessions.append(str(ask(socket_path(site.run, room), request)["session"]))
    task = progress.add_task("interviews", total=seconds)
    started_s = time.monotonic()
    marked = False
    while (elapsed_s := time.monotonic() - started_s) < seconds:
        progress.update(task, completed=elapsed_s)
        if not marked and elapsed_s > seconds / 2:
            marked = True
            for room in _CASES:
                ask(socket_path(site.run, room), MarkRequest(text="核对身份"))
        time.sleep(_TURN_S)
    progress.update(task, completed=seconds)
    for room in _CASES:
        ask(socket_path(site.run, room), StopRequest())
    return sessions


def _show(console: Console, result: Result) -> None:
    for report in result.reports:
        console.print(f"{report.verdict.name} {report.verdict.zh}  {report.session}", highlight=False, soft_wrap=True)
        console.print(f"    {report.facts.case}  {_recorded(report)}", markup=False, highlight=False, soft_wrap=True)
    for report in result.reports:
        if report.verdict is not Verdict.OK:
            console.print(report.text("zh"), markup=False)
            console.print(report.text("en"), markup=False)


def _recorded(report: Report) -> str:
    return ", ".join(f"{track.track} {track.recorded_us / 1e6:.1f} s" for track in report.facts.tracks)


def _stay(console: Console, directory: Path) -> None:
    console.print(
        f"""
The centre stays up; Ctrl-C ends it. In another terminal:
系统保持运行，按 Ctrl-C 结束。可在另一终端操作：

  .venv/bin/shilu status  --dir {directory}
  .venv/bin/shilu start   --dir {directory} --room room-1 --case 平综执立字〔2026〕第0014号 \\
                          --officer 张三:浙330482001 --officer 李四:浙330482002
  .venv/bin/shilu mark    --dir {directory} --room room-1 --text 出示证据
  .venv/bin/shilu stop    --dir {directory} --room room-1
  .venv/bin/shilu verify  --dir {directory} --all
""",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    with suppress(KeyboardInterrupt):
        signal.pause()
    console.print("ending 正在结束")


@contextmanager
def _process(command: list[str], log: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process of the demo; its messages go to `log`. Ended in an orderly way, whatever happens."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("ab") as messages,
        # A session of its own: Ctrl-C reaches only the demo, which then ends the others in order.
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE if "shilu.cameras" in command else messages,
            stderr=messages,
            text=True,
            start_new_session=True,
            env=os.environ,
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(condition: Callable[[], bool], timeout_s: float, otherwise: str) -> None:
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            raise EvidenceError(otherwise)
        time.sleep(_TURN_S)


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=not console.is_terminal,
    )
