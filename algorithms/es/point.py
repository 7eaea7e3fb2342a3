"""A point of a test function, for strategies that search without an environment."""

from pkgutil import resolve_name

import numpy as np
import torch
from torch import nn

from lagom import BaseAgent
from lagom.es import PROBLEMS


class Agent(BaseAgent):
    """The point where a search stands; as a policy it acts with it, scaled to [-1, 1]."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        self.problem = PROBLEMS[config["problem.name"]]
        dim = self.action_space.shape[0]
        self.point = nn.Parameter(torch.zeros(dim, dtype=torch.float64), requires_grad=False)
        self.to(self.device)

    def make_es(self):
        """The configured strategy; it starts at a random point of the domain, in float64."""
        config, width = self.config, self.problem.width
        opts = {**config["es.opts"], "seed": int(self.rng.integers(1, 2**31))}
        if config["es.popsize"] is not None:
            opts["popsize"] = config["es.popsize"]
        x0 = self.rng.uniform(-width, width, self.num_params)
        return resolve_name(config["es.strategy"])(x0, config["es.sigma0"], opts)

    def choose_action(self, x, **kwargs):
        action = (self.point / self.problem.width).cpu().numpy()
        return {"action": np.tile(action, (len(x), 1))}

    def learn(self, D, **kwargs):
        """Nothing: the strategy learns."""
        return {}
