"""Tables of alternatives: their own rows, and classes of the user's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from forge_cli.errors import ProfileError
from forge_cli.registry import Registry

ROWS = {"memory": "forge_cli.tokens.storage.memory:InMemoryTokenStorage", "broken": "no_such_package_at_all:Thing"}
MEMBERS = ("get", "set")


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
        (tmp_path / "my_storages.py").write_text("class Mine:\n    get = set = None\n")
        monkeypatch.syspath_prepend(tmp_path)
        assert Registry("token storage", ROWS, custom=MEMBERS).load("my_storages:Mine").__name__ == "Mine"

    @pytest.mark.parametrize(
        ("name", "said"),
        [("no_such_module_here:Mine", "no module 'no_such_module_here'"), ("json:Mine", "the module has no 'Mine'")],
    )
    def test_what_cannot_be_loaded_is_explained(self, name: str, said: str) -> None:
        with pytest.raises(ProfileError, match=said):
            Registry("token storage", ROWS, custom=MEMBERS).load(name)

    @pytest.mark.parametrize(
        ("name", "said"),
        [
            ("sys:exit", "'sys:exit' is no class"),
            ("os:system", "'os:system' is no class"),
            ("json:loads", "'json:loads' is no class"),
            ("builtins:dict", "'builtins:dict' has no 'set', so it is no token storage"),
            ("failing_storages:Mine", "fails with ZeroDivisionError when it is loaded"),
            ("leaving_storages:Mine", "fails with SystemExit when it is loaded"),
        ],
    )
    def test_what_is_no_class_of_that_kind_is_refused_by_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, said: str
    ) -> None:
        (tmp_path / "failing_storages.py").write_text("1 / 0\n")
        (tmp_path / "leaving_storages.py").write_text("raise SystemExit\n")
        monkeypatch.syspath_prepend(tmp_path)
        table = Registry("token storage", ROWS, custom=MEMBERS)
        with pytest.raises(ProfileError, match=said):
            table.load(name)
        assert said in (table.trouble(name) or "")
        assert table.trouble("broken") is None

    def test_a_table_that_is_closed_takes_none(self) -> None:
        assert "json:Mine" not in Registry("token storage", ROWS)
        assert "json:Mine" in Registry("token storage", ROWS, custom=MEMBERS)
