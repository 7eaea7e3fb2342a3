"""How long ``lagom plot`` takes for many runs, beside a script of pandas and seaborn.

    python benchmarks/plot.py [--runs 1000] [--rows 1000] [--rounds 3] [--seaborn PYTHON]
    python benchmarks/plot.py --coverage

Both draw four panels of five algorithms with means and intervals, each in a process of its own,
one after the other in every round.  The script reads the pickles that runs leave at their end,
which is the least that can be read; ``lagom plot`` reads the journals and checks every line.
``--seaborn`` names a Python that has seaborn, by default this one; without it only lagom is timed.
Prints a Markdown table: the median over the rounds, and the smallest and largest.

``--coverage`` prints instead how often the intervals of ``final_table`` hold the truth.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np
import yaml

from lagom.experiment.storage import write_pickle
from lagom.vis import final_table
from lagom.vis.runs import Run

ENVS = ("CartPole-v1", "Acrobot-v1", "Pendulum-v1", "MountainCar-v0")
ALGOS = ("ppo", "vpg", "sac", "cem", "cmaes")

SCRIPT = """
import pathlib, pickle, sys
import matplotlib
matplotlib.use("Agg")
import pandas as pd
import seaborn as sns

root, interval = pathlib.Path(sys.argv[1]), sys.argv[2]
frames = []
for path in sorted(root.glob("*/*/*/eval_logs.pkl")):
    algo, env = path.parts[-4].split("+")
    with open(path, "rb") as file:
        logs = pickle.load(file)
    frame = pd.DataFrame({key: logs[key] for key in ("timestep", "return")})
    frames.append(frame.assign(algo=algo, env=env, seed=path.parts[-2]))
errorbar = ("ci", 95) if interval == "bootstrap" else ("se", 1.96)
grid = sns.relplot(
    pd.concat(frames, ignore_index=True), kind="line", x="timestep", y="return", hue="algo",
    col="env", col_wrap=2, errorbar=errorbar, facet_kws={"sharey": False},
)
grid.savefig(root / "seaborn.png", dpi=150)
"""

# What is run: how it names itself, and its arguments behind the Python.
LAGOM = ("lagom plot", ["-m", "lagom", "plot"])
SEABORN = (
    ("pandas + seaborn, normal interval", ["-c", SCRIPT, "{root}", "normal"]),
    ("pandas + seaborn, bootstrap (its default)", ["-c", SCRIPT, "{root}", "bootstrap"]),
)


def make_runs(root, num_run, num_row):
    """An experiment per algorithm and environment, with the logs that PPO would leave."""
    rng = np.random.default_rng(0)
    num_seed = max(1, num_run // (len(ENVS) * len(ALGOS)))
    for i, env in enumerate(ENVS):
        for j, algo in enumerate(ALGOS):
            folder = root / f"{algo}+{env}" / "0"
            for seed in range(num_seed):
                (folder / str(seed)).mkdir(parents=True)
                curve = 100 * (i + 1) * (1 - np.exp(-np.arange(num_row) / (100 + 50 * j)))
                write_run(folder / str(seed), curve, rng)
            config = {"ID": 0, "algo.name": algo, "env.id": env, "agent.lr": 3e-4}
            (folder / "config.yml").write_text(yaml.safe_dump(config))
    return num_seed * len(ENVS) * len(ALGOS)


def write_run(folder, curve, rng):
    """``eval.journal``, ``eval_logs.pkl`` and ``status.json`` of ten episodes an evaluation."""
    returns = curve[:, None] + rng.normal(0, 20, (len(curve), 10))  # [T, 10]
    rows = [
        {
            "timestep": 1000 * (t + 1),
            "return": float(row.mean()),
            "return_std": float(row.std()),
            "length": float(row[0]),
            "episodes": 10,
            "returns": row.tolist(),
        }
        for t, row in enumerate(returns)
    ]
    bodies = [f"{t} {json.dumps(row)}".encode() for t, row in enumerate(rows)]
    lines = [b"%08x %s\n" % (zlib.crc32(body), body) for body in bodies]
    (folder / "eval.journal").write_bytes(b"".join(lines))
    write_pickle(folder / "eval_logs.pkl", {key: [row[key] for row in rows] for key in rows[0]})
    (folder / "status.json").write_text(json.dumps({"status": "done", "timestep": 0}))


def measure(command):
    """Wall seconds, CPU seconds and peak memory in MiB of one command."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, code, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(code)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def compare(args):
    """Make the runs, time all programs, print the table."""
    programs = [(LAGOM[0], [sys.executable, *LAGOM[1], "{root}"])]
    if args.seaborn:
        programs += [(name, [args.seaborn, *words]) for name, words in SEABORN]
    measured = {name: [] for name, _ in programs}
    with tempfile.TemporaryDirectory() as root:
        num_run = make_runs(Path(root), args.runs, args.rows)
        for n in range(args.rounds):
            for name, words in programs:
                if "bootstrap" in name and n:
                    continue  # minutes; once will do
                measured[name].append(measure([word.replace("{root}", root) for word in words]))
    print(f"{num_run} runs of {args.rows} evaluations\n")
    print("| program | wall s | CPU s | peak MiB | times lagom's wall |")
    print("| --- | --- | --- | --- | --- |")
    base = statistics.median(wall for wall, _, _ in measured[LAGOM[0]])
    for name, rows in measured.items():
        wall, cpu, peak = (
            [f"{x:.4g}" for x in _spread(column)] for column in zip(*rows, strict=True)
        )
        ratio = statistics.median(row[0] for row in rows) / base
        cells = [f"{m} ({low} to {high})" for m, low, high in (wall, cpu, peak)]
        print(f"| {name} | {' | '.join(cells)} | {ratio:.1f} |")


