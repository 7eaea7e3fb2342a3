"""A2C, TRPO and recurrent PPO, environment steps per CPU second: lagom beside a peer, interleaved.

    python benchmarks/speed_onpolicy.py [--workload a2c-cartpole] [--rounds 3]

Measured as by ``speed.py``, which has PPO.  The peers are Stable-Baselines3 (A2C) and sb3-contrib
(TRPO, recurrent PPO), to be installed where this runs.  Neither has VPG.
"""

import argparse

from speed import clock_lagom, clock_sb3, interleave, sb3_networks

WORKLOADS = {  # algorithm, env id, sub-environments, steps each, normalize, iterations
    "a2c-cartpole": ("a2c", "CartPole-v1", 8, 5, False, 1000),
    "a2c-halfcheetah": ("a2c", "HalfCheetah-v5", 16, 5, True, 250),
    "trpo-cartpole": ("trpo", "CartPole-v1", 2, 1024, False, 8),
    "trpo-halfcheetah": ("trpo", "HalfCheetah-v5", 2, 1024, True, 6),
    "recurrent-cartpole": ("recurrent_ppo", "CartPole-v1", 8, 128, False, 4),
    "recurrent-cartpole-128": ("recurrent_ppo", "CartPole-v1", 8, 128, False, 4),
}
OPTIONS = {  # what lagom's defaults and the peer's have not in common
    "a2c": {"agent__lr": 7e-4, "agent__lr_decay": False},
    "trpo": {},
    "recurrent_ppo": {"agent__lr": 3e-4, "agent__lr_decay": False},
}


def run_lagom(workload):
    """lagom at the settings of the workload."""
    algo, env_id, num_env, num_step, normalize, iterations = WORKLOADS[workload]
    options = OPTIONS[algo]
    if workload.endswith("-128"):  # the peer's gradients flow through all steps of an iteration
        options = options | {"agent__sequence": 128}
    clock_lagom(
        algo, iterations, env__id=env_id, env__num_env=num_env, train__num_step=num_step,
        env__normalize_obs=normalize, env__normalize_reward=normalize, **options,
    )  # fmt: skip


def run_sb3(workload):
    """Stable-Baselines3 or sb3-contrib at the same settings."""
    algo, env_id, num_env, num_step, normalize, iterations = WORKLOADS[workload]
    if algo == "a2c":
        from stable_baselines3 import A2C as kind

        kwargs = {"normalize_advantage": True, "gae_lambda": 1.0, "policy_kwargs": sb3_networks()}
    elif algo == "trpo":
        from sb3_contrib import TRPO as kind

        kwargs = {"batch_size": 128, "n_critic_updates": 20, "policy_kwargs": sb3_networks()}
    else:
        from sb3_contrib import RecurrentPPO as kind

        networks = sb3_networks(lstm_hidden_size=64, net_arch={"pi": [64], "vf": [64]})
        kwargs = {"policy": "MlpLstmPolicy", "batch_size": 256, "policy_kwargs": networks}
    clock_sb3(kind, iterations, env_id, num_env, normalize, n_steps=num_step, **kwargs)


RUN = {"lagom": run_lagom, "sb3": run_sb3}


def main():
    """Run the rounds, print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workload", choices=WORKLOADS, default="a2c-cartpole")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--one", choices=RUN, help="a single measurement")
    args = parser.parse_args()
    if args.one:
        RUN[args.one](args.workload)
    else:
        interleave(__file__, args.workload, args.rounds, ["sb3"])


if __name__ == "__main__":
    main()
