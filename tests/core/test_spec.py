"""A component that can be built."""

from __future__ import annotations

import pytest

from rnnx.core.errors import UsageError
from rnnx.core.resolution import resolve
from rnnx.core.spec import Spec

pytestmark = pytest.mark.usefixtures("zoo")


def test_a_spec_goes_to_plain_data_and_back() -> None:
    cell = resolve(["cell.hidden_size=3"]).cell
    assert Spec.from_plain("cell", cell.to_plain()) == cell
    assert Spec.from_plain("cell", {"name": "gru", "hidden_size": 3}) == cell
    assert Spec.from_plain("data", resolve([]).data.to_plain()).name == "nmt.toy"
    with pytest.raises(
        UsageError, match=r"^cell.hiden_size: no such option of cell 'gru'; did you mean 'hidden_size'\?$"
    ):
        Spec.from_plain("cell", {"name": "gru", "hiden_size": 3})


def test_build_gives_the_options_to_the_constructor() -> None:
    assert resolve(["cell.hidden_size=3", "cell.sizes=[]"]).cell.build(5).built == (5, 3, "after", ())


def test_a_value_that_the_constructor_refuses_is_the_users_to_change() -> None:
    with pytest.raises(UsageError) as refused:
        resolve(["cell.hidden_size=0"]).cell.build(5)
    assert str(refused.value) == "cell 'gru': hidden_size is 0, not 1 or more"
    assert type(refused.value.__cause__) is ValueError


def test_build_leaves_another_exception_of_the_constructor_as_it_is() -> None:
    with pytest.raises(TypeError, match="positional argument") as raised:
        resolve([]).cell.build(5, 6)
    assert raised.value.__notes__ == ["raised by the constructor of cell 'gru'"]
    assert raised.value.__cause__ is None
