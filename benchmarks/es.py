"""Evolution strategies: lagom beside pycma and EvoTorch.

    python benchmarks/es.py [--rounds 3] [--only search,policies,workers,targets]

* ``search``: ask and tell on a sphere, candidates per CPU second, long enough for several
  factorizations where they are lazy (each measurement lasts two seconds at least, after a warm-up).
* ``policies``: linear policies on CartPole, episodes and steps per CPU second, population 256.
* ``workers``: one generation of 256 candidates with 10,000 parameters, wall time with 1 and 2
  workers, bytes sent and the seconds that a generation without episodes costs.
* ``targets``: evaluations to 1e-8 on test functions, medians of 11 trials, beside pycma.

One math thread each; rounds alternate.  Every search measurement has a process of its own, which
also reports the memory it needed at most.
"""

import argparse
import json
import pickle
import resource
import statistics
import subprocess
import sys
import time

import numpy as np

SIZES = [(100, 64), (100, 256), (1000, 64), (1000, 256), (5000, 64), (5000, 256)]
FULL, SEPARABLE = ("native", "cma", "evotorch"), ("openaies", "pgpe", "evotorch-pgpe")
SECONDS = 2.0


def lagom_search(name, dim, popsize):
    """A function that asks and tells once."""
    from lagom.es import CMAES, PGPE, NativeCMAES, OpenAIES

    cls = {"native": NativeCMAES, "cma": CMAES, "openaies": OpenAIES, "pgpe": PGPE}[name]
    dtype = np.float64 if name == "cma" else np.float32
    es = cls(np.ones(dim, dtype), 0.5, {"popsize": popsize, "seed": 1})

    def step():
        x = np.asarray(es.ask())
        es.tell(es.ask() if name != "cma" else list(x), np.einsum("ij,ij->i", x, x))

    return step


def pycma_search(name, dim, popsize):
    """The same by the package alone."""
    import cma

    opts = {"popsize": popsize, "seed": 1, "verbose": -10, "verb_log": 0}
    es = cma.CMAEvolutionStrategy(np.ones(dim), 0.5, opts)

    def step():
        x = es.ask()
        es.tell(x, [float(row @ row) for row in x])

    return step


def evotorch_search(name, dim, popsize):
    """The same by EvoTorch, vectorized, float32."""
    import torch
    from evotorch import Problem
    from evotorch.algorithms import CMAES, PGPE

    problem = Problem(
        "min", lambda x: (x * x).sum(1), solution_length=dim, initial_bounds=(-1, 1),
        vectorized=True, dtype=torch.float32, seed=1,
    )  # fmt: skip
    if name == "evotorch":
        return CMAES(problem, stdev_init=0.5, popsize=popsize).step
    rates = {"center_learning_rate": 0.05, "stdev_learning_rate": 0.1}
    return PGPE(problem, popsize=popsize, stdev_init=0.5, **rates).step


