"""One update of an off-policy algorithm, on six transitions."""

from pkgutil import resolve_name

import numpy as np
import probes
import torch
from configs import flat_config

from lagom.envs import make_vec_env
from lagom.utils import set_global_seeds


def make_agent(algo, *words, env_class=probes.MatchBox):
    """An agent with eight hidden units, whose targets, where there are any, differ."""
    env = "CartPole-v1" if env_class is probes.MatchDiscrete else "Pendulum-v1"
    small = ("agent.lr=0.005", "agent.hidden_sizes=[8]")
    config = flat_config(f"algo={algo}", f"env={env}", *small, *words)
    set_global_seeds(0)
    agent = resolve_name(config["algo.agent"])(config, make_vec_env(env_class, 1, 0), "cpu")
    with torch.no_grad():
        for name, module in agent.named_children():
            if name.endswith("_target"):
                module.flat.mul_(1.5)
    return agent


def make_sample(discrete=False):
    """Six transitions as a replay buffer gives them; two are the last of their episodes."""
    rng = np.random.default_rng(0)
    obs, action = rng.normal(size=(6, 1)), rng.uniform(-1, 1, (6, 1)).astype(np.float32)
    return {
        "observation": obs.astype(np.float32),
        "action": rng.integers(2, size=6) if discrete else action,
        "reward": rng.normal(size=6).astype(np.float32),
        "next_observation": rng.normal(size=(6, 1)).astype(np.float32),
        "terminated": np.array([0, 1, 0, 0, 1, 0], bool),
        "discount": np.array([0.5, 0.5, 0.25, 0.5, 0.25, 0.5], np.float32),
    }


def targets(D, values):
    """One-step targets ``[6]`` from the values of the next states, one by one."""
    steps = zip(D["reward"], D["terminated"], D["discount"], values.tolist(), strict=True)
    return torch.tensor([float(r) + (0.0 if end else float(g) * v) for r, end, g, v in steps])


def adam(module, lr=0.005, **kwargs):
    """The plain optimizer, on all parameters."""
    return torch.optim.Adam(module.parameters(), lr=lr, **kwargs)


def same(module, expected):
    """Whether two modules, or vectors, agree."""
    x, y = (m.to_vec() if hasattr(m, "to_vec") else m for m in (module, expected))
    torch.testing.assert_close(x, y, rtol=1e-4, atol=2e-6)
