"""Files of configurations: what is none is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from rnnx.core import config_file
from rnnx.core.errors import InputError
from rnnx.core.resolution import resolve
from tests.core.typed import problems, write

pytestmark = pytest.mark.usefixtures("zoo")


NOT_PLAIN = "Object of type bytes is not JSON serializable"
NO_ALIAS = "aliases such as *a are not read; repeat it"
NO_TAG = "could not determine a constructor for the tag 'tag:yaml.org,2002:python/object/apply:os.mkdir'"
DUPLICATE = 'found duplicate key "seed" with value "2" (original value: "1")'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"seed: 1\ncell: [gru\n", "x.yaml:3: not YAML 1.2: expected ',' or ']', but got '<stream end>'"),
        (b"seed: 1\nseed: 2\n", f"x.yaml:2: not YAML 1.2: {DUPLICATE}"),
        (b"cell.rate: 1\ncell:\n  rate: 2\n", "x.yaml:3: cell.rate is given twice"),
        (b"- cell\n", 'x.yaml:1: expected KEY: VALUE lines, got ["cell"]'),
        (b"seed: 1\nname: \xff\n", "x.yaml:2: not UTF-8: byte 0xff"),
        (b"a: !!binary aGk=\n", f"x.yaml: not YAML 1.2 in plain data: {NOT_PLAIN}"),
        (b"a: 1\n---\nb: 1\n", "x.yaml:2: not YAML 1.2: but found another document"),
        (b"cell: &a {rate: 1}\nnet: *a\n", f"x.yaml:2: not YAML 1.2: {NO_ALIAS}"),
        (b"seed: 1\nout: !!python/object/apply:os.mkdir [sprung]\n", f"x.yaml:2: not YAML 1.2: {NO_TAG}"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_yaml_is_told_with_its_line(text: bytes, problem: str) -> None:
    Path("x.yaml").write_bytes(text)
    with pytest.raises(InputError) as refused:
        resolve(["x.yaml"])
    assert str(refused.value) == problem
    assert not Path("sprung").exists()


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_nesting_without_end_is_refused(opening: str) -> None:
    with pytest.raises(InputError, match=r"^x\.yaml.*: not YAML 1\.2"):
        resolve([write("x.yaml", opening * 5000)])
    assert problems(f"cell.hidden_size={opening * 5000}")


def test_the_settings_of_a_file_are_its_keys_dotted_and_unchecked(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text("cell: {name: gone, size: [1, 2]}\nbaseline: null\nseed: 3\n")
    wanted = {"cell.name": "gone", "cell.size": [1, 2], "baseline": None, "seed": 3}
    assert config_file.settings(path) == wanted
    with pytest.raises(InputError, match="cannot be read: No such file"):
        config_file.settings(tmp_path / "gone.yaml")


@pytest.mark.parametrize("text", ["", "~\n", "null\n", "{}\n", "[]\n", "''\n", "# nothing\n"])
def test_a_file_that_says_nothing_is_empty(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    assert config_file.settings(tmp_path / "config.yaml") == {}
