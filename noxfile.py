"""Sessions: tests (the default), slow, lint, wheel, speed."""

import shutil
from pathlib import Path
from zipfile import ZipFile

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["tests"]
INSTALL = ("-c", "constraints.txt")


@nox.session
def tests(session):
    """The default suite, against the installed package."""
    session.install(*INSTALL, ".[test]")
    session.run("pytest", "-n", "2", *session.posargs)


@nox.session
def slow(session):
    """Learning runs of minutes."""
    session.install(*INSTALL, ".[test]")
    session.run("pytest", "-m", "slow", *session.posargs)


@nox.session
def lint(session):
    """Format and style."""
    session.install("ruff")
    session.run("ruff", "format", "--check", ".")
    session.run("ruff", "check", ".")


@nox.session
def types(session):
    """The hints on public signatures, as far as they go."""
    session.install(*INSTALL, ".", "mypy", "types-PyYAML", "pandas-stubs")
    session.run("mypy", *(session.posargs or ["lagom"]))


@nox.session
def wheel(session):
    """The wheel holds one package, and works outside the checkout."""
    session.install("build")
    folder = Path(session.create_tmp()).resolve()
    for old in folder.iterdir():
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    session.run("python", "-m", "build", "--outdir", str(folder), ".")
    (wheel,) = folder.glob("*.whl")
    names = {name.split("/")[0] for name in ZipFile(wheel).namelist()}
    if len(names) != 2 or "lagom" not in names:  # the package and its metadata
        session.error(f"{wheel.name} holds {sorted(names)}; expected lagom alone")
    session.install(*INSTALL, str(wheel))
    session.chdir(folder)
    session.run("lagom", "train", "train.timestep=4096", "seeds=2")
    session.run("lagom", "es", "cmaes", "train.timestep=4096")
    session.run("lagom", "plot", "outputs")


@nox.session
def speed(session):
    """Environment steps per CPU second beside Stable-Baselines3, interleaved."""
    session.install(*INSTALL, ".", "stable-baselines3")
    session.run("python", "benchmarks/speed.py", *session.posargs)
