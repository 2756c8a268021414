"""Tables of alternatives: their own rows, and classes of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.errors import ProfileError
from forge_cli.registry import Registry

ROWS = {"memory": "forge_cli.tokens.storage.memory:InMemoryTokenStorage", "broken": "no_such_package_at_all:Thing"}


def test_a_row_is_loaded_by_its_name() -> None:
    assert Registry("token storage", ROWS).load("memory").__name__ == "InMemoryTokenStorage"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ProfileError, match="token storage 'disk' does not exist") as caught:
        Registry("token storage", ROWS).load("disk")
    assert "memory" in (caught.value.hint or "")


def test_a_missing_extra_names_the_line_that_installs_it() -> None:
    with pytest.raises(ProfileError, match="'broken' needs no_such_package_at_all") as caught:
        Registry("token storage", ROWS, extras={"broken": "redis"}).load("broken")
    assert caught.value.hint == "pip install 'forge-http[redis]'"


class TestCustom:
    def test_a_class_of_the_users_own_is_loaded(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "my_storages.py").write_text("class Mine: pass\n")
        monkeypatch.syspath_prepend(tmp_path)
        assert Registry("token storage", ROWS, custom=True).load("my_storages:Mine").__name__ == "Mine"

    @pytest.mark.parametrize(
        ("name", "said"),
        [("no_such_module_here:Mine", "no module 'no_such_module_here'"), ("json:Mine", "the module has no 'Mine'")],
    )
    def test_what_cannot_be_loaded_is_explained(self, name: str, said: str) -> None:
        with pytest.raises(ProfileError, match=said):
            Registry("token storage", ROWS, custom=True).load(name)

    def test_a_table_that_is_closed_takes_none(self) -> None:
        assert "json:Mine" not in Registry("token storage", ROWS)
        assert "json:Mine" in Registry("token storage", ROWS, custom=True)
