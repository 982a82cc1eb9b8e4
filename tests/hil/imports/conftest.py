"""Where the peers' files lie, if they lie anywhere, and files like theirs made here."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def dnpu() -> Path:
    """The measured devices' files: beside the repository, or where HIL_SHARED says; never copied."""
    default = Path(__file__).parents[4] / "shared"
    folder = Path(os.environ.get("HIL_SHARED", default)) / "data" / "dnpu"
    if not folder.is_dir():
        pytest.skip(f"no files of the peers in {folder}")
    return folder
