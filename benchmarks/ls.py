"""How long ``lagom ls`` takes for many runs, in a process of its own.

    python benchmarks/ls.py [--configs 2000] [--seeds 5] [--rounds 5] [words for lagom ls ...]

The folders are made in a temporary directory and are warm in the file system's cache, as they are
the second time one looks.  Prints the median of wall and CPU seconds over the rounds.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

from lagom.experiment.schema import flatten
from lagom.experiment.storage import write_bytes, write_pickle


def make_experiment(folder, num_config, num_seed):
    """``num_config`` configurations of PPO, which differ in two keys, with ``num_seed`` runs."""
    conf = Path(__file__).parents[1] / "conf"
    config = {}
    for name in ("config.yaml", "algo/ppo.yaml"):
        config |= flatten(yaml.safe_load((conf / name).read_text()))
    config = {
        k: v for k, v in config.items() if not k.startswith(("hydra.", "defaults", "seed", "ID"))
    }
    config["env.id"] = "CartPole-v1"
    configs = [
        {"ID": i, **config, "agent.lr": 1e-5 * (i // 40 + 1), "agent.clip": 0.01 * (i % 40 + 1)}
        for i in range(num_config)
    ]
    states = ["done"] * 7 + ["running", "failed", "stopped"]
    for config in configs:
        for seed in range(num_seed):
            run = folder / str(config["ID"]) / str(seed)
            run.mkdir(parents=True)
            status = states[(config["ID"] + seed) % len(states)]
            write_status(run, status, config["train.timestep"])
        text = "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())
        write_bytes(run.parent / "config.yml", text.encode(), sync=False)
    write_pickle(folder / "configs.pkl", configs)


def write_status(run, status, budget):
    """``status.json`` of a run that is at its end, or half way."""
    now = time.time()
    content = {
        "status": status,
        "timestep": budget if status == "done" else budget // 2,
        "budget": budget,
        "started": now - 1000,
        "pid": os.getpid(),
        "host": os.uname().nodename,
        "error": "ValueError: broken" if status == "failed" else None,
        "return": int(run.name) + 100.0,
        "updated": now,
    }
    write_bytes(run / "status.json", json.dumps(content, indent=1).encode(), sync=False)


def measure(words, folder):
    """(wall, CPU) seconds of one ``lagom`` command."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "lagom", *words]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main():
    """Make the folders, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--configs", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=5)
    args, words = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as folder:
        make_experiment(Path(folder, "outputs", "sweep"), args.configs, args.seeds)
        for command in (["ls", *words], ["status"], ["--version"]):
            times = [measure(command, folder) for _ in range(args.rounds)]
            wall, cpu = (statistics.median(column) for column in zip(*times, strict=True))
            print(f"lagom {' '.join(command)}: wall {wall:.2f} s, CPU {cpu:.2f} s")


if __name__ == "__main__":
    main()
