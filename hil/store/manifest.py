"""What a run is: its name and seed, with which versions it was begun, and the files it was given."""

import hashlib
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from hil.errors import ConfigError, DamagedRun, NotARun
from hil.store.layout import check_format, read_json
from hil.store.lines import plain

FORMAT = "hil-run/1"
NAME = "manifest.json"
_PACKAGES = ("hil", "torch", "numpy", "scipy", "qcodes", "qcodes-contrib-drivers", "pyvisa", "zarr")


def utc_now() -> str:
    """The time now, as the store writes it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def versions() -> dict[str, str]:
    """Versions of Python and of the installed packages that shape a result."""
    found = {"python": platform.python_version(), "platform": platform.platform()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def make_manifest(
    name: str, seed: int, contents: Mapping[str, bytes], extra: Mapping[str, Any]
) -> dict[str, Any]:
    """The manifest of a run begun now; `contents` are the files it is given, by name."""
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "name": name,
        "created": utc_now(),
        "seed": seed,
        "versions": versions(),
        "files": {file: {"sha256": hashlib.sha256(data).hexdigest()} for file, data in contents.items()},
    }
    if taken := sorted(set(manifest) & set(extra)):
        raise ConfigError(f"the manifest has a field {taken[0]!r} of its own")
    return {**manifest, **plain(extra)}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of the run in `folder`; raises NotARun, NewerFormat, DamagedRun."""
    path = folder / NAME
    if not folder.is_dir():
        raise NotARun(f"{folder} is not a folder")
    if not path.exists():
        raise NotARun(f"{folder} holds no {NAME}: it is not a run of hil")
    manifest = read_json(path)
    if not str(manifest.get("format", "")).startswith(FORMAT.rsplit("/", 1)[0] + "/"):
        raise NotARun(f"{path} is of another program: format {manifest.get('format')!r}, not {FORMAT}")
    check_format(path, manifest["format"], FORMAT)
    if missing := [key for key in ("name", "created", "seed", "files") if key not in manifest]:
        raise DamagedRun(f"{path} lacks {missing[0]!r}")
    return manifest


def read_files(files: Mapping[str, Path | str]) -> dict[str, bytes]:
    """The bytes of each file: a Path is read, a string is the text itself. Raises ConfigError."""
    contents = {}
    for name, source in files.items():
        if Path(name).name != name or name == NAME:
            raise ConfigError(f"{name!r} cannot be the name of a file in a run")
        try:
            contents[name] = source.read_bytes() if isinstance(source, Path) else source.encode()
        except OSError as error:
            raise ConfigError(f"cannot read {source}: {error.strerror}") from None
    return contents


def check_files(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Raise DamagedRun if a file that the run was given is missing or altered."""
    for name, described in manifest["files"].items():
        path = folder / name
        if not path.exists():
            raise DamagedRun(f"{path} is missing; restore it from a copy")
        if hashlib.sha256(path.read_bytes()).hexdigest() != described["sha256"]:
            raise DamagedRun(f"{path} is not what the run was begun with (SHA-256 differs); restore it")
