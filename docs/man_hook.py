"""Writes the man page when a wheel or an sdist is built, so that it says what the packaged program says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class ManualHook(BuildHookInterface[Any]):
    """Runs docs/manual.py before files are collected."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Bring docs/forge.1 up to date; an editable install has no man page, and leaves the checkout as it is."""
        if version != "editable":
            # A process of its own: what builds need not be able to load what is built.
            script = str(Path("docs", "manual.py"))
            code = f"import runpy, sys; sys.path.insert(0, '.'); runpy.run_path({script!r}, run_name='__main__')"
            subprocess.run([sys.executable, "-c", code], cwd=self.root, check=True)
