"""``kill -9`` of random processes of ``lagom train``: what is lost, and what stays behind.

    python benchmarks/kills.py [--kills 50] [--jobs 8] [--single 10] [--seed 0]

A sweep is run undisturbed, then again in another folder while random processes of it (the program,
its jobs, their environment workers, the server that jobs are started from) are killed at random
moments, and the same command is given until it succeeds.  Then, with ``--single`` kills each, one
job of each kind of algorithm, and one whose environments live in processes.
Prints what was killed, and compares all files that do not hold wall-clock times, byte by byte.
Linux only: processes are found in ``/proc``, by a variable in their environment.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from lagom.experiment import storage

CLOCKED = {"status.json", "fingerprint.json", "job.log", "timing.journal", "timing_logs.pkl"}
LOCKS = {".lock", ".plan.lock"}
MARK = "LAGOM_BENCHMARK_KILLS"
WEIGHTS = {  # of victims
    **{"job": 4, "environment worker": 4, "program": 2, "server": 1, "probe": 1, "tracker": 1}
}
ORPHAN_SECONDS = 20.0  # what still lives so long after the program has died is an orphan

SMALL = [
    *("agent.hidden_sizes=[16]", "eval.every=1500", "eval.episodes=2", "checkpoint.every=500"),
    *("hydra.launcher.workers=2", "name=kills"),
]
SWEEP = ["algo=ppo,cmaes,dqn,cem", "train.timestep=12000"]
SINGLE = {
    "ppo": ["algo=ppo", "train.timestep=40000"],
    "dqn": ["algo=dqn", "train.timestep=12000", "train.num_step=100", "replay.capacity=2500"],
    "sac": ["algo=sac", "env=Pendulum-v1", "train.timestep=5000", "train.num_step=100"],
    "cmaes": ["algo=cmaes", "train.timestep=40000"],
    "async": ["algo=ppo", "env.backend=async", "env.workers=2", "train.timestep=8000"],
}


HEAD = """\
| work | kills | starts | files | different | temporary files | orphans | jobs gone after, s \
| all gone after, s | undisturbed, s | killed, s |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


class Disturbed(NamedTuple):
    """What ``disturb`` did and saw."""

    killed: Counter  # role -> processes killed
    starts: int  # of the program, until it succeeded
    orphans: int  # processes that outlived it
    job_seconds: float  # the longest that a job took to follow it into death
    last_seconds: float  # the longest that anything took
    seconds: float


def disturb(folder, words, kills, pause, rng):
    """Run ``lagom train`` in ``folder`` until it succeeds, killing processes of it on the way.

    Args:
        folder (Path): working directory of the program.
        words (list): of the command.
        kills (int): how many; fewer if the work is done before.
        pause (float): seconds; a kill comes uniformly within so long after the last one, or after
            a job is at work.
        rng (random.Random): chooses the moments and the victims.

    Returns:
        Disturbed: what happened.

    Raises:
        RuntimeError: the program failed though nobody disturbed it; holds what it said.
    """
    mark = f"{os.getpid()}-{folder}"
    command = [sys.executable, "-m", "lagom", "train", *words]
    killed, starts, orphans, job_seconds, last_seconds = Counter(), 0, 0, 0.0, 0.0
    begin, code, disturbed = time.monotonic(), None, True
    while code != 0:
        if not disturbed:
            raise RuntimeError(f"{command}: exit code {code}\n{(folder / 'said').read_text()}")
        starts, disturbed = starts + 1, False
        with open(folder / "said", "w") as said:
            program = subprocess.Popen(
                command, cwd=folder, env=os.environ | {MARK: mark}, stdout=said, stderr=said
            )
        alive = lambda program=program: roles(folder, mark, program.pid)
        while program.poll() is None:
            if killed.total() == kills:
                program.wait()
            elif role := kill_one(program, alive, pause, rng):
                killed[role], disturbed = killed[role] + 1, True
        code = program.returncode
        left, job, last = wait_until_gone(alive)
        orphans += left
        job_seconds, last_seconds = max(job_seconds, job), max(last_seconds, last)
    (folder / "said").unlink()
    seconds = time.monotonic() - begin
    return Disturbed(killed, starts, orphans, job_seconds, last_seconds, seconds)


def kill_one(program, alive, pause, rng):
    """Kill a process of ``program``, as ``alive`` tells them; return its role, None if all ended.

    Every second time a job has to be at work first: most kills would hit a program that is still
    getting ready.
    """
    at_work = rng.random() < 0.5
    while at_work and program.poll() is None and "job" not in alive():
        time.sleep(0.05)
    with suppress(subprocess.TimeoutExpired):
        program.wait(rng.uniform(0, pause))
    if program.poll() is None and (found := alive()):
        (role,) = rng.choices(names := sorted(found), [WEIGHTS[name] for name in names])
        with suppress(ProcessLookupError):
            os.kill(rng.choice(found[role]), signal.SIGKILL)
            return role


