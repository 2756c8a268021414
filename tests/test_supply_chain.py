"""What is installed with forge, and what is published: sound releases, known licences, the same bytes each time."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from docs import licences
from tests.conftest import Require

ROOT = Path(__file__).parents[1]
LOCK = ROOT / ".ci" / "requirements.lock"
AUDIT = ROOT / ".ci" / "audit"

# Of each, the last release that is known to be vulnerable.
VULNERABLE = {
    "brotli": "1.1.0",
    "click": "8.3.2",
    "cryptography": "49.0.0",
    "django": "5.2.16",
    "joserfc": "1.7.5",
    "redis": "4.5.3",
    "requests": "2.32.5",
    "urllib3": "2.7.0",
}


def project() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def declared() -> dict[str, Requirement]:
    """What is asked for, by forge itself and by every extra, and for building."""
    table = project()
    extras: Mapping[str, list[str]] = table["project"]["optional-dependencies"]
    texts = [*table["project"]["dependencies"], *table["build-system"]["requires"]]
    found = [Requirement(text) for text in (*texts, *(text for group in extras.values() for text in group))]
    return {canonicalize_name(item.name): item for item in found if item.name != table["project"]["name"]}


@pytest.fixture(scope="module")
def locked(require: Require) -> dict[str, list[tuple[Requirement, int]]]:
    """The releases of the lock by name, each with the number of its hashes."""
    if not LOCK.exists():
        require.missing("an sdist has no lock")
    found: dict[str, list[tuple[Requirement, int]]] = {}
    for entry in re.findall(r"^[a-z].*(?:\n    --hash.*)*", LOCK.read_text(encoding="utf-8"), re.MULTILINE):
        requirement = Requirement(entry.partition("\\\n")[0].strip())
        hashes = len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", entry))
        found.setdefault(canonicalize_name(requirement.name), []).append((requirement, hashes))
    return found


def version(requirement: Requirement) -> Version:
    [exact] = requirement.specifier
    assert exact.operator == "=="
    return Version(exact.version)


@pytest.mark.parametrize("name", sorted(VULNERABLE))
def test_a_release_that_is_known_to_be_vulnerable_is_shut_out(name: str) -> None:
    bounds = declared()[name].specifier
    assert not bounds.contains(VULNERABLE[name])
    assert bounds.contains("1000")


def test_what_users_install_has_a_lower_bound_and_no_upper_one() -> None:
    wanted = [requirement for group in licences.roots().values() for requirement in group]
    assert len(wanted) > 10
    assert [str(item) for item in wanted if {bound.operator for bound in item.specifier} != {">="}] == []


def test_the_lock_has_what_pyproject_asks_for(locked: dict[str, list[tuple[Requirement, int]]]) -> None:
    asked = declared()
    assert [name for name in asked if name not in locked] == [], "run: .ci/lock"
    wrong = [str(item) for name in asked for item, _ in locked[name] if version(item) not in asked[name].specifier]
    assert wrong == [], "run: .ci/lock"


def test_the_lock_has_one_release_of_each_package_with_hashes(locked: dict[str, list[tuple[Requirement, int]]]) -> None:
    for entries in locked.values():
        here = [item for item, _ in entries if item.marker is None or item.marker.evaluate()]
        assert len(here) <= 1
        assert [str(item) for item, hashes in entries if not hashes] == []


def test_the_lock_is_complete(locked: dict[str, list[tuple[Requirement, int]]]) -> None:
    missing = set()
    for installed in distributions():
        if canonicalize_name(installed.name) in locked:
            needs = [Requirement(text) for text in installed.requires or ()]
            missing |= {
                canonicalize_name(item.name)
                for item in needs
                if (item.marker is None or item.marker.evaluate({"extra": ""}))
                and canonicalize_name(item.name) not in locked
            }
    assert missing == set(), "run: .ci/lock"


def test_the_lock_names_no_place_that_packages_come_from(require: Require) -> None:
    if not LOCK.exists():
        require.missing("an sdist has no lock")
    text = LOCK.read_text(encoding="utf-8")
    assert "://" not in text
    options = {word for word in text.split() if word.startswith("-") and not word.startswith("--hash=")}
    assert options <= {"-", "-r"}, "words of comments only"


def test_the_licences_page_is_up_to_date() -> None:
    text = licences.PAGE.read_text(encoding="utf-8")
    shown = set(re.findall(r"^\| [a-z].*\|$", text, re.MULTILINE)) - {"| package | needed by | licence |"}
    here = {str(row) for row in licences.rows()}
    assert here - shown == set(), "run: python docs/licences.py"
    # Another Python or system needs fewer of them; the one that the page is written on needs each.
    if sys.platform == "linux" and sys.version_info[:2] == (3, 11):
        assert text == licences.page(), "run: python docs/licences.py"


def test_every_licence_is_one_that_is_allowed() -> None:
    assert [str(row) for row in licences.rows() if not licences.allowed(row.licence)] == []


@pytest.mark.parametrize(
    ("expression", "fine"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-3-Clause", True),
        ("GPL-3.0-only OR MIT", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR Apache-2.0 AND GPL-3.0-only", True),
        ("(MIT OR GPL-3.0-only) AND BSD-3-Clause", False),
        ("(MIT OR ISC) AND BSD-3-Clause", True),
        ("unknown", False),
        ("", False),
    ],
)
def test_a_licence_is_allowed_by_its_expression(expression: str, fine: bool) -> None:
    assert licences.allowed(expression) is fine


def checkout(target: Path) -> Path:
    """A copy of what is published, with the modes and times that another machine would give it."""
    target.mkdir(parents=True)
    ignored = shutil.ignore_patterns("__pycache__", "node_modules", "benchmarks", "corpus", "fixtures")
    for name in project()["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]:
        source = ROOT / name.strip("/")
        if source.is_dir():
            shutil.copytree(source, target / source.name, ignore=ignored)
        else:
            shutil.copy(source, target)
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        if (ROOT / name).exists():
            shutil.copy(ROOT / name, target)
    for path in target.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (0, 1_000_000_000))
    return target


def build(source: Path, *kinds: str, **environ: str) -> dict[str, Path]:
    """Build there; what was built, by its name."""
    target = source.parent / f"{source.name}-dist"
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    command += [option for kind in kinds for option in ("-t", kind)]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "PYTHONPATH") if name in os.environ}
    done = subprocess.run(
        command, cwd=source, env={**kept, **environ}, capture_output=True, text=True, timeout=120, umask=0o077
    )
    assert done.returncode == 0, done.stderr
    return {path.name: path for path in target.iterdir()}


@pytest.fixture(scope="module")
def builds(tmp_path_factory: pytest.TempPathFactory, require: Require) -> list[dict[str, Path]]:
    """Two builds on what could be two machines, and the wheel that the sdist of the first makes."""
    require.package("hatchling")
    folder = tmp_path_factory.mktemp("builds")
    first = build(checkout(folder / "a"), "sdist", "wheel")
    elsewhere = {"TZ": "Asia/Tokyo", "LANG": "C", "COLUMNS": "40", "FORGE_PROFILE": "other", "NO_COLOR": "1"}
    second = build(checkout(folder / "far" / "away" / "b"), "sdist", "wheel", PYTHONHASHSEED="1", **elsewhere)
    [sdist] = [path for name, path in first.items() if name.endswith(".tar.gz")]
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    [unpacked] = (folder / "unpacked").iterdir()
    return [first, second, build(unpacked, "wheel")]


def test_two_builds_have_the_same_bytes(builds: list[dict[str, Path]]) -> None:
    first, second, from_sdist = ({name: digest(path) for name, path in files.items()} for files in builds)
    assert sorted(Path(name).suffix for name in first) == [".gz", ".whl"]
    assert second == first
    assert from_sdist and from_sdist.items() <= first.items()


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_runs_nothing_when_it_is_installed(builds: list[dict[str, Path]]) -> None:
    [wheel] = [path for name, path in builds[0].items() if name.endswith(".whl")]
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        outside = [name for name in names if not name.startswith("forge_cli/")]
        [info] = {name.partition("/")[0] for name in outside if ".dist-info/" in name}
        assert "Root-Is-Purelib: true" in archive.read(f"{info}/WHEEL").decode()
        entry_points = configparser.ConfigParser()
        entry_points.read_string(archive.read(f"{info}/entry_points.txt").decode())
    assert {name: dict(entry_points[name]) for name in entry_points.sections()} == {
        "console_scripts": {"forge": "forge_cli.__main__:command", "forge-http": "forge_cli.__main__:command"}
    }
    kept = {f"{info}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    page = info.replace(".dist-info", ".data/data/share/man/man1/forge.1")
    assert set(outside) == kept | {page}
    assert {Path(name).suffix for name in set(names) - set(outside)} <= {".py", ".toml", ".typed", ".html"}


def test_an_sdist_has_no_build_script(builds: list[dict[str, Path]]) -> None:
    [sdist] = [path for name, path in builds[0].items() if name.endswith(".tar.gz")]
    with tarfile.open(sdist) as archive:
        members = archive.getmembers()
    assert [member.name for member in members if not member.isfile()] == []
    names = {member.name.partition("/")[2] for member in members}
    assert names.isdisjoint({"setup.py", "setup.cfg", "hatch_build.py"})
    assert {"pyproject.toml", "docs/man_hook.py", "LICENSE"} <= names


AUDITOR = """
import json, sys, time
answer = {answer!r}
if answer == "wait":
    time.sleep(60)
