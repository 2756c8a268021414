"""A10, in the token file: an entry whose times are junk is dropped alone, and the others are kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.models import TokenData
from forge_cli.tokens.storage.file import FileTokenStorage

TOKEN = TokenData("user-token-1")


@pytest.mark.parametrize("name", ["expires_at", "issued_at"])
@pytest.mark.parametrize(
    "junk",
    [
        pytest.param("0", id="zero"),
        pytest.param("-1", id="negative"),
        pytest.param("1e12", id="float"),
        pytest.param("nan", id="not a number"),
        pytest.param("true", id="boolean"),
        pytest.param("[]", id="list"),
        pytest.param("2030-01-01T00:00:00Z", id="a TOML time"),
        pytest.param('""', id="empty text"),
        pytest.param('"soon"', id="text"),
        pytest.param('"2030-01-01T00:00:00"', id="no zone"),
        pytest.param('"2030-13-01T00:00:00+00:00"', id="no such month"),
        pytest.param('"0001-01-01T00:00:00+10:00"', id="before the first year"),
    ],
)
def test_an_entry_with_a_junk_time_is_no_token_and_harms_no_other(tmp_path: Path, name: str, junk: str) -> None:
    path = tmp_path / "dev.toml"
    path.write_text(
        f'version = 1\n[tokens.bad]\naccess_token = "user-token-2"\n{name} = {junk}\n'
        '[tokens.good]\naccess_token = "user-token-1"\n'
    )
    path.chmod(0o600)
    told: list[str] = []
    storage = FileTokenStorage(path, notice=told.append)
    assert (storage.get("bad"), storage.get("good")) == (None, TOKEN)
    assert storage.keys() == ["good"]
    storage.set("new", TOKEN)
    assert storage.keys() == ["good", "new"]
    assert "user-token" not in path.read_text().replace("user-token-1", "")
    assert [line for line in told if "user-token" in line] == []
    assert len(told) == 2
