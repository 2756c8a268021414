"""Where the `forge` command begins."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    # Imported here so that `import forge_cli.__main__` alone costs nothing.
    from .cli.app import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
