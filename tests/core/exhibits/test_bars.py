from __future__ import annotations

from rnnx.core.exhibits.bars import Bars


def test_bars_are_as_long_as_shares_and_names_are_texts() -> None:
    html = Bars.of([("<b>", 0.75), ("c", 0.25)]).html
    assert html.count("width:75.0%") == html.count("width:25.0%") == 1
    assert "&lt;b&gt;" in html
    assert "<b>" not in html
    assert html.index("75.0%") < html.index("25.0%")
