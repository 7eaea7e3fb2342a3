"""Library functions: lagom beside its peers, in CPU microseconds per call.

    python benchmarks/library.py [--rounds 7]

Everything runs in one process with one math thread; rounds alternate (A B C A B C ...), so that
other work on the machine touches all alike, and the table shows medians over rounds.  Each library
gets the data in the layout and the types that it wants, prepared beforehand: lagom flat arrays with
``lengths``, the others arrays of flags.  Before the clock starts results are compared.  Peers:
Stable-Baselines3, Tianshou (compiled by numba), TorchRL (the vectorized variants), cpprb and
Gymnasium, as far as they are installed.
"""

import argparse
import statistics
import time

import numpy as np
import torch

from lagom.metric import gae, returns, vtrace
from lagom.transform import RunningMeanVar, SumTree

GAMMA, LAM = 0.99, 0.95
PEERS = ("SB3", "Tianshou", "TorchRL", "cpprb", "Gymnasium")
SECONDS = 0.02  # each measurement repeats a call for about so long
rng = np.random.default_rng(0)


class Rollout:
    """``[T, B]`` steps of which one in 200 ends an episode, and the same back to back."""

    def __init__(self, T, B):
        self.T, self.B = T, B
        self.rewards, self.Vs = rng.normal(size=(2, T, B)).astype(np.float32)
        self.logprobs = rng.normal(-1, 0.3, size=(2, T, B)).astype(np.float32)  # acting, learning
        self.done = rng.random((T, B)) < 1 / 200
        self.done[-1] = True
        self.next_Vs = np.append(self.Vs[1:], np.zeros((1, B), np.float32), axis=0)
        ends = np.flatnonzero(self.done.T)
        self.lengths = np.diff(ends, prepend=-1)

    def flat(self, x):
        """``[T, B]`` -> ``[N]``, column after column."""
        return x.T.ravel()

    def columns(self, x):
        """``[N]`` -> ``[T, B]``."""
        return x.reshape(self.B, self.T).T

    def torch(self, x):
        """``[T, B]`` -> ``[B, T, 1]`` tensor."""
        return torch.from_numpy(np.ascontiguousarray(x.T[..., None]))


# Each of what follows returns the function to time, and one that gives its result to compare.


def gae_lagom(D):
    """One call for all trajectories."""
    rewards, Vs = D.flat(D.rewards), D.flat(D.Vs)
    call = lambda: gae(GAMMA, LAM, rewards, Vs, 0.0, True, lengths=D.lengths)
    return call, lambda: D.columns(call())


def gae_sb3(D):
    """A loop over time, vectorized over environments; computes returns as well."""
    from gymnasium.spaces import Box, Discrete
    from stable_baselines3.common.buffers import RolloutBuffer

    buffer = RolloutBuffer(D.T, Box(-1, 1, (4,)), Discrete(2), "cpu", LAM, GAMMA, D.B)
    buffer.rewards[:], buffer.values[:] = D.rewards, D.Vs
    buffer.episode_starts[1:] = D.done[:-1]
    last_V = torch.zeros(D.B)
    call = lambda: buffer.compute_returns_and_advantage(last_V, D.done[-1])
    return call, lambda: (call(), buffer.advantages)[1]


def gae_tianshou(D):
    """A compiled loop; the mask of the next values is not part of the time."""
    from tianshou.algorithm.algorithm_base import _gae

    arrays = (D.Vs, np.where(D.done, 0.0, D.next_Vs), D.rewards)
    arrays = [D.flat(x).astype(np.float64) for x in arrays]
    done = D.flat(D.done)
    call = lambda: _gae(*arrays, done, GAMMA, LAM)
    return call, lambda: D.columns(call())


def gae_torchrl(D):
    """A convolution with powers of gamma * lambda; computes value targets as well."""
    from torchrl.objectives.value.functional import vec_generalized_advantage_estimate

    tensors = [D.torch(x) for x in (D.Vs, D.next_Vs, D.rewards, D.done, D.done)]
    call = lambda: vec_generalized_advantage_estimate(GAMMA, LAM, *tensors)
    return call, lambda: call()[0][..., 0].T.numpy()


