"""Mistakes that the tests must notice: ``nox -s mutations``.

Each is made in a copy of the tree, and the tests that mirror the changed file must then fail.  Run
as ``python tests/mutations.py``, or with words of the names (``gae``, ``rnn.py``) for some of them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from time import perf_counter

ROOT = Path(__file__).parents[1]
COPIED = ("algorithms", "conf", "lagom", "tests", "pyproject.toml")
NUM_WORKER = 2
TIMEOUT = 300  # seconds, for the tests of one file

# file under lagom/ -> what goes wrong, the text there, the text in its place
MUTATIONS = {
    "metric.py": [
        ("returns end without the last value", "gamma * D.last(", "0 * D.last("),
        ("the last value is not discounted", "Q[D.ends] += gamma *", "Q[D.ends] +="),
        (
            "terminal states have a value",
            "reach_terminal), 0.0, last_V)",
            "reach_terminal), last_V, 0.0)",
        ),
        ("td0_target forgets gamma", "gamma * D.following(D.flat", "D.following(D.flat"),
        (
            "td0_error adds V",
            "D.out(D.rewards + gamma * D.following(V, last) - V)",
            "D.out(D.rewards + gamma * D.following(V, last) + V)",
        ),
        (
            "gae forgets lam",
            "backward_scan(gamma * lam, delta, D.ends)",
            "backward_scan(gamma, delta, D.ends)",
        ),
        (
            "gae runs across trajectories",
            "backward_scan(gamma * lam, delta, D.ends)",
            "backward_scan(gamma * lam, delta)",
        ),
        ("following values are one step late", "following[:-1] = V[1:]", "following[:-1] = V[:-1]"),
        (
            "a trajectory ends at its beginning",
            "np.arange(T - 1, rewards.size, T)",
            "np.arange(0, rewards.size, T)",
        ),
        ("columns come back as rows", 'reshape(self.shape, order="F")', "reshape(self.shape)"),
        ("trajectories may be empty", "lengths.min() < 1", "lengths.min() < 0"),
        (
            "vtrace turns the ratio round",
            "np.subtract(log_pi, log_mu",
            "np.subtract(log_mu, log_pi",
        ),
        ("vtrace does not clip c", "gamma * np.minimum(1.0, rho)", "gamma * rho"),
        ("vtrace mixes up its clips", "np.minimum(clip_pg_rho, rho)", "np.minimum(clip_rho, rho)"),
        ("vtrace advantages from V, not v", "D.following(v, last)", "D.following(V, last)"),
    ],
    "networks/sde.py": [
        ("noise is never drawn anew", "self.age % self.every == 0", "self.age == 0"),
        ("the scale moves the features", "features.detach().square()", "features.square()"),
    ],
    "transform/curves.py": [
        ("an x that occurs twice is refused", "xs[1:] >= xs[:-1]", "xs[1:] > xs[:-1]"),
        (
            "the last point is left out",
            "grid[-1], num_point)",
            "grid[-1], num_point, endpoint=False)",
        ),
    ],
    "transform/rank.py": [
        ("ranks are off the centre", "(ranks - (N - 1) / 2)", "(ranks - N / 2)"),
        ("ranks are too narrow", "/ max(N - 1, 1)", "/ max(N, 1)"),
        ("ties in any order", 'argsort(kind="stable")', "argsort()"),
    ],
    "transform/schedule.py": [
        ("the start is forgotten", "float(x - self.start) / self.N", "float(x) / self.N"),
        ("the line goes past its end", "x >= self.start + self.N:", "x > self.start + self.N + 1:"),
    ],
    "transform/segment_tree.py": [
        (
            "elements before the start are taken",
            "-(-start // _ARITY), end",
            "start // _ARITY, end",
        ),
        (
            "the right end is taken twice",
            "right.append(level[last * _ARITY : end])",
            "right.append(level[(last - 1) * _ARITY : end])",
        ),
        ("pieces in the wrong order", "*reversed(right)]", "*right]"),
        ("the lower index of two", 'side="right"', 'side="left"'),
        ("a child too early", "(sums[1:] <= rest)", "(sums[1:] < rest)"),
        ("the rest is not carried down", "rest -= sums[child, N]", "pass"),
        ("rounding leads past the end", "np.nextafter(total, 0.0)", "total"),
    ],
    "transform/sequence.py": [
        ("sums subtract what follows", "np.multiply(c, -1.0, out", "np.multiply(c, 1.0, out"),
        ("long sequences: odd factors forgotten", "c[:-1:2] *= c[1::2]", "pass"),
        (
            "a NaN spreads to earlier sequences",
            "if len(ends) > 1 and not",
            "if len(ends) > 9 and not",
        ),
        ("no sum begins anew", "k[ends] = 0.0", "pass"),
        (
            "rows run into each other",
            "ends = np.arange(1, len(x) + 1)",
            "ends = np.arange(len(x), len(x) + 1)",
        ),
    ],
    "transform/statistics.py": [
        ("the prior is heavier", "_prior = 1e-4", "_prior = 1e-2"),
        ("a batch counts as one", "self.n += num", "self.n += 1"),
        ("means do not shift the variance", "* (count * num / total)", "* 0"),
        (
            "Polyak turns alpha round",
            "self.alpha * self.current + (1 - self.alpha) * x",
            "self.alpha * x + (1 - self.alpha) * self.current",
        ),
    ],
    "transform/summary.py": [
        (
            "sample standard deviation",
            "x.std(axis, dtype=np.float64)",
            "x.std(axis, dtype=np.float64, ddof=1)",
        ),
        (
            "explained variance has a sign",
            "1.0 - unexplained / variance",
            "1.0 + unexplained / variance",
        ),
        ("constant targets, well explained", "unexplained > 0, 0.0,", "unexplained > 0, 1.0,"),
    ],
    "networks/backprop.py": [
        ("the slope of activations is forgotten", "self.slope(dy, y)", "pass"),
        (
            "and of large ones",
            "self.large_slope(torch.from_numpy(dy),",
            "torch.maximum(torch.from_numpy(dy),",
        ),
        (
            "inputs' gradients are of other rows",
            "self.values[n][rows]",
            "self.values[n][: len(dy)]",
        ),
        ("Adam's second moment begins at zero", "x *= 1 / math.sqrt(1 - beta2**t)", "x *= 1"),
        ("entropy is maximized the other way", "d_logits *= -d_entropy", "d_logits *= d_entropy"),
    ],
    "networks/renorm_backprop.py": [
        ("the mean has no gradient", "dx -= offset[columns]", "pass"),
        ("the variance has none", "-self.scale * sums[1]", "-0 * sums[1]"),
        ("corrections come before the warm-up", "norm.num_batch >= norm.warmup", "True"),
        ("and have no bounds", "np.minimum(np.maximum(r, 1 / norm.r_max), norm.r_max)", "r"),
        ("running moments stay", "moment += norm.momentum * (new - moment)", "pass"),
        ("minibatches are not counted", "norm.num_batch += 1", "pass"),
        (
            "weights see no shift",
            "self.weight_grad += np.multiply.outer(total, self.shift)",
            "pass",
        ),
        ("the distance counts for nothing", " + sums[0] * self.distance", ""),
    ],
    "networks/heads.py": [
        ("the entropy is negative", "entropy = -(logprobs", "entropy = (logprobs"),
        ("draws from unequal shares", "cumulative[:, -1:]  #", "1.0  #"),
        ("the density has the wrong width", "torch.exp(-logstd)", "torch.exp(logstd)"),
        ("the density is not normalized", ".square().sum(-1) - constant", ".square().sum(-1)"),
        (
            "the slope of tanh has a sign",
            "(0.5 * noise.square() + logstd + log_slope)",
            "(0.5 * noise.square() + logstd - log_slope)",
        ),
        ("bounds are twice as wide", "0.5 * high - 0.5 * low", "high - low"),
        ("greedy actions are noisy", "        if not greedy:\n", "        if True:\n"),
    ],
    "networks/layers.py": [
        (
            "the gain is swapped",
            "weight_scale if nonlinearity is None",
            "weight_scale if nonlinearity is not None",
        ),
        ("copies share an array's memory", 'if key != "_shared"', "if key"),
        ("weights are not transposed", ".numpy().T\n", ".numpy()\n"),
    ],
    "networks/lr.py": [
        (
            "the rate falls a step early",
            "max(min_lr / lr, 1 - k / N)",
            "max(min_lr / lr, 1 - (k + 1) / N)",
        ),
        ("the lowest rate is relative", "min_lr / lr, 1", "min_lr, 1"),
    ],
    "networks/make.py": [
        (
            "strides and paddings are swapped",
            "zip(sizes, kernels, strides, paddings, strict=True)",
            "zip(sizes, kernels, paddings, strides, strict=True)",
        ),
    ],
    "networks/mdn.py": [
        ("weights sum to one over dimensions", "log_softmax(-2)", "log_softmax(-1)"),
        ("each dimension is a mixture", ".sum(-1).logsumexp(-1)", ".logsumexp(-2).sum(-1)"),
        ("a wide component is likely", "z.square() - std.log()", "z.square() + std.log()"),
        ("temperature scales the deviation", "math.sqrt(tau) * std", "tau * std"),
    ],
    "networks/module.py": [
        (
            "fixed parameters count as trained",
            "self.parameters() if p.requires_grad)\n\n    @property\n    def num_un",
            "self.parameters())\n\n    @property\n    def num_un",
        ),
        ("a vector's parts overlap", "start += p.numel()", "start += p.numel() - 1"),
        ("gradients are kept", "self._flat.grad = None", "pass"),
    ],
    "networks/rnn.py": [
        (
            "forget and input gates are swapped",
            "f.sigmoid() * c + i.sigmoid()",
            "i.sigmoid() * c + f.sigmoid()",
        ),
        (
            "the new cell is not normalized",
            "self.layernorm_c(f.sigmoid() * c + i.sigmoid() * g.tanh())",
            "f.sigmoid() * c + i.sigmoid() * g.tanh()",
        ),
        ("resets are a step late", "reset[t, : sizes[t]]", "reset[t - 1, : sizes[t]]"),
        ("resets between runs are a step late", "reset[start]", "reset[start - 1]"),
        ("runs go across resets", "if begin and t > 0]", "if begin and t > 1]"),
        ("states of packed rows are mixed up", "torch.cat(parts[::-1])", "torch.cat(parts)"),
    ],
    "es/base.py": [
        (
            "a NaN is the best value",
            "values[np.isnan(values)] = np.inf",
            "values[np.isnan(values)] = -np.inf",
        ),
    ],
    "es/cem.py": [
        ("the worst are the elite", "order[: self.num_elite]", "order[-self.num_elite :]"),
        ("sample standard deviation", "elite.std(0)", "elite.std(0, ddof=1)"),
        (
            "noise is a deviation",
            "np.sqrt(self._sigma**2 + self.noise(self._iterations))",
            "self._sigma + self.noise(self._iterations)",
        ),
        ("evaluations count from 0", "int(order[0]) + 1", "int(order[0])"),
    ],
    "es/cmaes.py": [
        (
            "it maximizes",
            "list(solutions.copy()), values.tolist()",
            "list(solutions.copy()), (-values).tolist()",
        ),
        (
            "NumPy's stream is disturbed",
            "            np.random.set_state(outside)",
            "            pass",
        ),
    ],
    "envs/action.py": [
        ("the centre is subtracted", "actions += self.center", "actions -= self.center"),
    ],
    "envs/normalize.py": [
        (
            "observations over the variance",
            "np.sqrt(moments.var + _EPS)",
            "(moments.var + _EPS)",
        ),
        (
            "moments change in evaluation",
            "if self.training and self._owns_moments",
            "if self._owns_moments",
        ),
        ("last observations are raw", "else normalize(x) for", "else x for"),
        (
            "returns are not discounted",
            "rewards + self.gamma * self._returns",
            "rewards + self._returns",
        ),
        (
            "returns survive a time limit",
            "self._returns[terminated | truncated] = 0.0",
            "self._returns[terminated] = 0.0",
        ),
    ],
    "envs/statistics.py": [
        (
            "a time limit ends no episode",
            "self._finish(terminated | truncated)",
            "self._finish(terminated)",
        ),
        (
            "lengths are one short",
            "self._returns[done], self._begun[done] = 0.0, self._step",
            "self._returns[done], self._begun[done] = 0.0, self._step + 1",
        ),
    ],
    "envs/timestep_env.py": [
        (
            "a time limit hides a terminal state",
            "bool(truncated and not terminated)",
            "bool(truncated)",
        ),
    ],
    "envs/vec_env.py": [
        ("all begin with one seed", "[int(seed) + b for", "[int(seed) for"),
        ("a time limit resets nothing", "if terminal or time_limit:", "if terminal:"),
        (
            "last observations of another",
            "[None] * self.num_envs)[b] = last",
            "[None] * self.num_envs)[b - 1] = last",
        ),
        (
            "observations from before the reset",
            "obs, row_info = _reset(env)",
            "_, row_info = _reset(env)",
        ),
    ],
    "data/frames.py": [
        (
            "every observation is the one before, moved on",
            "(x[1:, :-1] == x[:-1, 1:]).all((1, 2))",
            "np.ones(len(x) - 1, bool)",
        ),
        ("forgotten frames are handed out", "<= counts[b] - self.capacity", "< -1"),
    ],
    "data/prioritized.py": [
        (
            "negative errors count little",
            "np.abs(np.asarray(td_error, np.float64)) + _EPSILON",
            "np.maximum(np.asarray(td_error, np.float64), 0) + _EPSILON",
        ),
        ("weights raise the bias", "** -self.beta", "** self.beta"),
        (
            "empty rows are drawn",
            "np.where(valid, priority, 0.0)",
            "np.where(valid, priority, priority)",
        ),
        (
            "empty rows are the smallest",
            "np.where(valid, priority, np.inf)",
            "np.where(valid, priority, 0.0)",
        ),
    ],
    "data/replay.py": [
        (
            "rewards are discounted once more",
            "self._powers[:-1] @ rewards",
            "self._powers[1:] @ rewards",
        ),
        (
            "n steps cross the end of an episode",
            "np.logical_and.accumulate(table.valid[steps[:-1]])",
            "table.valid[steps[:-1]]",
        ),
        ("terminated is that of the first step", "[steps[k - 1, N]]", "[steps[0, N]]"),
        ("rows without a transition are drawn", "rows[self._table.valid[rows]]", "rows"),
    ],
    "data/rows.py": [
        (
            "the open slot is relied on",
            "self.count - self.capacity + 1)",
            "self.count - self.capacity)",
        ),
    ],
    "data/table.py": [
        (
            "a time limit is a terminal state",
            "[where[T - 1]] = tau.terminated",
            "[where[T - 1]] = finished",
        ),
        (
            "the last observation has a successor",
            "self.valid[steps], self.valid[rest] = True, False",
            "self.valid[steps], self.valid[rest] = True, True",
        ),
    ],
    "data/timestep.py": [
        (
            "a time limit is a terminal state",
            "self.last() and not self.time_limit()",
            "self.last()",
        ),
    ],
    "data/trajectory.py": [
        ("done a step early", "[False] * (self.T - 1) + [self", "[False] * (self.T - 2) + [self"),
        (
            "a terminal state is a time limit",
            "self.truncated and not self.terminated",
            "self.truncated",
        ),
        (
            "the first reward comes at a reset",
            "range(len(self))[index] - 1",
            "range(len(self))[index]",
        ),
    ],
    "utils/threads.py": [
        (
            "torch and NumPy both have the threads",
            "torch.set_num_threads(1 if to_numpy else _num)",
            "torch.set_num_threads(_num)",
        ),
        (
            "NumPy is trusted where nobody said how many threads it has",
            "_num_blas is not None and torch.get_num_threads() <= _num_blas",
            "_num_blas is None or torch.get_num_threads() <= _num_blas",
        ),
        (
            "one thread of a job overrules the user's environment",
            "os.environ.setdefault(name",
            "os.environ.__setitem__(name",
        ),
    ],
    "runner.py": [
        ("one episode too many", "(b < N % B)", "(b <= N % B)"),
        (
            "episodes end on the next one",
            'observations.append(info["final_obs"][b])',
            "observations.append(obs[b])",
        ),
        ("a step is lost at the end", "t + 1, last, bool", "t, last, bool"),
        (
            "steps end on the next episode",
            'last = info["final_obs"][b]',
            "last = self.observation[b]",
        ),
        ("a step belongs to two episodes", "start[b] = t + 1", "start[b] = t"),
        (
            "a time limit is a terminal state",
            "terminated=bool(terminated[b]),\n                        truncated",
            "terminated=bool(done[b]),\n                        truncated",
        ),
        ("every call begins anew", "self.reset_on_call or self.observation is None", "True"),
    ],
}

# Where the tests are not in the file of the same name.
TESTS = {"data/table.py": "data/test_replay.py"}


def mirror(file):
    """Where a file's tests are: ``es/cem.py`` -> ``tests/es/test_cem.py``."""
    folder, _, name = file.rpartition("/")
    return f"tests/{TESTS.get(file, f'{folder}/test_{name}'.lstrip('/'))}"


