from __future__ import annotations

from rnnx.core.comparing.labels import short


def test_a_key_has_no_section_where_its_name_is_no_others() -> None:
    assert short(["data.length", "net.layers"]) == {"data.length": "length", "net.layers": "layers"}
    assert short(["net.dropout", "task.dropout", "net.layers"]) == {
        "net.dropout": "net.dropout",
        "task.dropout": "task.dropout",
        "net.layers": "layers",
    }


def test_a_component_is_called_as_it_is_typed() -> None:
    assert short(["optimizer.name", "data"]) == {"optimizer.name": "optimizer", "data": "data"}


def test_no_option_is_taken_for_the_seed_of_a_run() -> None:
    assert short(["data.seed"]) == {"data.seed": "data.seed"}
