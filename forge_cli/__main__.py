"""Where the `forge` command begins."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        # Imported here so that `import forge_cli.__main__` alone costs nothing, and Ctrl-C may come already.
        from .cli.app import main as run
    except KeyboardInterrupt:
        return 130
    return run()


if __name__ == "__main__":
    sys.exit(main())
