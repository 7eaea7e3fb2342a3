"""Sessions: tests (the default), slow, lint, wheel, speed."""

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["tests"]
INSTALL = ("-c", "constraints.txt")


@nox.session
def tests(session):
    """The default suite, against the installed package."""
    session.install(*INSTALL, ".[test]")
    session.run("pytest", *session.posargs)


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
    session.install(*INSTALL, ".", "mypy", "types-PyYAML")
    session.run("mypy", *session.posargs)


@nox.session
def wheel(session):
    """The wheel holds one package, and works outside the checkout."""
    session.install("build")
    folder = session.create_tmp()
    session.run("python", "-m", "build", "--outdir", folder, ".")
    session.run("python", "tests/check_wheel.py", folder)


@nox.session
def speed(session):
    """Environment steps per CPU second beside Stable-Baselines3, interleaved."""
    session.install(*INSTALL, ".", "stable-baselines3")
    session.run("python", "benchmarks/speed.py", *session.posargs)
