"""What the numbers of a job may depend on beside its configuration and seed."""

import hashlib
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from lagom.utils.threads import blas


def fingerprint(config):
    """What the numbers of a job may depend on beside its configuration and seed."""
    names = ("lagom", "torch", "numpy", "scipy", "gymnasium", "mujoco", "cma")
    versions = {}
    for name in names:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return {
        "sources": sources_digest(),
        "versions": {"python": sys.version.split()[0], **versions},
        "git": _git(),
        "machine": {
            "system": " ".join(os.uname()[:3:2]),
            "cpu": os.uname().machine,
            "cores": os.cpu_count(),
            "blas": blas(),
        },
        "threads": config.get("threads"),
    }


def sources_digest():
    """A digest of the source files of lagom and its algorithms."""
    import lagom.algorithms

    digest = hashlib.sha256()
    for root in (Path(lagom.__file__).parent, Path(lagom.algorithms.__file__).parent):
        for path in sorted(root.rglob("*.py")):
            digest.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def _git():
    """Commit of the checkout that lagom runs from, and a digest of its uncommitted changes."""
    folder = Path(__file__).resolve().parents[2]
    if not (folder / ".git").exists():
        return None
    try:
        run = lambda *words: (
            subprocess.run(
                ["git", "-C", str(folder), *words], capture_output=True, timeout=10, check=True
            ).stdout
        )
        diff = run("diff", "HEAD")
        return {
            "commit": run("rev-parse", "HEAD").decode().strip(),
            "diff": hashlib.sha256(diff).hexdigest() if diff else None,
        }
    except (OSError, subprocess.SubprocessError):
        return None
