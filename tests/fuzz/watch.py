"""What a call does to the machine: it may read its own folder, and touches nothing."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from rnnx.core.errors import InputError, RunError, UsageError

LONGEST = 10.0  # seconds
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
FORBIDDEN = {  # events of the interpreter (PEP 578)
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "subprocess.Popen", "pty.spawn"),
    *("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod"),
    *("os.chown", "os.utime", "os.setxattr", "shutil.rmtree", "shutil.move", "shutil.copyfile"),
    *("socket.connect", "socket.bind", "socket.getaddrinfo", "ctypes.dlopen", "code.__new__"),
}  # fmt: skip
DRIVER = ("libnvidia-ml.so.1",)  # a torch that is built for CUDA asks it each time how many GPUs there are


class Hang(BaseException):
    """The call took too long."""


class Touched(BaseException):
    """The call did what no reader may do."""


class _Watch:
    """The events of the interpreter while something is watched."""

    def __init__(self) -> None:
        self.roots: tuple[str, ...] | None = None
        self.seen: list[str] = []
        self.started = False

    def start(self) -> None:
        if not self.started:  # a hook stays until the interpreter ends
            self.started = True
            sys.addaudithook(self._event)

    def _event(self, event: str, arguments: tuple[object, ...]) -> None:
        if self.roots is None:
            return
        if event in FORBIDDEN and not (event == "ctypes.dlopen" and arguments == DRIVER):
            self.seen.append(f"{event}{arguments!r:.200}")
        elif event == "open":
            path, mode, flags = arguments
            if isinstance(path, (str, bytes)):
                self._opened(os.path.abspath(os.fsdecode(path)), mode, flags)  # noqa: PTH100

    def _opened(self, path: str, mode: object, flags: object) -> None:
        writing = (
            bool(set("wax+") & set(mode))
            if isinstance(mode, str)
            else isinstance(flags, int) and bool(flags & WRITING)
        )
        if writing or not path.startswith(self.roots or ()):
            self.seen.append(f"open {path!r} {'to write' if writing else 'to read'}")


_WATCH = _Watch()
_CODE = tuple({sys.prefix, sys.base_prefix, *map(os.path.abspath, sys.path)})  # where imports read


def outcome(act: Callable[[Path], object], folder: Path, anywhere: bool) -> str:
    """How a call on a folder ends: ``success`` or the name of an error that is told in a sentence.

    Args:
        act: The call.
        folder: A folder; nothing in it or beside it may change.
        anywhere: Whether the call may read files that lie elsewhere.

    Raises:
        Hang: it took more than ten seconds.
        Touched: it wrote, removed or ran something, or read a file elsewhere.
        Exception: any other error of the call itself.
    """
    _WATCH.start()
    before = _snapshot(folder.parent)
    _WATCH.seen, _WATCH.roots = [], ("/",) if anywhere else (f"{folder}", "/dev/null", "/proc", *_CODE)
    previous = signal.signal(signal.SIGALRM, _hang)
    signal.setitimer(signal.ITIMER_REAL, LONGEST)
    try:
        act(folder)
        ended = "success"
    except (UsageError, InputError, RunError) as error:
        ended = type(error).__name__
        if not str(error).strip():
            raise
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
        _WATCH.roots = None
    if _WATCH.seen:
        raise Touched("; ".join(_WATCH.seen[:3]))
    if _snapshot(folder.parent) != before:
        raise Touched("the folder is another one than before")
    return ended


def _hang(signal: int, frame: FrameType | None) -> None:
    raise Hang(f"more than {LONGEST:.0f} s")


def _snapshot(folder: Path) -> dict[str, bytes | None]:
    return {
        str(path): path.read_bytes() if path.is_file() and not path.is_symlink() else None
        for path in folder.rglob("*")
    }
