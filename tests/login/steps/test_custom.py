"""A kind of step of the user's own: `kind = "package.module:Class"`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Forge

MODULE = '''
from forge_cli.login.definition import StepTable, TemplateText, key, table
from forge_cli.login.expiry import End
from forge_cli.login.work import Result

@table
class Reversed(StepTable):
    """Turn a text round."""
    text: TemplateText = key("the text")

    def run(self, work):
        return Result({"token": work.scope.text(self.text)[::-1]}, End(None, known=False))

    def renew(self, work):
        return None

class NoTable:
    """Has no keys."""
    run = renew = None

@table
class Idle(StepTable):
    """Does nothing."""
'''
PROFILE = """
[profiles.dev]
base_url = "http://127.0.0.1:9"
[profiles.dev.auth]
type = "pipeline"
[profiles.dev.auth.steps.own]
kind = "{kind}"
text = "1-nekot-nwo"
"""


@pytest.fixture(autouse=True)
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_own_steps.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)


def test_it_is_read_and_run_like_any_other(forge: Forge, profile_file: Callable[[str], Path]) -> None:
    profile_file(PROFILE.format(kind="my_own_steps:Reversed"))
    result = forge("token", "show", "--raw", "-p", "dev")
    assert (result.exit_code, result.stdout) == (0, "own-token-1\n"), result.stderr


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("my_own_steps:NoTable", "must be a class made with `table`"),
        ("my_own_steps:Idle", "has no 'run', so it is no step kind"),
        ("sys:exit", "is no class"),
        ("my_own_steps:Missing", "the module has no 'Missing'"),
        ("no_such_module_here:Step", "no module 'no_such_module_here'"),
        ("htp", "unknown step kind (nearest: http)"),
    ],
)
def test_one_that_cannot_be_used_is_a_problem_of_the_file(
    forge: Forge, profile_file: Callable[[str], Path], kind: str, message: str
) -> None:
    profile_file(PROFILE.format(kind=kind))
    result = forge("profile", "validate")
    assert result.exit_code == 2
    assert message in result.stderr + result.stdout
    assert kind in result.stderr + result.stdout or kind == "htp"
