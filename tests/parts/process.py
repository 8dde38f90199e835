"""Server processes that a test run started: waited for until they are ready, ended by their process ids."""

import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"
_LOOK_AGAIN_S = 0.03
_LOG_TAIL_LINES = 15
_PORTS_TO_TRY = 3


class PartError(Exception):
    """A server ended before it was ready, or was not ready in time; the message ends with the last lines of its log."""


def free_port() -> int:
    """A loopback port that was free a moment ago; somebody else may take it first."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """A running server.

    Where `setpriv` is there, the kernel ends the server when the thread that started it ends, so that a test run killed
    by SIGKILL leaves nothing behind.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        log: Path,
        environment: Mapping[str, str],
        user: tuple[int, int] | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        """`user` is (uid, gid) to run as; only root may give one. The environment is exactly the given one."""
        self.command = [str(part) for part in command]
        self.log = log
        self.stop_signal = stop_signal
        setpriv = shutil.which("setpriv")
        guard = [setpriv, "--pdeathsig", stop_signal.name.removeprefix("SIG"), "--"] if setpriv else []
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*guard, *self.command],
                cwd=log.parent,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=user[0] if user else None,
                group=user[1] if user else None,
                extra_groups=[] if user else None,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, within_s: float) -> Self:
        """Returns when `ready` says so; otherwise the server is ended and PartError raised."""
        deadline_s = time.monotonic() + within_s
        try:
            while not ready():
                if self._ended_within(_LOOK_AGAIN_S):
                    raise PartError(f"{self._name} ended with code {self._process.returncode}{self._log_tail()}")
                if time.monotonic() > deadline_s:
                    raise PartError(f"{self._name} was not ready within {within_s} s{self._log_tail()}")
        except BaseException:
            self.stop(within_s=5)
            raise
        return self

    def stop(self, *, within_s: float = 20) -> None:
        """Asks the server to end; kills it when it has not ended within the time. An ended one is left as it is."""
        if not self.running:
            return
        self._process.send_signal(self.stop_signal)
        if not self._ended_within(within_s):
            self.kill()

    def kill(self) -> None:
        """What a power cut does to the process: it gets no chance to tidy up."""
        self._process.kill()
        self._process.wait()

    @property
    def _name(self) -> str:
        return Path(self.command[0]).name

    def _ended_within(self, seconds: float) -> bool:
        try:
            self._process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join([f"; end of {self.log}:", *lines])


class Server(ABC):
    """A part that listens on one port. Port and data stay the same over stop, kill, start and restart."""

    def __init__(self) -> None:
        self._port: int | None = None
        self._process: ServerProcess | None = None

    @property
    def port(self) -> int:
        if self._port is None:
            raise PartError(f"{type(self).__name__} has no port before its first start")
        return self._port

    @property
    def address(self) -> str:
        return f"{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """None while it is stopped."""
        return self._process.pid if self._process else None

    def start(self) -> Self:
        """Returns when the server answers; does nothing when it runs."""
        if self._process is None:
            self._process = self._start() if self._port else self._start_on_new_port()
        return self

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._process = None

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def restart(self) -> None:
        self.stop()
        self.start()

    @abstractmethod
    def close(self) -> None:
        """Stops the server for good and lets go of what belongs to it."""

    @abstractmethod
    def _start(self) -> ServerProcess:
        """Starts the process on `port` and waits until it answers; raises PartError."""

    def __enter__(self) -> Self:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start_on_new_port(self) -> ServerProcess:
        for left in reversed(range(_PORTS_TO_TRY)):
            self._port = free_port()
            try:
                return self._start()
            except PartError:  # most likely somebody took the port first
                self._port = None
                if not left:
                    raise
        raise AssertionError("the last try returns or raises")
