"""Sweeps: what a job costs beside its work, by launcher; how busy the cores are kept.

    python benchmarks/sweeps.py [--rounds 3] [--jobs 20] [--seconds 5]

Overhead: a sweep of ten jobs of 64 steps minus one of a single job, divided by nine; launchers
alternate, medians over rounds.  CPU time is that of all processes and hardly depends on what else
the machine does.  submitit_local starts all its jobs at once, basic one after the other in one
process, lagom and joblib as many at a time as there are cores.

Utilisation: CPU time of all processes, start-up included, over cores times wall time.
"""

import argparse
import ctypes
import importlib.util
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from time import perf_counter

TINY = ["train.timestep=64", "train.num_step=64", "env.num_env=1", "agent.batch_size=64",
        "agent.num_epoch=1", "eval.every=0", "eval.episodes=1"]  # fmt: skip
LAUNCHERS = {
    "lagom": "lagom",
    "basic": "hydra",
    "joblib": "hydra_plugins.hydra_joblib_launcher",
    "submitit_local": "hydra_plugins.hydra_submitit_launcher",
}


def adopt_orphans():
    """Processes that outlive their parents become children of this one (Linux)."""
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def seconds(*words):
    """(wall, CPU) seconds of ``lagom train``, all its processes and their children included."""

    def cpu():
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    with tempfile.TemporaryDirectory() as folder:
        before, start = cpu(), perf_counter()
        subprocess.run(
            [sys.executable, "-m", "lagom", "train", *words],
            cwd=folder, check=True, capture_output=True,
        )  # fmt: skip
        wall = perf_counter() - start
        try:
            while True:  # the server that jobs are forked from ends a moment later
                os.waitpid(-1, 0)
        except ChildProcessError:
            return wall, cpu() - before


def overhead(rounds):
    """Launcher -> list of (wall, CPU) seconds a job."""
    launchers = [name for name, module in LAUNCHERS.items() if importlib.util.find_spec(module)]
    costs = {name: [] for name in launchers}
    for _ in range(rounds):
        for name in launchers:
            one, ten = (seconds(*TINY, f"seeds={n}", f"hydra/launcher={name}") for n in (1, 10))
            costs[name].append([(b - a) / 9 for a, b in zip(one, ten, strict=True)])
    return costs


def main():
    """Measure and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each of these jobs, roughly")
    args = parser.parse_args()
    adopt_orphans()
    import lagom.cli.plugins  # noqa: F401  # makes the plugins that are installed importable

    if args.rounds:
        print("| launcher | seconds a job | CPU seconds a job |\n| --- | --- | --- |")
        for name, values in overhead(args.rounds).items():
            wall, cpu = map(statistics.median, zip(*values, strict=True))
            print(f"| {name} | {wall:.2f} | {cpu:.2f} |", flush=True)
        print()
    if not args.jobs:
        return
    probe = [*TINY, "train.num_step=512", "train.timestep={}", "agent.num_epoch=4"]
    short, long = (
        seconds(*(word.format(n) for word in probe))[1] for n in (2048, 2048 + 20480)
    )  # one job each: how many steps make a second?
    steps = round(20480 / (long - short) * args.seconds)
    wall, cpu = seconds(*(word.format(steps) for word in probe), f"seeds={args.jobs}")
    cores = os.cpu_count()
    print("| jobs | cores | wall seconds | CPU seconds | busy |\n| --- | --- | --- | --- | --- |")
    print(f"| {args.jobs} | {cores} | {wall:.1f} | {cpu:.1f} | {cpu / cores / wall:.0%} |")


if __name__ == "__main__":
    main()
