"""The site as `make docs` builds it, in a browser: from its folder, and from a server for the search."""

from __future__ import annotations

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
SITE = Path(__file__).parents[2] / "site"
PAGES = ("index", "es/index", "tutorials/nmt", "cells/gru", "options/net", "python", "results")


def show(page: Page, name: str) -> None:
    page.goto((SITE / f"{name}.html").as_uri())
    page.wait_for_function("document.readyState === 'complete'")


@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_fits_its_window_and_fetches_nothing(page: Page, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    show(page, name)
    assert page.locator("h1").first.is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_equations_are_drawn_and_aligned(page: Page) -> None:
    show(page, "cells/gru")
    rows = page.locator("math").nth(1).locator("mtr")
    boxes = [rows.nth(number).locator("mtd").nth(0).bounding_box() for number in range(rows.count())]
    assert len(boxes) == 7
    ends = {round(box["x"] + box["width"]) for box in boxes if box}
    assert len(ends) == 1
    left = rows.nth(5).locator("mtd").nth(0).locator("msub").bounding_box()
    assert left
    assert abs(left["x"] + left["width"] - ends.pop()) < 6  # n_t stands at the sign, not at the margin


def test_the_search_finds_a_cell(page: Page) -> None:
    handler = partial(SimpleHTTPRequestHandler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        page.goto(f"http://127.0.0.1:{server.server_port}/index.html")
        page.locator("input.md-search__input").fill("highway")
        page.locator(".md-search-result__link[href*='cells/rhn.html']").first.wait_for()
        server.shutdown()


def test_dark_is_a_switch_away(page: Page) -> None:
    show(page, "index")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")
    page.locator("label[title='To dark']").click()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
