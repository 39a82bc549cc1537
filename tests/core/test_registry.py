from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rnnx.core.errors import RunError, UsageError
from rnnx.core.registry import Plugin, closest, find, packages, plugins, trouble

Install = Callable[..., Path]  # see conftest.py
CELLS = {"cells": {"elman": "cells_a:Elman", "gru": "cells_a:GRU", "lstm": "cells_a:LSTM"}}


def test_listing_tells_where_from_and_imports_nothing(install: Install) -> None:
    install("cells-a", CELLS, version="2.1", cells_a="raise RuntimeError('imported')")
    assert plugins("cell") == [
        Plugin("cell", "elman", "cells_a:Elman", "cells-a", "2.1"),
        Plugin("cell", "gru", "cells_a:GRU", "cells-a", "2.1"),
        Plugin("cell", "lstm", "cells_a:LSTM", "cells-a", "2.1"),
    ]
    assert "cells_a" not in sys.modules
    assert plugins("task") == []


def test_the_packages_that_have_plugins(install: Install) -> None:
    install("cells-a", {"cells": {"gru": "cells_a.gated:GRU"}, "tasks": {"count": "cells_a:Count"}})
    install("data-b", {"data": {"count.files": "data_b.files:Files"}}, version="0.3")
    assert {name: plugin.origin for name, plugin in packages().items()} == {
        "cells_a": "distribution 'cells-a' 1.0",
        "data_b": "distribution 'data-b' 0.3",
    }


STRANGE = {"../x": "os:mkdir", "a b": "x y", "c": "cells_a", "d": "cells_a:", "e": ":E", "f": "cells_a:F:F"}


def test_what_a_distribution_says_is_never_run_by_listing(install: Install, tmp_path: Path) -> None:
    install("cells-a", {"cells": STRANGE}, cells_a=f"open({str(tmp_path / 'sprung')!r}, 'w')")
    for plugin in plugins("cell"):
        trouble(plugin)
        with pytest.raises(UsageError):
            find("cell", plugin.name + "'")
    assert not (tmp_path / "sprung").exists()
    assert "cells_a" not in sys.modules


def test_other_groups_are_not_listed(install: Install) -> None:
    install("cells-a", {"cells": {"gru": "a:GRU"}, "cellar": {"wine": "a:Wine"}})
    assert [plugin.name for plugin in plugins("cell")] == ["gru"]


def test_one_distribution_seen_twice_counts_once_and_the_first_on_the_path_wins(install: Install) -> None:
    old = install("Cells.A", {"cells": {"gru": "old:GRU"}}, version="1.0")
    install("cells-a", {"cells": {"gru": "new:GRU"}}, version="2.0")
    assert [(plugin.target, plugin.version) for plugin in plugins("cell")] == [("new:GRU", "2.0")]
    assert find("cell", "gru").version == "2.0"
    sys.path.insert(0, str(old))
    assert find("cell", "gru").version == "1.0"


def test_an_egg_info_beside_a_dist_info_is_the_same_distribution(install: Install) -> None:
    folder = install("cells-a", {"cells": {"gru": "a:GRU"}})
    egg = folder / "cells_a.egg-info"
    shutil.copytree(folder / "cells_a-1.0.dist-info", egg)
    (egg / "METADATA").rename(egg / "PKG-INFO")
    assert len(plugins("cell")) == 1


def test_two_distributions_with_one_name_are_both_listed_and_refused_by_both_names(install: Install) -> None:
    install("cells-a", {"cells": {"gru": "a:GRU"}}, version="1.0", a="class GRU: pass")
    install("cells-b", {"cells": {"gru": "b:GRU"}}, version="3", b="class GRU: pass")
    assert [plugin.distribution for plugin in plugins("cell")] == ["cells-a", "cells-b"]
    with pytest.raises(RunError) as refused:
        find("cell", "gru")
    assert str(refused.value) == (
        "cell 'gru' is offered by distribution 'cells-a' 1.0 and distribution 'cells-b' 3; "
        "uninstall all but one of them, or give yours another name in its pyproject.toml, and install it "
        "again"
    )
    assert [trouble(plugin) for plugin in plugins("cell")] == [
        "also offered by distribution 'cells-b' 3",
        "also offered by distribution 'cells-a' 1.0",
    ]