def vtrace_lagom(D):
    """One call for all trajectories."""
    mu, pi, rewards, Vs = map(D.flat, (*D.logprobs, D.rewards, D.Vs))
    call = lambda: vtrace(mu, pi, GAMMA, rewards, Vs, 0.0, True, lengths=D.lengths)
    return call, lambda: D.columns(call()[1])


def vtrace_torchrl(D):
    """A loop over time."""
    from torchrl.objectives.value.functional import vtrace_advantage_estimate

    mu, pi = D.logprobs
    tensors = [D.torch(x) for x in (pi, mu, D.Vs, D.next_Vs, D.rewards, D.done)]
    call = lambda: vtrace_advantage_estimate(GAMMA, *tensors)
    return call, lambda: call()[0][..., 0].T.numpy()


def returns_lagom(rewards):
    """One long trajectory."""
    return (lambda: returns(GAMMA, rewards),) * 2


def returns_tianshou(rewards):
    """A compiled loop."""
    from tianshou.algorithm.algorithm_base import episode_mc_return_to_go

    return (lambda: episode_mc_return_to_go(rewards, GAMMA),) * 2


def returns_torchrl(rewards):
    """A loop over time."""
    from torchrl.objectives.value.functional import reward2go

    x = torch.from_numpy(rewards)[None, :, None]
    call = lambda: reward2go(x, torch.zeros(x.shape, dtype=torch.bool), GAMMA)
    return call, lambda: call()[0, :, 0].numpy()


def priorities_lagom(priorities):
    """A tree with 16 children a node."""
    tree = SumTree(1 << (len(priorities) - 1).bit_length())
    tree[: len(priorities)] = priorities

    def call():
        tree[tree.find_prefixsum_index(rng.random(256) * tree.sum())] = rng.random(256)

    return call, None


def priorities_tianshou(priorities):
    """A binary tree, compiled."""
    from tianshou.data.utils.segtree import SegmentTree

    tree = SegmentTree(len(priorities))
    tree[np.arange(len(priorities))] = priorities

    def call():
        tree[tree.get_prefix_sum_idx(rng.random(256) * tree.reduce())] = rng.random(256)

    return call, None


def priorities_torchrl(priorities):
    """A binary tree in C++, with importance weights."""
    from torchrl.data.replay_buffers.samplers import PrioritizedSampler

    num = len(priorities)
    sampler = PrioritizedSampler(num, alpha=0.6, beta=0.4)
    sampler.update_priority(torch.arange(num), torch.from_numpy(priorities))
    storage = range(num)  # it wants to know the length

    def call():
        sampler.update_priority(sampler.sample(storage, 256)[0], torch.rand(256))

    return call, None


def priorities_cpprb(priorities):
    """Trees in C++, with importance weights and rows of one number."""
    from cpprb import PrioritizedReplayBuffer

    num = len(priorities)
    buffer = PrioritizedReplayBuffer(num, {"obs": {"shape": 1}})
    buffer.add(obs=np.zeros((num, 1), np.float32), priorities=priorities)

    def call():
        buffer.update_priorities(buffer.sample(256, beta=0.4)["indexes"], rng.random(256))

    return call, None


def moments(make):
    """How a class of running moments is prepared; variances differ by what they start from."""

    def prepare(x):
        f = make(x.shape[1:])
        update = getattr(f, "update", f)
        return (lambda: update(x)), (lambda: (update(x), f.mean)[1])

    return prepare


def moments_sb3(x):
    """Chan's formula."""
    from stable_baselines3.common.running_mean_std import RunningMeanStd

    return moments(lambda shape: RunningMeanStd(shape=shape))(x)


def moments_tianshou(x):
    """Chan's formula."""
    from tianshou.utils import RunningMeanStd

    return moments(lambda shape: RunningMeanStd(np.zeros(shape), np.ones(shape)))(x)


