from __future__ import annotations

import logging
import warnings

import pytest

from rnnx.core.running.quiet import quiet


def test_what_a_user_can_do_nothing_about_is_not_said(caplog: pytest.LogCaptureFixture) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with quiet():
            warnings.warn("The dataloader does not have many workers", stacklevel=1)
            warnings.warn("a file is missing", stacklevel=1)
            logging.getLogger("lightning.pytorch").warning("a tip")
            logging.getLogger("lightning.pytorch").error("an error")
    assert [str(warning.message) for warning in said] == ["a file is missing"]
    assert [record.message for record in caplog.records] == ["an error"]


def test_afterwards_everything_is_said_again() -> None:
    before = logging.getLogger("lightning.pytorch").level
    with quiet():
        pass
    assert logging.getLogger("lightning.pytorch").level == before
    with pytest.warns(UserWarning, match="many workers"):
        warnings.warn("The dataloader does not have many workers", stacklevel=1)
