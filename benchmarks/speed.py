"""Environment steps per CPU second: lagom beside its peers, interleaved.

    python benchmarks/speed.py [--workload ppo-cartpole] [--rounds 5] [--peers sb3 skrl cleanrl]
                               [--cleanrl PATH]

Each measurement is a process of its own with one math thread; rounds alternate (A B A B ...), so
that other work on the machine touches both alike.  The clock is the process's CPU time over whole
iterations (collect + update), after a warm-up.  The ratio is the median over rounds.  lagom runs
its engine as a job does, with a row of the train log written at each iteration.  CleanRL's scripts
are run as they are in the checkout at PATH, twice, for two numbers of steps: what the longer run
takes more is the measurement.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from lagom.utils.threads import ONE_THREAD, blas

WORKLOADS = {  # env id, sub-environments, steps each, minibatches, epochs, normalize, iterations
    "ppo-cartpole": ("CartPole-v1", 4, 128, 4, 4, False, 40),
    "ppo-cartpole-8": ("CartPole-v1", 8, 128, 4, 4, False, 40),
    "ppo-halfcheetah": ("HalfCheetah-v5", 1, 2048, 32, 10, True, 3),
    "ppo-halfcheetah-8": ("HalfCheetah-v5", 8, 256, 32, 10, True, 3),
}
WARM = 2  # iterations before the clock starts


def cpu():
    """CPU seconds of this process so far."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def report(steps, start, end, who=resource.RUSAGE_SELF):
    """Print one measurement as JSON."""
    memory = resource.getrusage(who).ru_maxrss / 1024
    print(json.dumps({"steps_per_cpu_second": steps / (end - start), "peak_mb": memory}))


def clock_lagom(algo, iterations, **words):
    """OnPolicyEngine of ``algo``; ``words`` are of the configuration, ``agent__lr`` is agent.lr."""
    from pkgutil import resolve_name

    from omegaconf import OmegaConf

    from lagom.engine import OnPolicyEngine
    from lagom.envs import make_envs
    from lagom.experiment.journal import Journal
    from lagom.experiment.schema import flatten
    from lagom.utils import set_global_seeds, set_num_threads

    conf = Path(__file__).parents[1] / "conf"
    config = {}
    for name in ("config.yaml", f"algo/{algo}.yaml"):
        config.update(flatten(OmegaConf.to_container(OmegaConf.load(conf / name))))
    config.update({key.replace("__", "."): value for key, value in words.items()})
    set_num_threads(1)
    set_global_seeds(1)
    env, eval_env = make_envs(config, 1)
    agent = resolve_name(config["algo.agent"])(config, env, "cpu")
    engine = OnPolicyEngine(config, agent, env, eval_env)
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "train.journal")
        for n in range(WARM + iterations):
            if n == WARM:
                start, steps = cpu(), engine.timestep
            journal.append(engine.train(n))
        report(engine.timestep - steps, start, cpu())


def run_lagom(workload):
    """PPO at the settings of the workload."""
    env_id, num_env, num_step, minibatches, epochs, normalize, iterations = WORKLOADS[workload]
    clock_lagom(
        "ppo", iterations, env__id=env_id, env__num_env=num_env, train__num_step=num_step,
        env__normalize_obs=normalize, env__normalize_reward=normalize, agent__lr=3e-4,
        agent__batch_size=num_env * num_step // minibatches, agent__num_epoch=epochs,
        agent__lr_decay=False, agent__entropy_coef=0.01,
    )  # fmt: skip


def clock_sb3(kind, iterations, env_id, num_env, normalize, **kwargs):
    """``kind`` of Stable-Baselines3 or sb3-contrib, in ``num_env`` environments."""
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

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
    kwargs = {"policy": "MlpPolicy", "device": "cpu", "seed": 1} | kwargs
    model = kind(env=env, **kwargs)
    steps = kwargs["n_steps"] * num_env
    model.learn(steps * (WARM + iterations + 1), callback=Clock(), log_interval=10)


def sb3_networks(**kwargs):
    """Keywords of its policies for separate networks of 64 and 64, tanh."""
    import torch

    return {"net_arch": {"pi": [64, 64], "vf": [64, 64]}, "activation_fn": torch.nn.Tanh, **kwargs}


def run_sb3(workload):
    """Stable-Baselines3's PPO at the same settings."""
    from stable_baselines3 import PPO

    env_id, num_env, num_step, minibatches, epochs, normalize, iterations = WORKLOADS[workload]
    clock_sb3(
        PPO, iterations, env_id, num_env, normalize, n_steps=num_step,
        batch_size=num_env * num_step // minibatches, n_epochs=epochs, learning_rate=3e-4,
        ent_coef=0.01, policy_kwargs=sb3_networks(),
    )  # fmt: skip


