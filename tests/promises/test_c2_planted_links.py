"""C2: what forge writes goes where the person said, and not where another user's link leads."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Forge, Require
from tests.server import Reply, Server

pytestmark = pytest.mark.skipif(os.name == "nt" or os.geteuid() != 0, reason="another user is needed for this")

OPTIONS = [("-o",), ("--har",), ("-o", "--continue"), ("--offline", "-o")]


@pytest.fixture
def shared(require: Require, tmp_path: Path) -> Path:
    """A directory that everybody can write to, where another user has made a link."""
    program = require("setpriv", "apt-get install util-linux")
    folder = tmp_path / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    for each in tmp_path.parents[:2]:
        each.chmod(0o755)
    tmp_path.chmod(0o755)
    victim = Path("victim").absolute()
    victim.write_text("KEEP")
    there = ["ln", "-s", str(victim), "link"]
    made = [program, "--reuid", "65534", "--regid", "65534", "--clear-groups", *there]
    subprocess.run(made, check=True, cwd=folder)
    return folder


@pytest.mark.parametrize("words", OPTIONS, ids=" ".join)
def test_a_planted_link_is_not_followed(forge: Forge, server: Server, shared: Path, words: tuple[str, ...]) -> None:
    url = server.reply("/x", Reply(200, "new"), optional=True)
    option = next(word for word in words if word in ("-o", "--har"))
    others = [word for word in words if word != option]
    result = forge("get", url, *others, option, str(shared / "link"))
    assert (result.exit_code, server.seen) == (9, []), result.stderr
    assert "is a link that another user made" in result.stderr
    assert Path("victim").read_text() == "KEEP"


@pytest.mark.parametrize("option", ["-o", "--har"])
def test_a_link_of_ones_own_is(forge: Forge, server: Server, shared: Path, option: str) -> None:
    url = server.reply("/x", Reply(200, "new"))
    (shared / "link").unlink()
    (shared / "link").symlink_to(Path("victim").absolute())
    assert forge("get", url, option, str(shared / "link")).exit_code == 0
    assert "KEEP" not in Path("victim").read_text()
    assert (shared / "link").is_symlink()
