"""TLS settings: which authorities and which client certificate."""

from __future__ import annotations

import os
import ssl
import sys
from contextlib import ExitStack
from tempfile import TemporaryDirectory

from ..errors import RequestBuildException
from ..registry import Registry
from .deadline import TimedTlsSocket

_USUAL = Registry("list of certificate authorities", {"authorities": "forge_cli.transport.authorities:usual"})

ClientCert = tuple[str, str | None, str | None]
"""The certificate, the key when it is not in the same file, and the key's password. Each of the first two is a
file or PEM text."""


def context(verify: bool | str, cert: ClientCert | None) -> ssl.SSLContext:
    """TLS settings for connections; `verify` is a switch, or the file or directory of authorities.

    RequestBuildException when a file cannot be used.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.sslsocket_class = TimedTlsSocket
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_TICKET
    made.post_handshake_auth = True
    made.set_alpn_protocols(["http/1.1"])
    if sys.version_info >= (3, 13):
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if key_log := os.environ.get("SSLKEYLOGFILE", "").strip():
        made.keylog_filename = key_log
    if verify is False:
        made.check_hostname = False
        made.verify_mode = ssl.CERT_NONE
    else:
        _load_authorities(made, _USUAL.load("authorities")() if verify is True else verify)
    if cert is not None:
        _load_client_cert(made, cert)
    return made


def _load_authorities(made: ssl.SSLContext, path: str) -> None:
    try:
        if os.path.isdir(path):
            made.load_verify_locations(capath=path)
        else:
            made.load_verify_locations(cafile=path)
    except OSError as exc:  # among them ssl.SSLError
        raise RequestBuildException(f"the CA bundle {path!r} cannot be used: {_reason(exc)}") from exc


def _load_client_cert(made: ssl.SSLContext, cert: ClientCert) -> None:
    chain, key, password = cert
    try:
        with ExitStack() as files:
            # Without a password OpenSSL would ask for one on the terminal.
            made.load_cert_chain(_file(chain, files), None if key is None else _file(key, files), password or "")
    except OSError as exc:
        name = "" if _is_pem(chain) else f" {chain!r}"
        hint = "check the files, that they belong together, and the key's password"
        raise RequestBuildException(f"the client certificate{name} cannot be used: {_reason(exc)}", hint=hint) from exc


def _file(text: str, files: ExitStack) -> str:
    """The file of a certificate or key: OpenSSL reads nothing else. PEM text is in one, of ours alone, until then."""
    if not _is_pem(text):
        return text
    path = os.path.join(files.enter_context(TemporaryDirectory()), "pem")
    with open(path, "x", encoding="ascii", errors="replace") as file:
        file.write(text.replace("\\n", "\n"))
    return path


def _is_pem(text: str) -> bool:
    return text.lstrip().startswith("-----BEGIN ")


def _reason(exc: OSError) -> str:
    if isinstance(exc, ssl.SSLError):
        return (exc.reason or "not PEM").replace("_", " ").lower()
    return (exc.strerror or type(exc).__name__).lower()