def run_skrl(workload):
    """PPO of skrl at the same settings; it normalizes neither observations nor rewards."""
    import gymnasium
    import torch
    from skrl.agents.torch.ppo import PPO, PPO_CFG
    from skrl.envs.wrappers.torch import wrap_env
    from skrl.memories.torch import RandomMemory
    from skrl.models.torch import CategoricalMixin, DeterministicMixin, GaussianMixin, Model
    from skrl.trainers.torch import SequentialTrainer
    from torch import nn

    env_id, num_env, num_step, minibatches, epochs, _, iterations = WORKLOADS[workload]
    torch.set_num_threads(1)
    env = wrap_env(gymnasium.make_vec(env_id, num_envs=num_env, vectorization_mode="sync"))
    discrete = isinstance(env.action_space, gymnasium.spaces.Discrete)

    def network(mixin, num_out):
        class Network(mixin, Model):
            def __init__(self):
                spaces = {"observation_space": env.observation_space}
                Model.__init__(self, action_space=env.action_space, device="cpu", **spaces)
                mixin.__init__(self)
                hidden = [nn.Linear(self.num_observations, 64), nn.Tanh(), nn.Linear(64, 64)]
                self.net = nn.Sequential(*hidden, nn.Tanh(), nn.Linear(64, num_out))
                if mixin is GaussianMixin:
                    self.log_std = nn.Parameter(torch.zeros(num_out))

            def compute(self, inputs, role=""):
                y = self.net(inputs["observations"])
                has_scale = hasattr(self, "log_std")
                return y, {"log_std": self.log_std.expand_as(y)} if has_scale else {}

        return Network()

    class Clocked(PPO):
        n = 0

        def update(self, *, timestep, timesteps):
            super().update(timestep=timestep, timesteps=timesteps)
            self.n += 1
            if self.n == WARM:
                self.start = cpu()
            if self.n == WARM + iterations:
                report(num_env * num_step * iterations, self.start, cpu())

    num_out = env.action_space.n if discrete else env.action_space.shape[0]
    policy = network(CategoricalMixin if discrete else GaussianMixin, int(num_out))
    config = PPO_CFG(
        rollouts=num_step, learning_epochs=epochs, mini_batches=minibatches, learning_rate=3e-4,
        entropy_loss_scale=0.01, value_loss_scale=0.5,
    )  # fmt: skip
    config.experiment.write_interval = config.experiment.checkpoint_interval = 0
    agent = Clocked(
        models={"policy": policy, "value": network(DeterministicMixin, 1)},
        memory=RandomMemory(memory_size=num_step, num_envs=num_env, device="cpu"),
        observation_space=env.observation_space, action_space=env.action_space,
        device="cpu", cfg=config,
    )  # fmt: skip
    steps = num_step * (WARM + iterations) + 1
    trainer = {"timesteps": steps, "headless": True, "disable_progressbar": True}
    SequentialTrainer(env=env, agents=agent, cfg=trainer).train()


def run_cleanrl(workload, checkout):
    """PPO of the scripts in a checkout of github.com/vwxyzjn/cleanrl; it clips values, too."""
    env_id, num_env, num_step, minibatches, epochs, normalize, iterations = WORKLOADS[workload]
    name = "ppo_continuous_action.py" if normalize else "ppo.py"
    script = Path(checkout).resolve() / "cleanrl" / name
    settings = {
        "env-id": env_id, "num-envs": num_env, "num-steps": num_step, "learning-rate": 3e-4,
        "num-minibatches": minibatches, "update-epochs": epochs, "ent-coef": 0.01,
    }  # fmt: skip
    times = []
    with tempfile.TemporaryDirectory() as folder:
        for n in (WARM, WARM + iterations):
            flags = settings | {"total-timesteps": n * num_env * num_step}
            words = [str(word) for key, value in flags.items() for word in (f"--{key}", value)]
            env = os.environ | ONE_THREAD | {"CUDA_VISIBLE_DEVICES": ""}
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                [sys.executable, script, *words], cwd=folder, env=env, check=True,
                stdout=subprocess.DEVNULL,
            )  # fmt: skip
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    report(iterations * num_env * num_step, *times, who=resource.RUSAGE_CHILDREN)


RUN = {"lagom": run_lagom, "sb3": run_sb3, "skrl": run_skrl, "cleanrl": run_cleanrl}


def main():
    """Run the rounds, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", choices=WORKLOADS, default="ppo-cartpole")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--peers", choices=["sb3", "skrl", "cleanrl"], nargs="+", default=["sb3"])
    parser.add_argument("--cleanrl", help="a checkout of CleanRL, whose requirements are here")
    parser.add_argument("--one", choices=RUN, help="a single measurement")
    args = parser.parse_args()
    if "cleanrl" in args.peers and not args.cleanrl:
        parser.error("--peers cleanrl needs --cleanrl PATH, a checkout of CleanRL")
    if args.one:
        RUN[args.one](args.workload, *([args.cleanrl] if args.one == "cleanrl" else []))
        return
    words = ["--cleanrl", args.cleanrl] if args.cleanrl else []
    interleave(__file__, args.workload, args.rounds, args.peers, words)


def interleave(script, workload, rounds, peers, words=()):
    """Measure lagom and ``peers`` in turns, by ``--one`` of ``script``; print a table."""
    rows = {name: [] for name in ("lagom", *peers)}
    for _ in range(rounds):
        for name, values in rows.items():
            command = [sys.executable, script, "--workload", workload, "--one", name, *words]
            env, pipe = os.environ | ONE_THREAD, subprocess.PIPE
            out = subprocess.run(command, stdout=pipe, text=True, check=True, env=env).stdout
            values.append(json.loads(out.strip().splitlines()[-1]))
    print(f"{workload}: environment steps per CPU second, one thread, {rounds} rounds")
    print(f"  {blas()}")
    for name, values in rows.items():
        speeds = [v["steps_per_cpu_second"] for v in values]
        print(
            f"  {name:7} {statistics.median(speeds):8.0f} ({min(speeds):.0f} to {max(speeds):.0f})"
            f"  peak {statistics.median(v['peak_mb'] for v in values):.0f} MB"
        )
    for peer in peers:
        ratios = [
            a["steps_per_cpu_second"] / b["steps_per_cpu_second"]
            for a, b in zip(rows["lagom"], rows[peer], strict=True)
        ]
        median, lowest, highest = statistics.median(ratios), min(ratios), max(ratios)
        print(f"  lagom / {peer}: {median:.2f} ({lowest:.2f} to {highest:.2f})")


if __name__ == "__main__":
    main()