def moments_gymnasium(x):
    """Chan's formula."""
    from gymnasium.wrappers.utils import RunningMeanStd

    return moments(lambda shape: RunningMeanStd(shape=shape, dtype=np.float64))(x)


def cases():
    """(what is computed, data, library -> how it is prepared) of each row of the table."""
    for T, B in ((100_000, 1), (12_500, 8), (2048, 1), (128, 8)):
        D = Rollout(T, B)
        peers = {"SB3": gae_sb3, "Tianshou": gae_tianshou, "TorchRL": gae_torchrl}
        yield f"gae, {T:,} x {B}", D, {"lagom": gae_lagom, **peers}
        yield f"vtrace, {T:,} x {B}", D, {"lagom": vtrace_lagom, "TorchRL": vtrace_torchrl}
    peers = {"Tianshou": returns_tianshou, "TorchRL": returns_torchrl}
    yield "returns, 100,000", rng.normal(size=100_000), {"lagom": returns_lagom, **peers}
    peers = {"Tianshou": priorities_tianshou, "TorchRL": priorities_torchrl}
    peers["cpprb"] = priorities_cpprb
    name = "draw and update 256 of 1e6 priorities"
    yield name, rng.random(1_000_000), {"lagom": priorities_lagom, **peers}
    for num in (1, 8, 2048):
        peers = {"SB3": moments_sb3, "Tianshou": moments_tianshou, "Gymnasium": moments_gymnasium}
        ours = {"lagom": moments(RunningMeanVar)}
        yield f"running moments, [{num}, 17]", rng.normal(size=(num, 17)), {**ours, **peers}


def prepare(name, data, makers, notes):
    """Library -> function to time, or why there is none."""
    calls, expected = {}, None
    for library, make in makers.items():
        try:
            call, result = make(data)
        except ImportError:
            calls[library] = "not installed"
        except RuntimeError as error:
            calls[library] = "fails"
            notes.append(f"{library}, {name}: {str(error).splitlines()[0]}")
        else:
            calls[library] = call
            value = result and np.asarray(result())
            expected = value if library == "lagom" else expected
            if value is not None and not np.allclose(value, expected, rtol=1e-3, atol=1e-3):
                notes.append(f"{library}, {name}: computes something else")
    return calls


def measure(call, repeats):
    """CPU microseconds per call."""
    start = time.process_time_ns()
    for _ in range(repeats):
        call()
    return (time.process_time_ns() - start) / repeats / 1e3


def compare(calls, rounds):
    """Library -> ``[rounds]`` CPU microseconds per call."""
    repeats = {k: max(1, int(SECONDS * 1e6 / measure(call, 1))) for k, call in calls.items()}
    times = [{k: measure(call, repeats[k]) for k, call in calls.items()} for _ in range(rounds)]
    return {k: [row[k] for row in times] for k in calls}


def cell(theirs, ours):
    """Their time, and the median ratio of rounds."""
    ratio = statistics.median(a / b for a, b in zip(theirs, ours, strict=True))
    digits = 2 if ratio < 10 else 0
    return f"{statistics.median(theirs):,.1f} ({ratio:,.{digits}f}x)"


def main():
    """Run the rounds, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    # From now on glibc keeps what is freed, as it does in a process that has trained for a while;
    # else page faults would be much of what a call costs, depending on what was called before.
    np.empty(2**21)
    notes = []
    print(f"CPU microseconds per call (times lagom's); median of {args.rounds} rounds\n")
    print("| | lagom | " + " | ".join(PEERS) + " |")
    print("| --- " * (len(PEERS) + 2) + "|")
    for name, data, makers in cases():
        calls = prepare(name, data, makers, notes)
        times = compare({k: call for k, call in calls.items() if callable(call)}, args.rounds)
        cells = [name, f"{statistics.median(times['lagom']):,.1f}"]
        for peer in PEERS:
            cells.append(
                cell(times[peer], times["lagom"]) if peer in times else calls.get(peer, "-")
            )
        print("| " + " | ".join(cells) + " |", flush=True)
    for note in notes:
        print(f"\n{note}")


if __name__ == "__main__":
    main()