def wait_until_gone(alive):
    """(processes that stayed, when the last job had gone, when the last of all), in seconds."""
    begin, job, last = time.monotonic(), 0.0, 0.0
    while (found := alive()) and last < ORPHAN_SECONDS:
        last = time.monotonic() - begin
        if "job" in found:
            job = last
        time.sleep(0.01)
    for pid in (orphans := [pid for pids in found.values() for pid in pids]):
        os.kill(pid, signal.SIGKILL)
    return len(orphans), job, last


def roles(folder, mark, program):
    """Role -> ids of the processes that live and have ``mark`` in their environment.

    The roles are ``program`` (which has that process id), ``server`` (which starts the others),
    ``tracker`` (of multiprocessing's resources), ``probe``, ``job`` once its status says so, and
    ``environment worker`` (which a job or a probe has spawned).
    """
    jobs = {storage.read_json(path).get("pid") for path in folder.glob("outputs/*/*/*/status.json")}
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        pid = int(path.name)
        try:
            if f"{MARK}={mark}".encode() not in (path / "environ").read_bytes().split(b"\0"):
                continue
            if pid == program:
                role = "program"
            elif "resource_tracker" in (command := (path / "cmdline").read_text()):
                role = "tracker"
            elif "multiprocessing.spawn" in command:
                role = "environment worker"
            elif os.getpgid(pid) != pid:  # what the server starts is at the head of a group
                role = "server"
            else:
                role = "job" if pid in jobs else "probe"
        except OSError:  # gone meanwhile, or not ours
            continue
        found.setdefault(role, []).append(pid)
    return found


def results(folder):
    """Relative path -> bytes of every file without wall-clock times; None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.name not in CLOCKED | LOCKS
    }


def temporary_files(folder):
    """What only a process at work may have: hidden, but no lock."""
    return [path for path in folder.rglob(".*") if path.name not in LOCKS]


def differences(expected, found):
    """Names that only one of two ``results`` has, or whose bytes differ."""
    names = sorted(expected.keys() | found.keys())
    nothing = object()
    return [name for name in names if expected.get(name, nothing) != found.get(name, nothing)]


def compare(words, kills, pause, rng, root):
    """(files, differences, temporary files, undisturbed, disturbed) of one command."""
    for name in ("whole", "killed"):
        (root / name).mkdir(parents=True)
    whole = disturb(root / "whole", words, 0, pause, rng)
    killed = disturb(root / "killed", words, kills, pause, rng)
    expected, found = results(root / "whole"), results(root / "killed")
    num_file = sum(content is not None for content in expected.values())
    left = temporary_files(root)
    return num_file, differences(expected, found), left, whole, killed


def main():
    """Run everything, print a table; exit code 1 if anything differed or was left."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="in the sweep")
    parser.add_argument("--jobs", type=int, default=8, help="of the sweep; a multiple of 4")
    parser.add_argument("--single", type=int, default=10, help="kills of each single job")
    parser.add_argument("--pause", type=float, default=4.0, help="most seconds between two kills")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.jobs % 4:
        parser.error(f"--jobs: got {args.jobs}; expected a multiple of 4")
    rng, bad = random.Random(args.seed), False
    works = [(f"sweep of {args.jobs}", [*SWEEP, f"seeds={args.jobs // 4}"], args.kills)]
    works += [(name, words, args.single) for name, words in SINGLE.items()]
    print(HEAD)
    with tempfile.TemporaryDirectory() as root:
        for name, words, kills in works:
            if not kills:
                continue
            num_file, different, left, whole, killed = compare(
                [*words, *SMALL], kills, args.pause, rng, Path(root) / name
            )
            roles = ", ".join(f"{n} {role}" for role, n in killed.killed.most_common())
            cells = [
                *(name, f"{killed.killed.total()} ({roles})", killed.starts, num_file),
                *(len(different), len(left), killed.orphans),
                *(f"{killed.job_seconds:.1f}", f"{killed.last_seconds:.1f}"),
                *(f"{whole.seconds:.0f}", f"{killed.seconds:.0f}"),
            ]
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            for path in [*different, *left]:
                print(f"{name}: {path}", file=sys.stderr, flush=True)
            bad |= bool(different or left or whole.orphans or killed.orphans)
    return int(bad)


if __name__ == "__main__":
    sys.exit(main())
