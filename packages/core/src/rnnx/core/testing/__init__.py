"""The conformance checks: what must hold of every cell, whoever wrote it."""

from rnnx.core.testing.kit import check_cell, checks, conformance

__all__ = ["check_cell", "checks", "conformance"]
