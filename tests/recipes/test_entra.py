"""The recipes for Microsoft Entra ID; the device code has a file of its own."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.conftest import Forge
from tests.recipes.oidc_flows import SECRET, Machine, User
from tests.recipes.oidc_vendor import Client, OidcVendor, Rules
from tests.recipes.test_okta import written

V2 = "/acme.onmicrosoft.com/oauth2/v2.0"
GRAPH = "https://graph.microsoft.com"
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "forge")])
_NOW = datetime.now(UTC)
CERTIFICATE = (
    x509.CertificateBuilder()
    .subject_name(_NAME)
    .issuer_name(_NAME)
    .public_key(KEY.public_key())
    .serial_number(1)
    .not_valid_before(_NOW - timedelta(days=1))
    .not_valid_after(_NOW + timedelta(days=1))
    .sign(KEY, hashes.SHA256())
)
THUMBPRINT = base64.urlsafe_b64encode(CERTIFICATE.fingerprint(hashes.SHA256())).decode().rstrip("=")


def resource(where: str, fields: Mapping[str, str]) -> tuple[str, str] | None:
    """A program asks for all of one API (AADSTS1002012), a person for scopes of one API (AADSTS28000)."""
    asked = set(fields.get("scope", "").split()) - {"openid", "profile", "email", "offline_access"}
    if where == "client_credentials" and [each.endswith("/.default") for each in asked] != [True]:
        return "invalid_scope", "the scope is not one API and /.default"
    if where == "authorize" and len({each.rpartition("/")[0] for each in asked}) != 1:
        return "invalid_scope", "scopes of more than one API"
    return ("invalid_request", "no audience or resource in v2.0") if {"audience", "resource"} & set(fields) else None


RULES = Rules(authorize=f"{V2}/authorize", token=f"{V2}/token", discovery=False, check=resource)
VARIABLES = {"api": "@", "login": "@", "tenant": "acme.onmicrosoft.com"}


class TestMachine(Machine):
    recipe = "entra-machine"
    rules = RULES
    client = Client(secret=SECRET, auth="post", grants=("client_credentials",))
    variables = VARIABLES

    def test_a_single_permission_is_refused(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        assert self.get(forge, env, "--var", f"scope={GRAPH}/User.Read.All").exit_code == 7
        assert vendor.refusals == {"invalid_scope": 1}


class TestCertificate(Machine):
    """The assertion names the certificate by its thumbprint, and each is good for one request."""

    recipe = "entra-machine-certificate"
    rules = RULES
    client = Client(
        auth="key",
        grants=("client_credentials",),
        key=KEY.public_key(),
        headers={"x5t#S256": THUMBPRINT, "alg": "PS256", "typ": "JWT"},
    )
    variables = VARIABLES

    @pytest.fixture(autouse=True)
    def files(self, tmp_path: Path) -> None:
        self.key, self.certificate = written(KEY, tmp_path / "key.pem"), tmp_path / "cert.pem"
        self.certificate.write_bytes(CERTIFICATE.public_bytes(serialization.Encoding.PEM))

    def places(self) -> list[str]:
        return ["--set", f"private_key=file:{self.key}", "--set", f"certificate=file:{self.certificate}"]

    def spoil(self, env: dict[str, str]) -> None:
        written(rsa.generate_private_key(public_exponent=65537, key_size=2048), self.key)


class TestUser(User):
    recipe = "entra-user"
    rules = RULES
    variables = VARIABLES
    revokes = False

    def test_scopes_of_two_apis_are_refused(self, forge: Forge, vendor: OidcVendor, env: dict[str, str]) -> None:
        both = f"scope={GRAPH}/User.Read https://api.example.com/x"
        result = forge("token", "login", "-p", "x", "--var", both, tty=True, env=env)
        assert result.exit_code == 7
        assert "invalid_scope" in result.stderr
