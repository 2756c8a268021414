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
    for name in ("link", "link.json"):
        there = ["ln", "-s", str(victim), name]
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


@pytest.mark.parametrize(("option", "name"), [("--report", "link.json"), ("--resume", "link")])
def test_nor_by_a_batch(forge: Forge, server: Server, shared: Path, option: str, name: str) -> None:
    url = server.reply("/x", Reply(200, "new"), optional=True)
    result = forge("batch", "-", option, str(shared / name), input=f"{url}\n")
    assert (result.exit_code, server.seen) == (9, []), result.stderr
    assert "is a link that another user made" in result.stderr
    assert Path("victim").read_text() == "KEEP"
    assert sorted(path.name for path in shared.iterdir()) == ["link", "link.json"]


@pytest.mark.parametrize(("option", "name"), [("--report", "link.json"), ("--resume", "link")])
def test_a_batch_follows_a_link_of_ones_own(forge: Forge, server: Server, shared: Path, option: str, name: str) -> None:
    url = server.reply("/x", Reply(200, "new"))
    Path("victim").write_text("")
    (shared / name).unlink()
    (shared / name).symlink_to(Path("victim").absolute())
    assert forge("batch", "-", option, str(shared / name), input=f"{url}\n").exit_code == 0
    assert Path("victim").read_text().startswith("{")
    assert (shared / name).is_symlink()
