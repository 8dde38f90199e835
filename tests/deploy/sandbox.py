"""Runs a service of the compose file without Docker, the way the file says.

Its user, its read-only file system with the named folders and tmpfs, no capability and no way to gain one, its
environment, secrets, entrypoint, command and health check are those of the file. Only the programs are this machine's
instead of the image's. It has a network of its own, so its real port is free. It ends, with everything in it, when the
check ends.
"""

import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.parts.require import require

# Ends with the code of the first that fails; the health check may fail as often as the deadline lets it.
_SCRIPT = """
{server} &
server=$!
until {health_check}; do
    kill -0 $server 2>/dev/null || {{ wait $server; exit $?; }}
    sleep 0.1
done
{probe}
"""


def run(
    service: Mapping[str, Any],
    probe: str,
    *,
    folder: Path,
    secrets: Path,
    account: str | None = None,
    entrypoint: Sequence[str] | None = None,
    programs: Mapping[str, Path] | None = None,
    within_s: float = 30,
) -> subprocess.CompletedProcess[str]:
    """Starts the service, waits until its own health check passes, runs the shell text `probe` and returns its result.

    `folder` holds the bound folders and must be empty. `account` is the name that the image has for the user, if it has
    one; `entrypoint` stands for one that only the image has; `programs` are put into PATH by name. A service that ends
    before it is healthy gives its own result.
    """
    server = [*_unescaped(entrypoint or service["entrypoint"]), *_unescaped(service.get("command", []))]
    kind, *health_check = _unescaped(service["healthcheck"]["test"])
    assert kind == "CMD"
    script = _SCRIPT.format(server=shlex.join(server), health_check=shlex.join(health_check), probe=probe)
    return subprocess.run(
        [
            *(require("bwrap"), "--die-with-parent", "--unshare-all"),
            *_user(service, folder, account),
            *_file_system(service, folder, secrets, programs or {}),
            *_environment(service),
            *("/bin/sh", "-c", script),
        ],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=within_s,
    )


def _user(service: Mapping[str, Any], folder: Path, account: str | None) -> list[str | Path]:
    uid, gid = service["user"].split(":")
    passwd = folder / "passwd"
    passwd.write_text(f"{account}:x:{uid}:{gid}::/:/bin/sh\n" if account else "")
    capabilities = [word for name in service["cap_drop"] for word in ("--cap-drop", name)]
    return ["--uid", uid, "--gid", gid, *capabilities, "--ro-bind", "/etc", "/etc", "--ro-bind", passwd, "/etc/passwd"]


def _file_system(
    service: Mapping[str, Any], folder: Path, secrets: Path, programs: Mapping[str, Path]
) -> list[str | Path]:
    words: list[str | Path] = ["--ro-bind", "/usr", "/usr", "--proc", "/proc", "--dev", "/dev"]
    for name in ["bin", "lib", "lib64"]:
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    for mount in service["tmpfs"]:
        words += ["--tmpfs", mount.split(":")[0]]
    for volume in service["volumes"]:
        bound = folder / Path(volume["target"]).name
        bound.mkdir()
        words += ["--bind", bound, volume["target"]]
    for name in service["secrets"]:
        words += ["--ro-bind", secrets / name, f"/run/secrets/{name}"]
    for name, path in programs.items():
        words += ["--ro-bind", path, f"/opt/bin/{name}"]
    return [*words, "--remount-ro", "/"] if service["read_only"] else words


def _environment(service: Mapping[str, Any]) -> list[str]:
    words = ["--clearenv", "--setenv", "PATH", "/opt/bin:/usr/bin:/bin"]
    for name, value in service["environment"].items():
        words += ["--setenv", name, value]
    return words


def _unescaped(words: Sequence[str]) -> list[str]:
    """As Compose does it: a doubled dollar sign is a single one."""
    return [word.replace("$$", "$") for word in words]
