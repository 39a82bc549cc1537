"""``python -m rnnx.cli`` is ``rnnx``."""

from __future__ import annotations

from rnnx.cli.app import main

if __name__ == "__main__":
    main()