def measure(library, dim, popsize):
    """Candidates per CPU second, and megabytes at most."""
    import torch

    torch.set_num_threads(1)
    make = pycma_search if library == "cma" else lagom_search
    make = evotorch_search if library.startswith("evotorch") else make
    step, num = make(library, dim, popsize), 0
    step()
    start = time.process_time()
    while time.process_time() - start < SECONDS or num < 3:
        step()
        num += 1
    rate = num * popsize / (time.process_time() - start)
    return {"rate": rate, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def search(rounds):
    """The table of searches."""
    libraries = (*FULL, *SEPARABLE)
    print("\nAsk and tell, candidates per CPU second (peak MB); median of rounds\n")
    print("| dim, population | " + " | ".join(libraries) + " |")
    print("| --- " * (len(libraries) + 1) + "|")
    for dim, popsize in SIZES:
        found = {library: [] for library in libraries}
        for _ in range(rounds):
            for library in libraries:
                words = [sys.executable, __file__, "--measure", library, str(dim), str(popsize)]
                out = subprocess.run(words, capture_output=True, text=True)
                if out.returncode == 0:
                    found[library].append(json.loads(out.stdout.splitlines()[-1]))
        cells = [f"{dim}, {popsize}"]
        for library in libraries:
            rows = found[library]
            rate = statistics.median(row["rate"] for row in rows) if rows else 0
            mb = max((row["mb"] for row in rows), default=0)
            cells.append(f"{rate:,.0f} ({mb:,.0f})" if rows else "-")
        print("| " + " | ".join(cells) + " |", flush=True)


def engine(*words, hidden="[]", popsize=256):
    """An engine on CartPole."""
    sys.path.insert(0, str(__import__("pathlib").Path(__file__).parents[1] / "tests"))
    from configs import flat_config
    from lagom.algorithms.es.agent import Agent

    from lagom.envs import make_envs
    from lagom.population import ESEngine
    from lagom.utils import set_global_seeds

    config = flat_config(
        "algo=openaies", "env=CartPole-v1", f"es.popsize={popsize}",
        f"agent.hidden_sizes={hidden}", *words,
    )  # fmt: skip
    set_global_seeds(0)
    env, eval_env = make_envs(config, 0)
    return ESEngine(config, agent=Agent(config, env, "cpu"), env=env, eval_env=eval_env)


def evotorch_policies(network):
    """A step of EvoTorch's PGPE with GymNE, population 256."""
    from evotorch.algorithms import PGPE
    from evotorch.neuroevolution import GymNE

    problem = GymNE("CartPole-v1", network)
    problem.manual_seed(1)
    rates = {"center_learning_rate": 1e-9, "stdev_learning_rate": 1e-9}
    search = PGPE(problem, popsize=256, stdev_init=0.1, **rates)
    return search.step, lambda: problem.status["total_interaction_count"]


def policies(rounds):
    """Episodes and steps per CPU second."""
    import torch

    torch.set_num_threads(1)
    print("\nCartPole, population 256, 4-32-2: episodes, steps per CPU second; median of rounds\n")
    ours = {f"lagom, {n} rows": engine("es.opts.lr=1e-9", f"env.num_env={n}", hidden="[32]")
            for n in (16, 64, 256)}  # fmt: skip
    calls = {k: (e.train, lambda e=e: e.timestep) for k, e in ours.items()}
    try:
        network = "Linear(obs_length, 32) >> Tanh() >> Linear(32, act_length)"
        calls["EvoTorch GymNE"] = evotorch_policies(network)
    except ImportError as error:
        print(f"EvoTorch: {error}")
    found = {k: [] for k in calls}
    for _ in range(rounds + 1):
        for k, (step, steps) in calls.items():
            before = steps() if found[k] else 0
            start = time.process_time()
            step()
            seconds = time.process_time() - start
            found[k].append((256 / seconds, (steps() - before) / seconds))
    for k, rows in found.items():
        rates = [statistics.median(column) for column in zip(*rows[1:], strict=True)]
        print(f"| {k} | {rates[0]:,.0f} | {rates[1]:,.0f} |", flush=True)


def workers(rounds):
    """Wall seconds of a generation of 256 x 10,000 parameters, and what communication costs."""
    from lagom.population.evaluate import Generation

    print("\nCartPole, 256 candidates, 4-1428-2 (about 10,000 parameters): wall time\n")
    engines = {n: engine(f"es.workers={n}", "es.opts.lr=1e-9", hidden="[1428]") for n in (1, 2)}
    seconds = {n: [] for n in engines}
    for k in range(rounds + 1):
        for n, e in engines.items():
            start, before = time.perf_counter(), e.timestep
            e.train(k)
            seconds[n].append((e.timestep - before) / (time.perf_counter() - start))
    rates = {n: statistics.median(rows[1:]) for n, rows in seconds.items()}
    for n, rate in rates.items():
        print(f"{n} workers: {rate:,.0f} steps/s")
    print(f"2 workers over 1: {rates[2] / rates[1]:.2f}")
    es = engines[1].es
    for name, candidates in (("seed", es.recipe), ("parameters", es.ask())):
        start = time.perf_counter()
        data = pickle.dumps(Generation(candidates))
        pickle.loads(data)
        took = 1e3 * (time.perf_counter() - start)
        print(
            f"sent to each worker by {name}: {len(data):,} bytes, {took:.1f} ms to pack and unpack"
        )


def targets():
    """Medians of evaluations to 1e-8."""
    from lagom.es import CMAES, PROBLEMS, SNES, NativeCMAES

    print("\nEvaluations to 1e-8, median of 11 (successes)\n")
    print("| function, dim | native | cma | native, separable | snes |")
    print("| --- | --- | --- | --- | --- |")
    for name in ("sphere", "ellipsoid", "cigar", "discus", "rosenbrock", "different_powers"):
        for dim in (5, 10, 20):
            cells = [f"{name}, {dim}"]
            variants = ((NativeCMAES, {}), (CMAES, {}), (NativeCMAES, {"CMA_diagonal": True}))
            for cls, opts in (*variants, (SNES, {})):
                problem, found = PROBLEMS[name], []
                for seed in range(11):
                    width = problem.width
                    x0 = np.random.default_rng(seed).uniform(-width, width, dim)
                    es = cls(x0, problem.sigma0, {"seed": seed + 1, **opts})
                    while es.result.fbest > 1e-8 and es.result.evaluations < 3000 * dim:
                        es.tell(es.ask(), problem.f(np.asarray(es.ask())))
                    found.append(es.result.evals_best if es.result.fbest <= 1e-8 else np.inf)
                median = statistics.median(found)
                hits = int(np.isfinite(found).sum())
                cells.append(f"{median:,.0f} ({hits})" if hits > 5 else f"- ({hits})")
            print("| " + " | ".join(cells) + " |", flush=True)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="search,policies,workers,targets")
    parser.add_argument("--measure", nargs=3)
    args = parser.parse_args()
    if args.measure:
        print(json.dumps(measure(args.measure[0], *map(int, args.measure[1:]))))
        return
    for name in args.only.split(","):
        globals()[name](*([] if name == "targets" else [args.rounds]))


if __name__ == "__main__":
    main()
