"""The options of curl: which take a value, and which of them change a request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from ..errors import UsageError

LETTERS = {
    "0": "http1.0", "1": "tlsv1", "2": "sslv2", "3": "sslv3", "4": "ipv4", "6": "ipv6", "#": "progress-bar",
    ":": "next", "a": "append", "A": "user-agent", "b": "cookie", "B": "use-ascii", "c": "cookie-jar",
    "C": "continue-at", "d": "data", "D": "dump-header", "e": "referer", "E": "cert", "f": "fail", "F": "form",
    "g": "globoff", "G": "get", "h": "help", "H": "header", "i": "include", "I": "head",
    "j": "junk-session-cookies", "J": "remote-header-name", "k": "insecure", "K": "config", "l": "list-only",
    "L": "location", "m": "max-time", "M": "manual", "n": "netrc", "N": "no-buffer", "o": "output",
    "O": "remote-name", "p": "proxytunnel", "P": "ftp-port", "q": "disable", "Q": "quote", "r": "range",
    "R": "remote-time", "s": "silent", "S": "show-error", "t": "telnet-option", "T": "upload-file", "u": "user",
    "U": "proxy-user", "v": "verbose", "V": "version", "w": "write-out", "x": "proxy", "X": "request",
    "y": "speed-time", "Y": "speed-limit", "z": "time-cond", "Z": "parallel",
}  # fmt: skip

WITH_VALUE = frozenset(
    "request header data data-ascii data-raw data-binary data-urlencode url-query json form form-string user cookie "
    "user-agent referer output proxy cert key cacert max-time connect-timeout retry max-redirs url upload-file "
    "oauth2-bearer aws-sigv4 range proxy-user noproxy socks4 socks4a socks5 socks5-hostname".split()
)
"""What is understood, and has a value."""

FLAGS = frozenset(
    "get head insecure location location-trusted compressed remote-name silent show-error verbose netrc digest basic "
    "next globoff netrc-optional include".split()
)
"""What is understood, and has none."""

QUIET = frozenset(
    "fail fail-early fail-with-body no-progress-meter progress-bar no-buffer path-as-is no-keepalive tr-encoding "
    "disable http1.1 http2 basic".split()
)
"""What forge does anyway, or what nobody misses."""

LEFT_OUT = frozenset(
    "http1.0 http0.9 http2-prior-knowledge http3 http3-only ipv4 ipv6 tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 "
    "sslv2 sslv3 ssl ssl-reqd ssl-allow-beast ssl-no-revoke ssl-revoke-best-effort ssl-auto-client-cert "
    "remote-header-name remote-time remote-name-all create-dirs retry-all-errors retry-connrefused parallel "
    "parallel-immediate tcp-nodelay tcp-fastopen trace-time trace-ids alpn npn sessionid keepalive "
    "junk-session-cookies suppress-connect-headers raw styled-output cert-status doh-insecure doh-cert-status "
    "post301 post302 post303 proxytunnel xattr remove-on-error no-clobber clobber ca-native false-start "
    "metalink use-ascii ignore-content-length proxy-insecure".split()
)
"""What does not change the request as such; said and left out."""

LEFT_OUT_WITH_VALUE = frozenset(
    "write-out cookie-jar dump-header trace trace-ascii stderr limit-rate rate speed-time speed-limit retry-delay "
    "retry-max-time keepalive-time keepalive-cnt max-filesize proto proto-default proto-redir ciphers tls13-ciphers "
    "curves tls-max capath crlfile doh-url dns-servers dns-interface dns-ipv4-addr dns-ipv6-addr interface "
    "local-port expect100-timeout happy-eyeballs-timeout-ms output-dir parallel-max etag-save libcurl hsts alt-svc "
    "create-file-mode random-file egd-file engine cert-type key-type pinnedpubkey trace-config ip-tos "
    "vlan-priority proxy-ciphers proxy-cacert".split()
)

REFUSED = frozenset(
    "config unix-socket abstract-unix-socket resolve connect-to continue-at time-cond request-target crlf append "
    "list-only quote telnet-option ftp-port etag-compare negotiate ntlm ntlm-wb anyauth proxy-digest proxy-ntlm "
    "proxy-negotiate proxy-anyauth proxy-header pass delegation krb variable expand-url expand-header expand-data "
    "netrc-file preproxy haproxy-protocol haproxy-clientip service-name tlsuser tlspassword tlsauthtype "
    "help version manual proxy-cert proxy-key mail-from mail-rcpt upload-flags".split()
)
"""What changes the request, and has no counterpart."""


class Argument(NamedTuple):
    """An option by its long name without dashes, or a URL, whose name is empty; `on` is False after `--no-`."""

    name: str
    value: str = ""
    on: bool = True


def arguments(words: Sequence[str]) -> Iterator[Argument]:
    """What follows the name of the program. UsageError for an option that is not known or lacks its value."""
    rest = iter(words)
    only_urls = False
    for word in rest:
        if only_urls or not word.startswith("-") or word == "-":
            yield Argument("", word)
        elif word == "--":
            only_urls = True
        elif word.startswith("--"):
            yield _long(word[2:], rest)
        else:
            yield from _letters(word[1:], rest)


def _long(name: str, rest: Iterator[str]) -> Argument:
    if name in WITH_VALUE or name in LEFT_OUT_WITH_VALUE:
        return Argument(name, _value(f"--{name}", rest))
    if name in FLAGS or name in LEFT_OUT or name in QUIET:
        return Argument(name)
    if name in REFUSED:
        raise _refused(f"--{name}")
    positive = name.removeprefix("no-")
    if positive != name and (positive in FLAGS or positive in LEFT_OUT or positive in QUIET):
        return Argument(positive, on=False)
    # What follows "=" may be a secret, and curl knows no such form.
    raise UsageError(f"curl's --{name.partition('=')[0][:40]} is not known", hint="leave it out of the command")


def _letters(letters: str, rest: Iterator[str]) -> Iterator[Argument]:
    for index, letter in enumerate(letters):
        name = LETTERS.get(letter)
        if name is None:
            raise UsageError(f"curl's -{letter} is not known", hint="leave it out of the command")
        if name in REFUSED:
            raise _refused(f"-{letter} (--{name})")
        if name in WITH_VALUE or name in LEFT_OUT_WITH_VALUE:
            yield Argument(name, letters[index + 1 :] or _value(f"-{letter}", rest))
            return
        yield Argument(name)


def _value(option: str, rest: Iterator[str]) -> str:
    for word in rest:
        return word
    raise UsageError(f"curl's {option} has no value", hint="is the command whole?")


def _refused(option: str) -> UsageError:
    return UsageError(f"curl's {option} changes the request in a way that is not read", hint="leave it out")
