"""Environments: lagom beside Gymnasium's vector environments, in steps per CPU-second.

    python benchmarks/envs.py [--rounds 5] [--seconds 0.3] [--ids CartPole-v1 ...] [--crossover]

The same random actions for all, episodes and resets included, one math thread.  CPU seconds are
those of this process and, for Gymnasium's processes, of its children.  Rounds alternate (A B C A B
C ...), so that other work on the machine touches all alike; the table shows medians, and medians of
ratios within a round.  "raw" calls ``mj_step`` and nothing else: no environment can be faster on
one core.  ``--crossover`` shows from how many sub-environments a batch beats stepping in turn.
"""

import argparse
import os
import statistics
import time
import warnings
from functools import partial

import gymnasium
import mujoco
import numpy as np

from lagom.envs import make
from lagom.envs.backend import vectorize

IDS = ["CartPole-v1", "Pendulum-v1", "HalfCheetah-v2", "Hopper-v2", "Ant-v2"]
CLASSIC = ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1"]
PEERS = ("Gymnasium sync", "Gymnasium async", "raw")


def cpu_seconds(children=()):
    """Of this process and of ``children``, process IDs."""
    seconds = time.process_time()
    for pid in children:
        with open(f"/proc/{pid}/stat") as f:
            fields = f.read().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return seconds


def lagom(id, num_env, backend="auto"):
    """What ``lagom train`` steps, without its wrappers."""
    make_env = partial(make, id, disable_env_checker=True)
    env = vectorize(make_env, num_env, list(range(num_env)), backend)
    env.reset()
    return env.step, env.close, ()


def gymnasium_sync(id, num_env):
    """One after another."""
    return _gymnasium(gymnasium.vector.SyncVectorEnv, id, num_env)


def gymnasium_async(id, num_env):
    """A process each."""
    return _gymnasium(gymnasium.vector.AsyncVectorEnv, id, num_env)


def _gymnasium(cls, id, num_env):
    mode = gymnasium.vector.AutoresetMode.SAME_STEP
    make_env = partial(make, id, disable_env_checker=True)
    env = cls([make_env] * num_env, autoreset_mode=mode)
    env.reset(seed=0)
    return env.step, env.close, [process.pid for process in getattr(env, "processes", [])]


def raw(id, num_env):
    """The simulator alone; episodes do not end."""
    core = make(id, disable_env_checker=True).unwrapped
    if not hasattr(core, "frame_skip"):
        return None
    datas = []
    for seed in range(num_env):
        core.reset(seed=seed)
        data = mujoco.MjData(core.model)
        data.qpos[:], data.qvel[:] = core.data.qpos, core.data.qvel
        datas.append(data)

    def step(actions):
        for data, action in zip(datas, actions, strict=True):
            data.ctrl[:] = action
            mujoco.mj_step(core.model, data, nstep=core.frame_skip)

    return step, core.close, ()


def rate(step, actions, num_env, children, seconds):
    """Steps per CPU-second, all sub-environments together."""
    num, start = 0, cpu_seconds(children)
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        for action in actions:
            step(action)
        num += len(actions)
    return num * num_env / (cpu_seconds(children) - start)


def compare(makers, id, num_env, rounds, seconds):
    """Name -> ``[rounds]`` steps per CPU-second."""
    space = make(id).action_space
    space.seed(0)
    actions = np.array(
        [[space.sample() for _ in range(num_env)] for _ in range(max(4, 200 // num_env))]
    )
    made = {name: maker(id, num_env) for name, maker in makers.items()}
    made = {name: x for name, x in made.items() if x}
    rows = []
    for r in range(rounds + 1):  # the first one warms up
        row = {
            name: rate(step, actions, num_env, children, seconds if r else seconds / 4)
            for name, (step, _, children) in made.items()
        }
        rows.append(row)
    for _, close, _ in made.values():
        close()
    return {name: [row[name] for row in rows[1:]] for name in made}


def ratio(ours, theirs):
    """Median over rounds."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))


def show_rates(ids, rounds, seconds):
    """Print the table of peers."""
    print("| id | sub-environments | lagom | " + " | ".join(PEERS) + " |")
    print("| --- " * (len(PEERS) + 3) + "|")
    makers = dict(zip(PEERS, (gymnasium_sync, gymnasium_async, raw), strict=True))
    for id in ids:
        for num_env in (1, 8, 64):
            rates = compare({"lagom": lagom, **makers}, id, num_env, rounds, seconds)
            cells = [f"{statistics.median(rates['lagom']):,.0f}"]
            for peer in PEERS:
                if peer not in rates:
                    cells.append("-")
                    continue
                times = ratio(rates["lagom"], rates[peer])
                cells.append(f"{statistics.median(rates[peer]):,.0f} ({times:.2f}x)")
            print(f"| {id} | {num_env} | " + " | ".join(cells) + " |", flush=True)


def show_crossover(ids, rounds, seconds):
    """Print how many times faster a batch is than stepping in turn."""
    sizes = (1, 2, 3, 4, 8, 16)
    print("| id | " + " | ".join(map(str, sizes)) + " |")
    print("| --- " * (len(sizes) + 1) + "|")
    for id in ids:
        batch = "classic" if id in CLASSIC else "mujoco"
        cells = []
        for num_env in sizes:
            makers = {name: partial(lagom, backend=name) for name in (batch, "serial")}
            rates = compare(makers, id, num_env, rounds, seconds)
            cells.append(f"{ratio(rates[batch], rates['serial']):.2f}")
        print(f"| {id} | " + " | ".join(cells) + " |", flush=True)


def main():
    """Run the rounds, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.3)
    parser.add_argument("--ids", nargs="+")
    parser.add_argument("--crossover", action="store_true")
    args = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)
    if args.crossover:
        show_crossover(args.ids or [*CLASSIC, *IDS[2:]], args.rounds, args.seconds)
    else:
        show_rates(args.ids or IDS, args.rounds, args.seconds)


if __name__ == "__main__":
    main()
