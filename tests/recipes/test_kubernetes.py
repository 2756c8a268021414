"""kubernetes, kubernetes-exec, kubernetes-exec-cert and kubernetes-in-cluster, against a stand-in of the API server."""

from __future__ import annotations

import itertools
import json
import ssl
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.conftest import Forge
from tests.recipes.installed import bearer, calls, installed, iso, later, media_type, now, refused, replaced, valid
from tests.server import Reply, Seen, Server

PODS, ASK = "/api/v1/pods", "/api/v1/namespaces/team/serviceaccounts/reader/token"
PARENT = "admin-token-1"


class Cluster:
    """Pods for those with a live token, and tokens for those who may ask for them."""

    def __init__(self, server: Server) -> None:
        self.live: set[str] = set()
        self.parents = {PARENT}
        self._numbers = itertools.count(1)
        server.reply(ASK, self._ask, method="POST", optional=True)
        server.reply(PODS, self._pods, method="GET")

    def _ask(self, seen: Seen) -> Reply:
        if bearer(seen) not in self.parents:
            return _status(401, "Unauthorized")
        spec = {"audiences": ["https://kubernetes.default.svc.cluster.local"], "expirationSeconds": 3600}
        wanted = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        if media_type(seen) != "application/json" or seen.json() != wanted:
            return _status(400, "BadRequest")
        token = f"pod-reader-token-{next(self._numbers)}"
        self.live.add(token)
        status = {"token": token, "expirationTimestamp": iso(now() + timedelta(hours=1))}
        return Reply(201, {"kind": "TokenRequest", "status": status})

    def _pods(self, seen: Seen) -> Reply:
        return Reply(200, {"kind": "PodList"}) if bearer(seen) in self.live else _status(401, "Unauthorized")


def _status(code: int, reason: str) -> Reply:
    return Reply(code, {"kind": "Status", "status": "Failure", "reason": reason, "code": code})


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return Cluster(server)