if answer == "offline":
    sys.exit("could not connect")
print(json.dumps({{"dependencies": answer}}))
"""
GOOD = {"name": "good", "version": "1", "vulns": []}
BAD = {"name": "bad", "version": "1", "vulns": [{"id": "CVE-2000-1", "fix_versions": ["2"]}]}
UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.mark.parametrize(
    ("answer", "code", "says"),
    [
        pytest.param([GOOD, UNKNOWN], 0, "1 packages without a known vulnerability, 1 not looked up", id="good"),
        pytest.param([GOOD, BAD], 1, "bad 1: CVE-2000-1, mended in 2", id="vulnerable"),
        pytest.param([UNKNOWN], 0, "skipped: not found", id="nothing is known"),
        pytest.param("offline", 0, "skipped: could not connect", id="offline"),
        pytest.param("wait", 0, "skipped: no answer within 1 seconds", id="no answer"),
    ],
)
def test_the_audit_fails_over_a_vulnerability_and_over_nothing_else(
    tmp_path: Path, require: Require, answer: Any, code: int, says: str
) -> None:
    if not AUDIT.exists():
        require.missing("an sdist has no .ci/audit")
    # The program that asks is what is tested; who answers is a stand-in, as the network is not the test's.
    (tmp_path / "pip_audit.py").write_text(AUDITOR.format(answer=answer), encoding="utf-8")
    limit = "1" if answer == "wait" else "60"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, str(AUDIT), limit]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    assert (done.returncode, says in done.stdout) == (code, True), done.stdout + done.stderr
