"""The browser that the tests of pages have: what goes wrong on a page is seen."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """A server of the test's folder on this machine."""
    with ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=tmp_path)
    ) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_page_of_this_machine_is_shown(page: Page, tmp_path: Path, address: str) -> None:
    path = tmp_path / "page.html"
    path.write_text("<p>here</p><img src='data:image/gif;base64,R0lGODlhAQABAAAAACw=' alt=''>")
    for url in (path.as_uri(), f"{address}/page.html"):
        page.goto(url)
        assert page.locator("p").inner_text() == "here"


@pytest.mark.parametrize(
    ("script", "problem"),
    [
        ("console.error('bad')", "console: bad"),
        ("throw new Error('worse')", "script: worse"),
        ("fetch('https://example.com/x').catch(() => {})", "network: https://example.com/x"),
        ("new Image().src = '//example.com/x.png'", "network: http://example.com/x.png"),
        ("new WebSocket('wss://example.com/x')", "network: wss://example.com/x"),
    ],
)
def test_what_goes_wrong_is_seen(
    page: Page, problems: list[str], tmp_path: Path, address: str, script: str, problem: str
) -> None:
    (tmp_path / "page.html").write_text(f"<link rel=icon href='data:,'><script>{script}</script>")
    page.goto(f"{address}/page.html")
    page.wait_for_timeout(100)
    assert any(problem in seen for seen in problems), problems
    problems.clear()


def test_no_request_leaves_the_machine(page: Page, problems: list[str]) -> None:
    answer = page.evaluate("fetch('https://example.com/').then(() => 'came', () => 'refused')")
    assert answer == "refused"
    assert "network: https://example.com/" in problems
    problems.clear()
