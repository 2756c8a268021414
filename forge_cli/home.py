"""Where the user's configuration directory is: what even the quickest answer has to know."""

from __future__ import annotations

import sys
from collections.abc import Mapping


def config_home(environ: Mapping[str, str], *, platform: str = sys.platform) -> str | None:
    """The path that the environment gives it, None where it gives none."""
    chosen = environ.get("FORGE_CONFIG_DIR")
    if chosen:
        return chosen
    if platform == "win32":
        # Not the roaming one (APPDATA): tokens stay on the machine that they were given to.
        local = environ.get("LOCALAPPDATA")
        return f"{local}\\forge" if local else None
    # XDG Base Directory Specification: a relative path is invalid and ignored.
    base = environ.get("XDG_CONFIG_HOME", "")
    if base.startswith("/"):
        return f"{base.rstrip('/')}/forge"
    home = environ.get("HOME")
    if not home:
        return None
    return f"{home.rstrip('/')}/{'Library/Application Support' if platform == 'darwin' else '.config'}/forge"
