"""Replay buffers: microseconds a call and memory, lagom beside Stable-Baselines3, interleaved.

    python benchmarks/replay.py [--rounds 7]

A million transitions of 17 + 6 float32 numbers, in episodes of 1000 steps; minibatches of 256.
Rounds alternate (A B A B ...) within one process with one math thread; the median over rounds is
printed, and the fastest round.
"""

import argparse
import importlib.util
import statistics
from time import perf_counter

import numpy as np
import torch

from lagom.data import PrioritizedReplayBuffer, ReplayBuffer, Trajectory

NUM, OBS, ACTION, LENGTH, BATCH = 1_000_000, 17, 6, 1000, 256


def episodes(seed):
    """Observations ``[T + 1, OBS]``, actions and rewards of ``NUM`` steps in all."""
    rng = np.random.default_rng(seed)
    for _ in range(NUM // LENGTH):
        yield (
            rng.random((LENGTH + 1, OBS), np.float32),
            rng.random((LENGTH, ACTION), np.float32),
            rng.random(LENGTH),
        )


def lagom_buffer(cls, n_step=1):
    """A full buffer."""
    replay = cls(NUM + NUM // LENGTH, n_step=n_step)
    replay.add([Trajectory(*episode, truncated=True) for episode in episodes(0)])
    return replay


def of_lagom():
    """(what is measured -> function without arguments, bytes)."""
    uniform, steps = lagom_buffer(ReplayBuffer), lagom_buffer(ReplayBuffer, n_step=3)
    prioritized = lagom_buffer(PrioritizedReplayBuffer)
    error = np.random.default_rng(0).random(BATCH)
    obs = np.random.default_rng(1).random((LENGTH, OBS), np.float32)
    action, reward = np.zeros((1, ACTION), np.float32), np.zeros(1)
    fragments = [Trajectory(obs[t : t + 2], action, reward) for t in range(LENGTH - 1)] * 100
    one, eight = iter(fragments), iter(fragments)
    streams = ReplayBuffer(NUM, num_stream=8)

    def add_eight():
        tau = next(eight)
        D = [Trajectory(tau.observations, action, reward, stream=b) for b in range(8)]
        streams.add(D)

    def tensors():
        return {key: torch.from_numpy(x) for key, x in uniform.sample(BATCH).items()}

    def prioritize():
        prioritized.update(prioritized.sample(BATCH)["index"], error)

    return {
        "sample": lambda: uniform.sample(BATCH),
        "sample, as tensors": tensors,
        "sample, 3 steps": lambda: steps.sample(BATCH),
        "prioritized sample + update": prioritize,
        "add a step of one environment": lambda: uniform.add([next(one)]),
        "add a step of 8 environments": add_eight,
    }, uniform.nbytes


def of_stable_baselines3():
    """(what is measured -> function without arguments, bytes)."""
    from gymnasium.spaces import Box
    from stable_baselines3.common.buffers import ReplayBuffer as Peer

    def make(num_env):
        spaces = Box(-1, 1, (OBS,), np.float32), Box(-1, 1, (ACTION,), np.float32)
        return Peer(NUM, *spaces, device="cpu", n_envs=num_env)

    uniform, streams = make(1), make(8)
    for obs, action, reward in episodes(0):
        for t in range(LENGTH):
            info = [{"TimeLimit.truncated": t == LENGTH - 1}]
            uniform.add(obs[t], obs[t + 1], action[t], reward[t], [t == LENGTH - 1], info)
    obs, action = np.zeros((8, OBS), np.float32), np.zeros((8, ACTION), np.float32)
    reward, done, info = np.zeros(8), np.zeros(8, bool), [{}] * 8
    names = ("observations", "next_observations", "actions", "rewards", "dones", "timeouts")
    return {
        "sample, as tensors": lambda: uniform.sample(BATCH),
        "add a step of one environment": lambda: uniform.add(
            obs[:1], obs[:1], action[:1], reward[:1], done[:1], info[:1]
        ),
        "add a step of 8 environments": lambda: streams.add(obs, obs, action, reward, done, info),
    }, sum(getattr(uniform, name).nbytes for name in names)


def microseconds(f, num=300):
    """Of one call, mean over ``num``."""
    start = perf_counter()
    for _ in range(num):
        f()
    return (perf_counter() - start) / num * 1e6


def main():
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    peers = {"lagom": of_lagom, "stable_baselines3": of_stable_baselines3}
    calls, nbytes = {}, {}
    for peer, make in peers.items():
        if importlib.util.find_spec(peer) is None:
            print(f"{peer}: not installed")
            continue
        calls[peer], nbytes[peer] = make()
        print(f"{peer}: {nbytes[peer] / 1e6:.0f} MB for {NUM:,} transitions")
    for what in calls["lagom"]:
        taking_part = [peer for peer in calls if what in calls[peer]]
        times = {peer: [] for peer in taking_part}
        for _ in range(rounds):
            for peer in taking_part:
                times[peer].append(microseconds(calls[peer][what]))
        words = (
            f"{peer} {statistics.median(x):.1f} µs (fastest {min(x):.1f})"
            for peer, x in times.items()
        )
        print(f"{what}: {', '.join(words)}")


if __name__ == "__main__":
    main()
