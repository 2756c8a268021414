"""What `forge_cli.testing` costs, and what it needs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from forge_cli import testing

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", testing.__all__)
def test_every_name_loads(name: str) -> None:
    assert getattr(testing, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sever'"):
        _ = testing.Sever


def test_the_servers_need_neither_pytest_nor_the_http_library() -> None:
    code = (
        "import sys; from forge_cli.testing import Reply, ScriptedServer, Seen, TokenEndpoint\n"
        "print({'pytest', 'requests'} & set(sys.modules))"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert result.stdout == "set()\n", result.stderr
