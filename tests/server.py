"""The scripted server of `forge_cli.testing`, by the short name that the tests here use."""

from __future__ import annotations

from forge_cli.testing import Answer, Reply, Seen
from forge_cli.testing import ScriptedServer as Server

__all__ = ["Answer", "Reply", "Seen", "Server"]
