"""The example file: whole, loadable, short, and with what a newcomer looks for."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from forge_cli.profiles.load import load_document, profile, select
from forge_cli.profiles.schema import BearerAuth, NoAuth, OAuth2Auth, PipelineAuth
from forge_cli.profiles.secrets import Secrets
from forge_cli.profiles.validate import problems

EXAMPLE = Path(__file__).parents[1] / "profiles.example.toml"
ENVIRON = {
    "EXAMPLE_TOKEN": "example-token-1",
    "COMPANY_CLIENT_SECRET": "company-secret-1",
    "SHOP_PASSWORD": "shop-password-1",
}
USABLE = {"public": NoAuth, "token": BearerAuth, "reports": OAuth2Auth, "shop": PipelineAuth}


def test_it_has_no_problems() -> None:
    assert problems(load_document(EXAMPLE)) == []


def test_it_has_five_profiles_in_150_lines() -> None:
    document = load_document(EXAMPLE)
    assert set(document.profiles) == {*USABLE, "company"}
    assert document.text.count("\n") <= 150
    assert select(document, None, {}) == "public"


@pytest.mark.parametrize("name", USABLE)
def test_each_profile_loads_and_finds_its_secrets(name: str) -> None:
    document = load_document(EXAMPLE)
    found = profile(document, name)
    assert type(found.table.auth) is USABLE[name]
    secrets = Secrets(found.table.secrets, environ=ENVIRON, prompt=None, base_dir=found.path.parent)
    assert all(secrets.get(secret) in ENVIRON.values() for secret in found.table.secrets)


def test_what_its_comments_offer_works_too(tmp_path: Path) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    offered = [line.strip("# ") for line in text.splitlines() if line.startswith("#") and "{ type =" in line]
    forms = [line[line.index("{") :] for line in offered]
    assert len(forms) == 2
    secrets = (
        '{ api_token = { file = "~/.keys/example.json", pointer = "/token" }, password = { prompt = "Password" } }'
    )
    for form in forms:
        assert tomllib.loads(f"a = {form}")
        path = tmp_path / "profiles.toml"
        path.write_text(f"[profiles.a]\nbase_url = 'https://a.example'\nsecrets = {secrets}\nauth = {form}\n")
        assert profile(load_document(path), "a").name == "a"
