"""The conformance checks: what must hold of every cell and of every task, whoever wrote it."""

from rnnx.core.testing.kit import check_cell, check_task, checks, conformance

__all__ = ["check_cell", "check_task", "checks", "conformance"]