def _spread(values):
    return statistics.median(values), min(values), max(values)


SAMPLERS = {
    "normal": lambda rng, shape: rng.normal(0, 1, shape),
    "uniform": lambda rng, shape: rng.uniform(-1, 1, shape),
    "exponential (skewed)": lambda rng, shape: rng.exponential(1, shape) - 1,
    "log-normal (very skewed)": lambda rng, shape: rng.lognormal(0, 1, shape) - np.exp(0.5),
    "80 % at 500, 20 % at 50 (bimodal)": lambda rng, shape: (
        np.where(rng.random(shape) < 0.8, 90.0, -360.0) + rng.normal(0, 10, shape)
    ),
    "95 % at 500, 5 % at 50 (rare failures)": lambda rng, shape: (
        np.where(rng.random(shape) < 0.95, 22.5, -427.5) + rng.normal(0, 10, shape)
    ),
}


def coverage(num=2000):
    """Print how often the intervals of ``final_table`` hold the true mean, which is 0."""
    sizes = (3, 5, 10, 20)
    print("| seeds are | " + " | ".join(f"n = {n}" for n in sizes) + " |")
    print("| --- |" + " --- |" * len(sizes))
    for name, sample in SAMPLERS.items():
        rng = np.random.default_rng(0)
        cells = [f"{100 * _held(sample(rng, (num, n))):.1f} %" for n in sizes]
        print(f"| {name} | {' | '.join(cells)} |")
    print(f"\n{num} draws each: ± {196 * (0.95 * 0.05 / num) ** 0.5:.1f} % at 95 %")


def _held(values):
    """The share of rows ``[B, n]`` whose interval holds 0."""
    runs = [
        Run(Path(f"x/{ID}/{seed}"), "x", ID, seed, "done", {"ID": ID}, {"eval": log})
        for ID, row in enumerate(values)
        for seed, value in enumerate(row)
        for log in [{"timestep": [1], "return": [float(value)]}]
    ]
    return np.mean([abs(end["final"]) < end["half"] for end in final_table(runs, group=["ID"])])


def has_seaborn(python):
    """Whether the program ``python`` can import seaborn."""
    command = [python, "-c", "import seaborn"]
    return subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 0


def main():
    """Read the arguments; do one or the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seaborn", default=sys.executable)
    parser.add_argument("--coverage", action="store_true")
    args = parser.parse_args()
    if args.coverage:
        coverage()
        return
    if not has_seaborn(args.seaborn):
        print(f"{args.seaborn} has no seaborn: timing lagom alone\n", file=sys.stderr)
        args.seaborn = None
    compare(args)


if __name__ == "__main__":
    main()
