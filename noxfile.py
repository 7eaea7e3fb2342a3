"""Sessions: tests (default), slow, ray, lint, types, wheel, speed, coverage, mutations, docs."""

import shutil
import tempfile
from pathlib import Path
from zipfile import ZipFile

import nox

nox.options.default_venv_backend = "virtualenv"
nox.options.sessions = ["tests"]
INSTALL = ("-c", "constraints.txt")
COVERAGE = """
[run]
source = {lagom}
data_file = {data}
parallel = true
concurrency = multiprocessing, thread
patch = subprocess, _exit

[report]
fail_under = 95
show_missing = true
skip_covered = true
"""


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
def ray(session):
    """Jobs by a local Ray: 500 MB to install, and an older cloudpickle."""
    pins = Path("constraints.txt").read_text().splitlines()
    constraints = Path(session.create_tmp()) / "constraints.txt"
    pins = [x for x in pins if not x.startswith(("cloudpickle", "joblib"))]
    pins += ["joblib<1.6", "ray==2.60.0", "grpcio>=1.80"]  # newer joblib asks for cloudpickle 3
    constraints.write_text("\n".join(pins))
    session.install("-c", str(constraints), ".[test,ray]")
    # Ray's workers do not start where its temporary folder lies in the virtual environment.
    outside = {"TMPDIR": tempfile.gettempdir()}
    for words in (
        ["tests/experiment/test_scheduler.py"],
        ["-k", "ray", "tests/cli/test_launchers.py"],
    ):
        session.run("pytest", "-m", "", *words, *session.posargs, env=outside)
    session.run("pytest", "-m", "", "tests/population/test_ray_pool.py", *session.posargs)


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


@nox.session
def coverage(session):
    """Lines of lagom/ that the default suite runs, in all its processes."""
    session.install(*INSTALL, "-e", ".[test]", "coverage==7.17.3")
    folder = Path(session.create_tmp()).resolve()
    config = folder / "coveragerc"  # with full paths, as jobs and tests run elsewhere
    config.write_text(COVERAGE.format(lagom=Path("lagom").resolve(), data=folder / "data"))
    rc = f"--rcfile={config}"
    session.run("coverage", "erase", rc)
    session.run("coverage", "run", rc, "-m", "pytest", "-n", "2", *session.posargs)
    session.run("coverage", "combine", "-q", rc)
    session.run("coverage", "report", rc)


@nox.session
def mutations(session):
    """Mistakes made in a copy of the tree, each of which the tests must notice."""
    session.install(*INSTALL, ".[test]")
    session.run("python", "tests/mutations.py", *session.posargs)


@nox.session
def docs(session):
    """The API pages, in build/docs, read without a network; any warning is an error."""
    tools = ("sphinx==9.0.4", "furo==2025.12.19", "latex2mathml==3.81.1")
    session.install(*INSTALL, ".", *tools)
    out = Path("build", "docs")
    shutil.rmtree(out, ignore_errors=True)
    trees = str(Path(session.create_tmp()).resolve() / "doctrees")
    session.run("sphinx-build", "-qEW", "--keep-going", "-d", trees, "docs/api", str(out))
    session.run("python", "docs/api/check.py", str(out))
