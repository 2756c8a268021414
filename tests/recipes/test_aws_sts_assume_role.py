"""AWS with an assumed role: credentials of three parts in XML, for keys, for a second factor or for a web identity.

What arrives is signed once more by AWS's own library, and the two are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from tests.conftest import Forge
from tests.recipes.stand_in import form, lines, shows_none, written
from tests.server import Reply, Seen, Server

ENV = {"AWS_ACCESS_KEY_ID": "LONGTERM1", "AWS_SECRET_ACCESS_KEY": "long-term-secret-1"}
ROLE = "arn:aws:iam::123456789012:role/reader"
DEVICE = "arn:aws:iam::123456789012:mfa/ada"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


class Aws:
    """STS at `/`, and an API at `/prod/pets` that takes the credentials that STS hands out. `life` is theirs."""

    def __init__(self, server: Server, signed: Callable[[str], None]) -> None:
        self.server = server
        self.life = 3600.0
        self.device: str | None = None
        self.code = "123456"
        self.secrets: dict[str, tuple[str, str]] = {}
        self.issued = 0
        self.identity = ""
        self._signed = signed
        server.reply("/", self.sts, method="POST")
        server.reply("/prod/pets", self.pets, optional=True)

    def good(self, seen: Seen, credentials: Credentials, service: str, region: str) -> bool:
        """Whether AWS's library gives what arrived the same signature."""
        given = seen.headers["Authorization"] or ""
        names = given.partition("SignedHeaders=")[2].partition(",")[0].split(";")
        moment = seen.headers["X-Amz-Date"] or ""
        stamp = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if not {"host", "x-amz-date"} <= set(names) or abs(stamp.timestamp() - time.time()) > 300:
            return False
        request = AWSRequest(seen.method, f"{self.server.url}{seen.target}", data=seen.body)
        for name, value in seen.headers.items():
            if name.lower() in names:
                request.headers.add_header(name, value)
        self._signed(moment)
        SigV4Auth(credentials, service, region).add_auth(request)
        return bool(request.headers["Authorization"] == given)

    def sts(self, seen: Seen) -> Reply:
        if (form(seen) or {}).get("Action") == "AssumeRoleWithWebIdentity":
            return self.web_identity(seen)
        known = Credentials("LONGTERM1", "long-term-secret-1")
        if not self.good(seen, known, "sts", "us-east-1"):
            return self.error(403, "SignatureDoesNotMatch", seen.headers["Authorization"])
        fields = form(seen) or {}
        given = {name: fields.pop(name, None) for name in ("SerialNumber", "TokenCode")}
        wanted = {"Action": "AssumeRole", "Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "forge"}
        if fields != {**wanted, "DurationSeconds": "3600"} or "" in given.values():
            return self.error(400, "ValidationError", fields)
        if given != {"SerialNumber": self.device, "TokenCode": self.code if self.device else None}:
            return self.error(403, "AccessDenied", given)
        self.code = "spent"
        return self.issue("AssumeRole")

    def web_identity(self, seen: Seen) -> Reply:
        fields = form(seen) or {}
        wanted = {"Version": "2011-06-15", "RoleArn": ROLE, "RoleSessionName": "forge", "DurationSeconds": "3600"}
        if seen.headers["Authorization"] or fields.pop("WebIdentityToken", "") != self.identity:
            return self.error(400, "InvalidIdentityToken", seen.body.decode())
        if fields != {**wanted, "Action": "AssumeRoleWithWebIdentity"}:
            return self.error(400, "ValidationError", fields)
        return self.issue("AssumeRoleWithWebIdentity")

    def issue(self, action: str) -> Reply:
        self.issued += 1
        n = self.issued
        self.secrets[f"session/token+{n}=="] = (f"TEMPORARY{n}", f"temporary/secret+{n}")
        end = datetime.fromtimestamp(time.time() + self.life, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return self.xml(
            200,
            f'<{action}Response xmlns="{NAMESPACE}"><{action}Result><AssumedRoleUser><Arn>x</Arn></AssumedRoleUser>'
            f"<Credentials><AccessKeyId>TEMPORARY{n}</AccessKeyId><SecretAccessKey>temporary/secret+{n}</SecretAccessKey>"
            f"<SessionToken>session/token+{n}==</SessionToken><Expiration>{end}</Expiration></Credentials>"
            f"</{action}Result><ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>",
        )

    def pets(self, seen: Seen) -> Reply:
        token = seen.headers["X-Amz-Security-Token"] or ""
        if token not in self.secrets:
            said = {"message": "The security token included in the request is expired"}
            return Reply(403, said, {"x-amzn-ErrorType": "ExpiredTokenException"})
        if not self.good(seen, Credentials(*self.secrets[token], token), "execute-api", "eu-west-1"):
            return Reply(403, {"message": "signature"}, {"x-amzn-ErrorType": "InvalidSignatureException"})
        return Reply(200, {"pets": []})

    @staticmethod
    def xml(status: int, text: str) -> Reply:
        return Reply(status, text, {"Content-Type": "text/xml"})

    def error(self, status: int, code: str, said: object) -> Reply:
        text = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{said}</Message></Error>".replace("&", "&amp;")
        return self.xml(status, f'<ErrorResponse xmlns="{NAMESPACE}">{text}</ErrorResponse>')


@pytest.fixture
def aws(server: Server, monkeypatch: pytest.MonkeyPatch) -> Aws:
    def signed(moment: str) -> None:
        """Have AWS's library sign for the moment that a request says."""
        then = datetime.strptime(moment, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: then)

    written("aws-sts-assume-role", api=f"{server.url}/prod", sts=server.url, region="eu-west-1", role_arn=ROLE)
    return Aws(server, signed)


def test_one_assumed_role_serves_two_commands(forge: Forge, aws: Aws) -> None:
    for _ in range(2):
        result = forge("get", "/pets", "q==a b+c", env=ENV)
        assert result.exit_code == 0, result.stderr
    assert lines(aws.server.seen) == ["POST /", "GET /prod/pets", "GET /prod/pets"]


def test_a_body_is_signed_too(forge: Forge, aws: Aws) -> None:
    assert forge("post", "/pets", "name=ö", env=ENV).exit_code == 0


def test_credentials_that_have_ended_are_replaced_all_three(forge: Forge, aws: Aws) -> None:
    aws.life = -1
    for _ in range(2):
        assert forge("get", "/pets", env=ENV).exit_code == 0
    assert aws.issued == 2


def test_credentials_that_aws_calls_expired_are_replaced_and_the_request_is_sent_again(forge: Forge, aws: Aws) -> None:
    forge("get", "/pets", env=ENV)
    aws.secrets.clear()
    assert forge("get", "/pets", env=ENV).exit_code == 0
    assert (aws.issued, len(aws.server.seen_at("/prod/pets"))) == (2, 3)


def test_a_wrong_secret_is_exit_7_and_is_not_shown(forge: Forge, aws: Aws) -> None:
    result = forge("get", "/pets", "-v", env={**ENV, "AWS_SECRET_ACCESS_KEY": "a-wrong-secret"})
    assert result.exit_code == 7
    assert "SignatureDoesNotMatch" in result.stderr
    assert shows_none(result, "a-wrong-secret")


class TestMfa:
    @pytest.fixture(autouse=True)
    def device(self, aws: Aws) -> None:
        aws.device = DEVICE

    def run(self, forge: Forge, code: str | None, *words: str) -> tuple[int, str]:
        options = {"input": f"{code}\n", "tty": True} if code is not None else {}
        result = forge(*words, "--var", f"mfa_serial={DEVICE}", env=ENV, **options)  # type: ignore[arg-type]  # keywords of different types
        return result.exit_code, result.stderr

    def test_the_code_is_asked_for_once_for_a_session(self, forge: Forge, aws: Aws) -> None:
        assert self.run(forge, "123456", "get", "/pets")[0] == 0
        assert self.run(forge, None, "get", "/pets")[0] == 0
        assert lines(aws.server.seen) == ["POST /", "GET /prod/pets", "GET /prod/pets"]

    def test_a_session_that_has_ended_needs_another_code(self, forge: Forge, aws: Aws) -> None:
        aws.life = -1
        assert self.run(forge, "123456", "get", "/pets")[0] == 0
        aws.code = "654321"
        assert self.run(forge, None, "get", "/pets")[0] == 7
        assert self.run(forge, "654321", "get", "/pets")[0] == 0
        assert (aws.issued, len(aws.server.seen_at("/prod/pets"))) == (2, 2)

    def test_without_a_terminal_it_says_what_to_do(self, forge: Forge, aws: Aws) -> None:
        code, err = self.run(forge, None, "get", "/pets")
        assert (code, "forge token login" in err) == (7, True)
        # Of the stand-in nothing was asked; the check of its routes wants that it can be.
        assert aws.server.seen == []
        assert self.run(forge, "123456", "get", "/pets")[0] == 0

    def test_a_wrong_code_is_exit_7_and_is_not_shown(self, forge: Forge, aws: Aws) -> None:
        code, err = self.run(forge, "987654", "get", "/pets")
        assert (code, "AccessDenied" in err, "987654" in err) == (7, True, False)

    def test_without_the_device_the_role_is_refused(self, forge: Forge, aws: Aws) -> None:
        assert forge("get", "/pets", env=ENV).exit_code == 7


class TestWebIdentity:
    @pytest.fixture(autouse=True)
    def identity(self, aws: Aws, own_home: Path) -> Path:
        """The file with the token, which whoever issues it replaces."""
        file = own_home / "identity"
        url, place = aws.server.url, {"identity": {"file": str(file)}}
        written("aws-sts-web-identity", places=place, api=f"{url}/prod", sts=url, region="eu-west-1", role_arn=ROLE)
        aws.identity = "web-identity-1"
        file.write_text("web-identity-1\n")
        return file

    def test_one_assumed_role_serves_two_commands(self, forge: Forge, aws: Aws) -> None:
        for _ in range(2):
            result = forge("get", "/pets")
            assert result.exit_code == 0, result.stderr
        assert lines(aws.server.seen) == ["POST /", "GET /prod/pets", "GET /prod/pets"]

    @pytest.mark.parametrize("ended", [True, False], ids=["ended", "refused"])
    def test_another_role_is_assumed_with_the_token_of_that_time(
        self, forge: Forge, aws: Aws, identity: Path, ended: bool
    ) -> None:
        aws.life = -1 if ended else 3600
        assert forge("get", "/pets").exit_code == 0
        aws.secrets.clear()
        aws.identity = "web-identity-2"
        identity.write_text("web-identity-2\n")
        assert forge("get", "/pets").exit_code == 0
        assert aws.issued == 2
        # What is known to have ended is not tried.
        assert len(aws.server.seen_at("/prod/pets")) == (2 if ended else 3)

    def test_a_wrong_token_is_exit_7_and_is_not_shown(self, forge: Forge, aws: Aws, identity: Path) -> None:
        identity.write_text("a-wrong-identity")
        result = forge("get", "/pets", "-v")
        assert (result.exit_code, "InvalidIdentityToken" in result.stderr) == (7, True)
        assert shows_none(result, "a-wrong-identity")
