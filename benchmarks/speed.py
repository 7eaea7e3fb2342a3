"""Environment steps per CPU second: lagom beside Stable-Baselines3, interleaved.

    python benchmarks/speed.py [--workload ppo-cartpole] [--rounds 5]

Each measurement is a process of its own with one math thread; rounds alternate (A B A B ...), so
that other work on the machine touches both alike.  The clock is the process's CPU time over whole
iterations (collect + update), after a warm-up.  The ratio is the median over rounds.  lagom runs
its engine as a job does, with a row of the train log written at each iteration.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

WORKLOADS = {  # env id, sub-environments, steps each, minibatches, epochs, normalize, iterations
    "ppo-cartpole": ("CartPole-v1", 4, 128, 4, 4, False, 40),
    "ppo-cartpole-8": ("CartPole-v1", 8, 128, 4, 4, False, 40),
    "ppo-halfcheetah": ("HalfCheetah-v5", 1, 2048, 32, 10, True, 3),
}
WARM = 2  # iterations before the clock starts


def cpu():
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def report(steps, start, end):
    """Print one measurement as JSON."""
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"steps_per_cpu_second": steps / (end - start), "peak_mb": memory}))


def run_lagom(workload):
    """OnPolicyEngine with PPO, at the settings of the workload."""
    import torch
    import yaml
    from lagom.algorithms.ppo.agent import Agent

    from lagom.engine import OnPolicyEngine
    from lagom.envs import make_envs
    from lagom.experiment.journal import Journal
    from lagom.experiment.schema import flatten
    from lagom.utils import set_global_seeds

    env_id, num_env, num_step, minibatches, epochs, normalize, iterations = WORKLOADS[workload]
    conf = Path(__file__).parents[1] / "conf"
    config = {}
    for name in ("config.yaml", "algo/ppo.yaml"):
        config.update(flatten(yaml.safe_load((conf / name).read_text())))
    config.update(
        {
            "env.id": env_id,
            "env.num_env": num_env,
            "env.normalize_obs": normalize,
            "env.normalize_reward": normalize,
            "train.num_step": num_step,
            "agent.batch_size": num_env * num_step // minibatches,
            "agent.num_epoch": epochs,
            "agent.lr": 3e-4,
            "agent.lr_decay": False,
            "agent.entropy_coef": 0.01,
        }
    )
    torch.set_num_threads(1)
    set_global_seeds(1)
    env, eval_env = make_envs(config, 1)
    engine = OnPolicyEngine(config, Agent(config, env, "cpu"), env, eval_env)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "train.journal")
        for n in range(WARM + iterations):
            if n == WARM:
                start, steps = cpu(), engine.timestep
            journal.append(engine.train(n))
        report(engine.timestep - steps, start, cpu())


def run_sb3(workload):
    """Stable-Baselines3's PPO at the same settings."""
    import torch
    from stable_baselines3 import PPO
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    env_id, num_env, num_step, minibatches, epochs, normalize, iterations = WORKLOADS[workload]
    torch.set_num_threads(1)

    class Clock(BaseCallback):
        n = 0

        def _on_rollout_start(self):  # called when an iteration begins
            if self.n == WARM:
                self.start, self.steps = cpu(), self.num_timesteps
            if self.n == WARM + iterations:
                report(self.num_timesteps - self.steps, self.start, cpu())
            self.n += 1

        def _on_step(self):
            return self.n <= WARM + iterations

    env = make_vec_env(env_id, n_envs=num_env, seed=1)
    if normalize:
        env = VecNormalize(env)
    batch = num_env * num_step
    networks = {"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "activation_fn": torch.nn.Tanh}
    model = PPO(
        "MlpPolicy", env, n_steps=num_step, batch_size=batch // minibatches, n_epochs=epochs,
        learning_rate=3e-4, ent_coef=0.01, device="cpu", seed=1,
        policy_kwargs=networks,
    )  # fmt: skip
    model.learn(batch * (WARM + iterations + 1), callback=Clock(), log_interval=10)


def main():
    """Run the rounds, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", choices=WORKLOADS, default="ppo-cartpole")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=["lagom", "sb3"], help="a single measurement")
    args = parser.parse_args()
    if args.one:
        {"lagom": run_lagom, "sb3": run_sb3}[args.one](args.workload)
        return
    rows = {"lagom": [], "sb3": []}
    for _ in range(args.rounds):
        for name, values in rows.items():
            command = [sys.executable, __file__, "--workload", args.workload, "--one", name]
            out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
            values.append(json.loads(out.strip().splitlines()[-1]))
    print(f"{args.workload}: environment steps per CPU second, one thread, {args.rounds} rounds")
    for name, values in rows.items():
        speeds = [v["steps_per_cpu_second"] for v in values]
        print(
            f"  {name:6} {statistics.median(speeds):8.0f} ({min(speeds):.0f} to {max(speeds):.0f})"
            f"  peak {statistics.median(v['peak_mb'] for v in values):.0f} MB"
        )
    ratios = [
        a["steps_per_cpu_second"] / b["steps_per_cpu_second"]
        for a, b in zip(rows["lagom"], rows["sb3"], strict=True)
    ]
    print(f"  ratio  {statistics.median(ratios):8.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