def mutate(file, old, new, root=ROOT):
    """The text of a file with one mistake.

    Raises:
        ValueError: ``old`` is not there exactly once.
    """
    text = (root / "lagom" / file).read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise ValueError(
            f"mutations: lagom/{file} has {old!r} {text.count(old)} times; expected it once"
        )
    return text.replace(old, new)


def run_tests(root, tests):
    """``pytest``'s exit code in ``root``: 0 passed, 1 failed; or None where it took too long."""
    env = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-qxp", "no:cacheprovider", *tests]
    try:
        return subprocess.run(
            command, cwd=root, env=env, stdout=subprocess.DEVNULL, timeout=TIMEOUT, check=False
        ).returncode
    except subprocess.TimeoutExpired:
        return None


def try_one(roots, file, name, old, new):
    """Whether the tests notice; prints a row of the table."""
    root, start = roots.get(), perf_counter()
    path = root / "lagom" / file
    text = path.read_text(encoding="utf-8")
    path.write_text(mutate(file, old, new, root), encoding="utf-8")
    code = run_tests(root, [mirror(file)])
    path.write_text(text, encoding="utf-8")
    roots.put(root)
    verdict = {0: "SURVIVED", 1: "noticed", None: "TOO SLOW"}.get(code, f"BROKE PYTEST ({code})")
    print(f"{verdict:<10} {perf_counter() - start:4.0f} s  {file:<26} {name}", flush=True)
    return code == 1


def main(words):
    """Try all, or those with one of ``words`` in file or name; 1 if a mistake went unnoticed."""
    chosen = [
        (file, *mutation)
        for file, mutations in MUTATIONS.items()
        for mutation in mutations
        if not words or any(word in f"{file} {mutation[0]}" for word in words)
    ]
    if not chosen:
        print(f"no mistake has {' or '.join(words)} in its file or name; expected words of these")
        return 2
    for file, _, old, new in chosen:
        mutate(file, old, new)
    with tempfile.TemporaryDirectory() as folder:
        roots = SimpleQueue()
        for i in range(NUM_WORKER):
            root = Path(folder, str(i))
            for name in COPIED:
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                copy(ROOT / name, root / name)
            roots.put(root)
        untouched = run_tests(root, sorted({mirror(file) for file, *_ in chosen}))
        if untouched != 0:  # whatever else fails then says nothing
            print(f"the tests fail without a mistake, exit code {untouched}")
            return 1
        with ThreadPoolExecutor(NUM_WORKER) as pool:
            noticed = [*pool.map(lambda mutation: try_one(roots, *mutation), chosen)]
    print(f"{sum(noticed)} of {len(noticed)} noticed")
    return int(not all(noticed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
