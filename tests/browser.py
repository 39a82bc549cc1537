"""A page in a real browser, the system's Chromium, and what went wrong on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Route, WebSocket, sync_playwright

NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
FLAGS: Final = (
    "--no-sandbox",  # the tests run as root in a container
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
LOCAL_SCHEMES: Final = {"about", "blob", "data", "file"}
LOOPBACK: Final = {"localhost", "127.0.0.1", "::1"}


def chromium() -> Path:
    """Where the system's browser is."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        raise RuntimeError(
            f"expected one of {', '.join(NAMES)} on the PATH, found none; on Debian: apt-get install chromium"
        )
    return Path(found)


@contextmanager
def browser() -> Iterator[Browser]:
    """The browser, with a profile of its own."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        try:
            yield started
        finally:
            started.close()


def watch(context: BrowserContext, problems: list[str]) -> None:
    """Writes down every error on a context's pages, and lets none of them leave this machine."""

    def note(message: ConsoleMessage) -> None:
        if message.type == "error":
            problems.append(f"console: {message.text}")

    def decide(route: Route) -> None:
        if _is_local(route.request.url):
            route.continue_()
        else:
            problems.append(f"network: {route.request.url}")
            route.abort()

    def refuse(socket: WebSocket) -> None:
        if not _is_local(socket.url):
            problems.append(f"network: {socket.url}")

    context.on("console", note)
    context.on("weberror", lambda error: problems.append(f"script: {error.error}"))
    context.on("page", lambda page: page.on("websocket", refuse))
    context.route("**/*", decide)


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in LOCAL_SCHEMES or parts.hostname in LOOPBACK
