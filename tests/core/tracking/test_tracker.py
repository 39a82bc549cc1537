"""A stranger's tracker: what it is given, and that a run stands whatever it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from rnnx.core.experiment import Experiment
from rnnx.core.run import Run

FOLLOWING = '''
    """A logger that writes down what it is given, and fails at the end."""
    import json
    from pathlib import Path
    from rnnx.core.tracking.tracker import Tracker


    class Bursting(Tracker):
        """Fails at the end.

        Args:
            book: The file it writes in.
        """

        def __init__(self, *, book: str = "book") -> None:
            self.book = Path(book)

        def begin(self, folder, config, metric, mode):
            self.book.write_text(json.dumps([str(folder), config["cell"]["name"], metric, mode]))
            return []

        def finish(self, ending):
            with self.book.open("a") as file:
                file.write("\\n" + json.dumps(sorted(ending.values)))
            raise ConnectionError("the cable was pulled")
'''


def test_a_run_is_followed_and_stands_when_that_fails_at_the_end(
    words: tuple[str, ...], tmp_path: Path, stranger: Callable[[str, str, str], None]
) -> None:
    stranger("loggers", "bursting:Bursting", FOLLOWING)
    said: list[str] = []
    result = Experiment.from_words(
        *words, "logger=bursting", f"logger.book={tmp_path / 'book'}", "name=followed"
    ).run(say=said.append)
    begun, ended = map(json.loads, (tmp_path / "book").read_text().splitlines())
    assert begun == [str(result.folder), "elman", "valid/perplexity", "min"]
    assert {"valid", "test"} <= set(ended)
    assert said[-1].endswith("the cable was pulled")
    assert "test" in json.loads((result.folder / "result.json").read_text())
    assert Run.load("followed", out=tmp_path / "runs").test()
