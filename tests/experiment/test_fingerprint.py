import hashlib
import subprocess
from importlib import metadata

import pytest

from lagom.experiment import fingerprint


def git(folder, *words):
    identity = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    run = subprocess.run(["git", "-C", folder, *identity, *words], capture_output=True, check=True)
    return run.stdout


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder in the place of the one that lagom lies in."""
    monkeypatch.setattr(fingerprint, "__file__", str(tmp_path / "lagom/experiment/fingerprint.py"))
    return tmp_path


def test_packages_that_are_not_installed_have_no_version(monkeypatch):
    def version(name):
        if name == "mujoco":
            raise metadata.PackageNotFoundError(name)
        return f"{name} 1"

    monkeypatch.setattr(fingerprint.metadata, "version", version)
    versions = fingerprint.fingerprint({"threads": 3})["versions"]

    assert versions["mujoco"] is None
    assert versions["numpy"] == "numpy 1"


def test_commit_and_changes(checkout):
    assert fingerprint._git() is None  # no checkout: an installed wheel

    git(checkout, "init")
    assert fingerprint._git() is None  # nothing committed: git fails

    (checkout / "a").write_text("1\n")
    git(checkout, "add", "a")
    git(checkout, "commit", "-m", "a")
    commit = git(checkout, "rev-parse", "HEAD").decode().strip()
    assert fingerprint._git() == {"commit": commit, "diff": None}

    (checkout / "a").write_text("2\n")
    diff = hashlib.sha256(git(checkout, "diff", "HEAD")).hexdigest()
    assert fingerprint._git() == {"commit": commit, "diff": diff}