def test_what_is_for_a_task_that_there_is_not_cannot_be_used(install: Install) -> None:
    names = {"count.toy": "a:Toy", "cuont.toy": "a:Toy", "nmt.toy": "a:Toy", "toy": "a:Toy"}
    install(
        "a", {"tasks": {"count": "a:Count"}, "data": names, "baselines": {"nmt.copy": "a:Toy"}}, a="Toy = 1"
    )
    assert {plugin.name: trouble(plugin) for kind in ("data", "baseline") for plugin in plugins(kind)} == {
        "count.toy": None,
        "cuont.toy": "there is no task 'cuont'; did you mean 'count'?",
        "nmt.toy": "there is no task 'nmt'",
        "toy": "expected an entry point named TASK.NAME, got 'toy'",
        "nmt.copy": "there is no task 'nmt'",
    }


def test_an_unknown_name_is_told_with_the_closest_and_all_there_are(install: Install) -> None:
    install("cells-a", CELLS)
    with pytest.raises(UsageError) as unknown:
        find("cell", "gruu")
    assert str(unknown.value) == "cell: no such cell 'gruu'; did you mean 'gru'? (cells: elman, gru, lstm)"
    with pytest.raises(UsageError, match=r"no such cell 'GRU'; did you mean 'gru'\?"):
        find("cell", "GRU")
    with pytest.raises(UsageError) as unlike:
        find("cell", "transformer")
    assert str(unlike.value) == "cell: no such cell 'transformer' (cells: elman, gru, lstm)"
    with pytest.raises(UsageError) as none:
        find("logger", "csv")
    assert str(none.value) == "logger: no such logger 'csv' (loggers: none)"


def test_data_belongs_to_a_task(install: Install) -> None:
    install(
        "d", {"data": {"nmt.toy": "d:Toy", "nmt.files": "d:Files", "lm.toy": "d:LMToy", "lm.web": "d:Web"}}
    )
    toy = find("data", "toy", task="lm")
    assert (toy.name, toy.target, toy.short, toy.task) == ("lm.toy", "d:LMToy", "toy", "lm")
    assert find("data", "nmt.toy").target == "d:Toy"
    with pytest.raises(UsageError) as unknown:
        find("data", "web", task="nmt")
    assert str(unknown.value) == "data: no such data 'web' of task 'nmt' (data: files, toy)"


def test_load_gives_the_object_also_a_nested_one(install: Install) -> None:
    install("a", {"cells": {"gru": "a:Zoo.GRU"}}, a="class Zoo:\n    class GRU:\n        answer = 42\n")
    assert find("cell", "gru").load().answer == 42


@pytest.mark.parametrize(
    ("target", "source", "cause"),
    [
        ("foo:Foo", "import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("foo:Foo", "raise ValueError('boom')", "ValueError: boom"),
        ("foo:Foo", "", "AttributeError: module 'foo' has no attribute 'Foo'"),
        ("gone:Foo", "", "ModuleNotFoundError: No module named 'gone'"),
    ],
)
def test_a_failed_import_names_the_distribution_and_the_cause(
    install: Install, target: str, source: str, cause: str
) -> None:
    install("foo-pkg", {"cells": {"foo": target}}, foo=source)
    with pytest.raises(RunError) as failed:
        find("cell", "foo").load()
    assert str(failed.value) == f"cell 'foo' of distribution 'foo-pkg' 1.0 cannot be imported: {cause}"
    assert type(failed.value.__cause__).__name__ == cause.partition(":")[0]


def test_an_entry_point_that_names_a_module_is_told(install: Install) -> None:
    install("foo-pkg", {"cells": {"foo": "foo"}}, foo="class Foo: pass")
    with pytest.raises(RunError) as failed:
        find("cell", "foo").load()
    assert str(failed.value) == (
        "cell 'foo' of distribution 'foo-pkg' 1.0 cannot be imported: its entry point is 'foo', expected "
        "'module:Class'; mend its pyproject.toml, and install it again"
    )


def test_trouble_is_told_without_an_import(install: Install) -> None:
    install(
        "foo-pkg",
        {"cells": {"foo": "foo:Foo", "fine": "fine:Fine"}},
        foo="import no_such",
        fine="class Fine: pass",
    )
    assert trouble(find("cell", "foo")) == "ModuleNotFoundError: No module named 'no_such'"
    assert trouble(find("cell", "fine")) is None
    assert "foo" not in sys.modules
    assert "fine" not in sys.modules


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("steps", "max_steps"),
        ("batch", "batch_size"),
        ("clip", "gradient_clip_val"),
        ("learning_rate", "lr"),
        ("betaz", "betas"),
        ("unlike", None),
    ],
)
def test_a_name_is_closest_to_what_has_its_word_or_its_initials(name: str, meant: str | None) -> None:
    choices = ["lr", "betas", "max_steps", "val_check_interval", "batch_size", "gradient_clip_val"]
    assert closest(name, choices) == meant
