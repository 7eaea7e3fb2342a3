"""Off-policy learning, environment steps per CPU second: lagom beside a peer, interleaved.

    python benchmarks/speed_offpolicy.py [--workload sac] [--peer sb3] [--rounds 3] [--threads 1]

One environment, HalfCheetah-v5, minibatches of 256, networks of width 256, an update for each step;
``dqn`` is CartPole-v1, minibatches of 128, an update for each ten steps.  Each measurement is a
process of its own; rounds alternate, so that other work on the machine touches both alike.  The
clock is the process's CPU time on one thread, the time on the wall on several.  Beside the speeds
stands the floor: the time of the matrix products alone, at the speed of a 256 x 256 x 256 product.
lagom runs its engine as a job does.  The peers are to be installed where this runs.  What NumPy
computes with is printed, too: OpenBLAS takes the kernels that suit the processor, unless
``OPENBLAS_CORETYPE`` names others.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from lagom.utils.threads import blas, prefer_numpy, set_num_threads

# steps under the clock
WORKLOADS = {"sac": 600, "td3": 900, "ddpg": 900, "tqc": 600, "crossq": 600, "dqn": 20_000}
WARM = 300  # steps of learning before the clock starts, a twentieth of what DQN has
BATCH, OBS, ACTION, WIDTH = 256, 17, 6, 256


class Clock:
    """CPU seconds, or seconds on the wall, of ``steps`` environment steps."""

    def __init__(self, steps, threads):
        self.steps = steps
        self.now = time.process_time if threads == 1 else time.perf_counter
        self.start = None

    def tick(self, step):
        """Call at each step of learning; prints the measurement and says when it is over."""
        if step == WARM:
            self.start = self.now()
        if step == WARM + self.steps:
            print(json.dumps({"speed": self.steps / (self.now() - self.start)}))
        return step < WARM + self.steps


def run_lagom(workload, threads):
    """OffPolicyEngine in iterations of 100 steps."""
    from pkgutil import resolve_name

    from omegaconf import OmegaConf

    from lagom.engine import OffPolicyEngine
    from lagom.envs import make_envs
    from lagom.experiment.schema import flatten
    from lagom.utils import set_global_seeds

    conf = Path(__file__).parents[1] / "conf"
    config = {}
    for name in ("config.yaml", f"algo/{workload}.yaml"):
        config.update(flatten(OmegaConf.to_container(OmegaConf.load(conf / name))))
    config |= {"train.timestep": 10**6, "train.warmup": 300, "train.num_step": 100}
    config["env.id"] = "HalfCheetah-v5"
    if workload == "dqn":
        config |= {"env.id": "CartPole-v1", "train.every": 10, "train.replay_ratio": 0.1}
        config |= {"agent.hidden_sizes": [120, 84], "agent.dueling": False, "replay.n_step": 1}
        config["agent.double"] = False  # as the peer
    set_num_threads(threads)
    set_global_seeds(1)
    env, eval_env = make_envs(config, 1)
    agent = resolve_name(config["algo.agent"])(config, env, "cpu")
    engine = OffPolicyEngine(config, agent=agent, env=env, eval_env=eval_env)
    clock = Clock(WORKLOADS[workload], threads)
    while clock.tick(engine.timestep - config["train.warmup"]):
        engine.train()


def run_sb3(workload, threads):
    """Stable-Baselines3, or sb3-contrib, at the same settings."""
    import numpy as np
    import stable_baselines3 as sb3
    import torch
    from stable_baselines3.common.callbacks import BaseCallback
    from stable_baselines3.common.noise import NormalActionNoise

    torch.set_num_threads(threads)
    clock = Clock(WORKLOADS[workload], threads)

    class Tick(BaseCallback):
        def _on_step(self):
            return clock.tick(self.num_timesteps - 300)

    kwargs = {"learning_starts": 300, "device": "cpu", "seed": 1, "buffer_size": 10**6}
    if workload == "dqn":
        kwargs |= {"train_freq": 10, "batch_size": 128, "target_update_interval": 100}
        kwargs |= {"learning_rate": 5e-4, "policy_kwargs": {"net_arch": [120, 84]}}
        kwargs["buffer_size"] = 100_000
    else:
        kwargs |= {"train_freq": 1, "gradient_steps": 1, "batch_size": BATCH}
        kwargs |= {"policy_kwargs": {"net_arch": [WIDTH, WIDTH]}}
    if workload in ("td3", "ddpg"):
        kwargs["action_noise"] = NormalActionNoise(np.zeros(ACTION), 0.1 * np.ones(ACTION))
    if workload == "tqc":
        kwargs["top_quantiles_to_drop_per_net"] = 2
    name = "CrossQ" if workload == "crossq" else workload.upper()
    if workload in ("tqc", "crossq"):
        import sb3_contrib as sb3
    env = "CartPole-v1" if workload == "dqn" else "HalfCheetah-v5"
    getattr(sb3, name)("MlpPolicy", env, **kwargs).learn(10**6, callback=Tick())


def run_skrl(workload, threads):
    """skrl's SAC, TD3 and DDPG at the same settings."""
    import gymnasium
    import torch
    from skrl.agents.torch import ddpg, sac, td3
    from skrl.envs.wrappers.torch import wrap_env
    from skrl.memories.torch import RandomMemory
    from skrl.models.torch import DeterministicMixin, GaussianMixin, Model
    from skrl.resources.noises.torch import GaussianNoise
    from torch import nn

    torch.set_num_threads(threads)
    env = wrap_env(gymnasium.make("HalfCheetah-v5"))
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}

    def net(num_in, num_out):
        sizes = (nn.Linear(num_in, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU())
        return nn.Sequential(*sizes, nn.Linear(WIDTH, num_out))

    class Q(DeterministicMixin, Model):
        def __init__(self):
            Model.__init__(self, **spaces, device="cpu")
            DeterministicMixin.__init__(self)
            self.net = net(OBS + ACTION, 1)

        def compute(self, inputs, role=""):
            return self.net(torch.cat([inputs["observations"], inputs["taken_actions"]], 1)), {}

    class Actor(DeterministicMixin, Model):
        def __init__(self):
            Model.__init__(self, **spaces, device="cpu")
            DeterministicMixin.__init__(self)
            self.net = net(OBS, ACTION)

        def compute(self, inputs, role=""):
            return self.net(inputs["observations"]).tanh(), {}

    class Gaussian(GaussianMixin, Model):
        def __init__(self):
            Model.__init__(self, **spaces, device="cpu")
            GaussianMixin.__init__(self, min_log_std=-5)
            self.net = net(OBS, 2 * ACTION)

        def compute(self, inputs, role=""):
            mean, log_std = self.net(inputs["observations"]).chunk(2, -1)
            return mean.tanh(), {"log_std": log_std}

    names = ["critic", "target_critic"] if workload == "ddpg" else [
        "critic_1", "critic_2", "target_critic_1", "target_critic_2"
    ]  # fmt: skip
    models = {name: Q() for name in names}
    models["policy"] = Gaussian() if workload == "sac" else Actor()
    if workload != "sac":
        models["target_policy"] = Actor()
    module = {"sac": sac, "td3": td3, "ddpg": ddpg}[workload]
    cfg = getattr(module, f"{workload.upper()}_CFG")()
    cfg.batch_size, cfg.random_timesteps, cfg.learning_starts = BATCH, 300, 300
    if workload != "sac":
        cfg.exploration_noise = GaussianNoise
        cfg.exploration_noise_kwargs = {"mean": 0.0, "std": 0.1}
    if workload == "td3":
        cfg.smooth_regularization_noise = GaussianNoise
        cfg.smooth_regularization_noise_kwargs = {"mean": 0.0, "std": 0.2}
    memory = RandomMemory(memory_size=10**6, num_envs=1, device="cpu")
    agent = getattr(module, workload.upper())(
        models=models, memory=memory, **spaces, state_space=None, device="cpu", cfg=cfg
    )
    agent.init()
    agent.enable_training_mode(True)  # or else it never learns
    first = models["policy"].net[0].weight.detach().clone()
    clock, step = Clock(WORKLOADS[workload], threads), 0
    observations, _ = env.reset()
    while clock.tick(step - 300):
        agent.pre_interaction(timestep=step, timesteps=10**6)
        with torch.no_grad():
            actions, _ = agent.act(observations, None, timestep=step, timesteps=10**6)
            following, rewards, terminated, truncated, infos = env.step(actions)
            agent.record_transition(
                observations=observations, states=None, actions=actions, rewards=rewards,
                next_observations=following, next_states=None, terminated=terminated,
                truncated=truncated, infos=infos, timestep=step, timesteps=10**6,
            )  # fmt: skip
        agent.post_interaction(timestep=step, timesteps=10**6)
        observations = env.reset()[0] if bool(terminated | truncated) else following
        step += 1
    if torch.equal(first, models["policy"].net[0].weight):
        raise RuntimeError("speed_offpolicy: skrl has not learned; expected an update each step")


def floor(workload, threads):
    """Steps a second if an update were its matrix products, and these as fast as one of 256.

    Of the libraries that NumPy and torch have the faster one counts.
    """
    import torch

    set_num_threads(threads)
    now, seconds = Clock(0, threads).now, {}
    for name, a in (("torch", torch.randn(256, 256)), ("numpy", torch.randn(256, 256).numpy())):
        prefer_numpy(name == "numpy")
        times = []
        for _ in range(200):
            start = now()
            for _ in range(5):
                a @ a
            times.append((now() - start) / 5)
        seconds[name] = statistics.median(times)
    has_std, outputs = workload in ("sac", "tqc", "crossq"), 25 if workload == "tqc" else 1
    actor = OBS * WIDTH + WIDTH**2 + WIDTH * ACTION * (2 if has_std else 1)
    critic = (OBS + ACTION) * WIDTH + WIDTH**2 + WIDTH * outputs
    # Passes over the weights: 1 forward, 2 backward, 1 of these for inputs alone.
    passes = {
        "sac": (4, 12),
        "tqc": (4, 12),
        "crossq": (1 + 3 / 3, 12 + 4 / 3),  # old and new observations side by side
        "td3": (1 + 3 / 2, 8 + 2 / 2),
        "ddpg": (4, 6),
    }[workload]
    products = BATCH * (passes[0] * actor + passes[1] * critic)
    return 256**3 / products / min(seconds.values())


def main():
    """Run the rounds, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", choices=WORKLOADS, default="sac")
    parser.add_argument("--peer", choices=["sb3", "skrl"], default="sb3")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", choices=["lagom", "sb3", "skrl"], help="a single measurement")
    args = parser.parse_args()
    if args.one:
        runs = {"lagom": run_lagom, "sb3": run_sb3, "skrl": run_skrl}
        runs[args.one](args.workload, args.threads)
        return
    if args.workload in ("dqn", "tqc", "crossq") and args.peer == "skrl":
        parser.error(f"{args.workload} is compared with sb3 only")
    threads = {f"{name}_NUM_THREADS": str(args.threads) for name in ("OMP", "OPENBLAS", "MKL")}
    words = ["--workload", args.workload, "--threads", str(args.threads), "--one"]
    speeds, floors = {"lagom": [], args.peer: []}, []
    for _ in range(args.rounds):
        for name, values in speeds.items():
            command = [sys.executable, __file__, *words, name]
            env, pipe = os.environ | threads, subprocess.PIPE
            out = subprocess.run(command, stdout=pipe, text=True, check=True, env=env).stdout
            values.append(json.loads(out.strip().splitlines()[-1])["speed"])
        if args.workload != "dqn":
            floors.append(floor(args.workload, args.threads))
    unit = "CPU second" if args.threads == 1 else "second on the wall"
    print(f"{args.workload}: steps a {unit}, threads {args.threads}, {args.rounds} rounds")
    print(f"  {blas()}")
    for name, values in (speeds | ({"floor": floors} if floors else {})).items():
        median = statistics.median(values)
        print(f"  {name:6} {median:8.1f} ({min(values):.1f} to {max(values):.1f})")
    ratios = [a / b for a, b in zip(speeds["lagom"], speeds[args.peer], strict=True)]
    print(f"  ratio  {statistics.median(ratios):8.2f} ({min(ratios):.2f} to {max(ratios):.2f})")


if __name__ == "__main__":
    main()