class TestTokenRequest:
    CALLS = (f"POST {ASK}", f"GET {PODS}")

    @pytest.fixture(autouse=True)
    def profile(
        self, server: Server, cluster: Cluster, profile_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PARENT", PARENT)
        variables = {"api": server.url, "namespace": "team", "account": "reader"}
        installed(profile_file, "kubernetes", variables, {"parent_token": {"env": "PARENT"}})

    def test_the_first_call_asks_for_a_token_and_the_next_uses_it(self, forge: Forge, server: Server) -> None:
        valid(forge)
        for _ in range(2):
            assert forge("get", PODS).exit_code == 0
        assert calls(server.seen) == [*self.CALLS, self.CALLS[1]]

    def test_an_ended_token_is_asked_for_anew(self, forge: Forge, server: Server) -> None:
        forge("get", PODS)
        later(minutes=61)
        assert forge("get", PODS).exit_code == 0
        assert calls(server.seen) == [*self.CALLS, *self.CALLS]

    def test_a_revoked_token_is_asked_for_anew(self, forge: Forge, server: Server, cluster: Cluster) -> None:
        forge("get", PODS)
        cluster.live.clear()
        assert forge("get", PODS).exit_code == 0
        assert calls(server.seen) == [*self.CALLS, self.CALLS[1], *self.CALLS]

    def test_a_parent_that_is_refused_is_exit_7_and_not_shown(self, forge: Forge, cluster: Cluster) -> None:
        cluster.parents.clear()
        cluster.live.add("unused")
        refused(forge("get", PODS), PARENT)
        forge("get", PODS, "--no-auth")


class Program:
    """The program `aws` or another one, first in PATH, which prints what it is told and counts its runs."""

    def __init__(self, folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        folder.mkdir()
        self._printed, self._runs = folder / "printed", folder / "runs"
        path = folder / name
        path.write_text(f'#!/bin/sh\necho "$@ $AWS_REGION" >> {self._runs}\nexec cat {self._printed}\n')
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def prints(self, end: datetime | None, **status: str) -> None:
        ends = {} if end is None else {"expirationTimestamp": iso(end)}
        whole: dict[str, Any] = {"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1"}
        self._printed.write_text(json.dumps({**whole, "status": {**ends, **status}}))

    @property
    def runs(self) -> list[str]:
        return self._runs.read_text().splitlines()


class TestExec:
    @pytest.fixture
    def program(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Program:
        return Program(tmp_path / "bin", "aws", monkeypatch)

    @pytest.fixture(autouse=True)
    def profile(self, server: Server, cluster: Cluster, profile_file: Callable[[str], Path]) -> None:
        cluster.live |= {"exec-token-1", "exec-token-2"}
        installed(profile_file, "kubernetes-exec", {"api": server.url}, {})

    def test_the_program_is_run_once_and_sees_what_is_named(
        self, forge: Forge, program: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_REGION", "eu-central-1")
        valid(forge)
        program.prints(now() + timedelta(minutes=14), token="exec-token-1")
        for _ in range(2):
            assert forge("get", PODS).exit_code == 0
        assert program.runs == ["eks get-token --cluster-name my-cluster --output json eu-central-1"]

    def test_it_is_run_again_when_the_token_has_ended(self, forge: Forge, program: Program, server: Server) -> None:
        program.prints(now() + timedelta(minutes=14), token="exec-token-1")
        forge("get", PODS)
        program.prints(now() + timedelta(minutes=14), token="exec-token-2")
        later(minutes=15)
        assert forge("get", PODS).exit_code == 0
        assert [bearer(seen) for seen in server.seen] == ["exec-token-1", "exec-token-2"]

    def test_it_is_run_again_when_a_token_without_an_end_is_refused(
        self, forge: Forge, program: Program, cluster: Cluster
    ) -> None:
        program.prints(None, token="exec-token-1")
        forge("get", PODS)
        later(days=2)
        forge("get", PODS)
        assert len(program.runs) == 1
        cluster.live.discard("exec-token-1")
        program.prints(None, token="exec-token-2")
        assert forge("get", PODS).exit_code == 0
        assert len(program.runs) == 2

    def test_a_program_that_prints_no_token_is_exit_7(self, forge: Forge, program: Program, server: Server) -> None:
        program.prints(None, clientCertificateData="no-token-here")
        refused(forge("get", PODS), "no-token-here")
        assert server.seen == []
        program.prints(None, token="exec-token-1")
        assert forge("get", PODS).exit_code == 0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[Callable[[bool], Server]]:
    """Makes a server over TLS, which may ask for a client certificate."""
    opened: list[Server] = []

    def make(certified: bool) -> Server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        if certified:
            context.verify_mode = ssl.CERT_REQUIRED
            authority.configure_trust(context)
        opened.append(Server(tls=context))
        return opened[-1]

    yield make
    for server in opened:
        server.close()


class TestExecWithCertificate:
    def test_the_certificate_that_a_program_prints_is_presented(
        self,
        forge: Forge,
        secure: Callable[[bool], Server],
        authority: trustme.CA,
        profile_file: Callable[[str], Path],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        server = secure(True)
        server.reply(PODS, Reply(200, {"kind": "PodList"}))
        authority.cert_pem.write_to_path(tmp_path / "ca.pem")
        change = replaced("verify = true", f'verify = "{tmp_path}/ca.pem"')
        installed(profile_file, "kubernetes-exec-cert", {"api": server.url}, {}, change)
        valid(forge)
        program = Program(tmp_path / "bin", "kubectl-credentials", monkeypatch)
        for minutes in (14, 30):
            issued = authority.issue_cert("reader@example.com")
            certificate = "".join(pem.bytes().decode() for pem in issued.cert_chain_pems)
            key = issued.private_key_pem.bytes().decode()
            program.prints(now() + timedelta(minutes=minutes), clientCertificateData=certificate, clientKeyData=key)
            for _ in range(2):
                result = forge("get", PODS, "-v")
                assert result.exit_code == 0, result.stderr
                assert "PRIVATE KEY" not in result.stderr and key.splitlines()[1] not in result.stderr
            later(minutes=15)
        assert len(program.runs) == 2
        assert all(seen.headers["Authorization"] is None for seen in server.seen)


class TestInCluster:
    def test_the_token_is_read_from_its_file_in_each_run(
        self,
        forge: Forge,
        secure: Callable[[bool], Server],
        authority: trustme.CA,
        profile_file: Callable[[str], Path],
        tmp_path: Path,
    ) -> None:
        server = secure(False)
        cluster = Cluster(server)
        cluster.live = {"mounted-token-1"}
        authority.cert_pem.write_to_path(tmp_path / "ca.crt")
        # As the kubelet does it: a link to a folder that is replaced whole.
        for number in (1, 2):
            (tmp_path / str(number)).mkdir()
            (tmp_path / str(number) / "token").write_text(f"mounted-token-{number}")
        mounted = tmp_path / "data"
        mounted.symlink_to(tmp_path / "1")
        change = replaced("/var/run/secrets/kubernetes.io/serviceaccount/ca.crt", str(tmp_path / "ca.crt"))
        places = {"token": {"file": str(mounted / "token")}}
        installed(profile_file, "kubernetes-in-cluster", {"api": server.url}, places, change)
        valid(forge)
        assert forge("get", PODS).exit_code == 0
        mounted.unlink()
        mounted.symlink_to(tmp_path / "2")
        cluster.live = {"mounted-token-2"}
        assert forge("get", PODS).exit_code == 0
        assert [bearer(seen) for seen in server.seen] == ["mounted-token-1", "mounted-token-2"]

    def test_outside_a_pod_the_file_is_named(self, forge: Forge, profile_file: Callable[[str], Path]) -> None:
        change = replaced('verify = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"\n', "")
        installed(profile_file, "kubernetes-in-cluster", {"api": "https://127.0.0.1:1"}, {}, change)
        result = forge("get", PODS)
        assert result.exit_code == 2
        assert "/var/run/secrets/kubernetes.io/serviceaccount/token" in result.stderr
