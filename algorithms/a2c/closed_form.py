"""A2C's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import numpy as np
import torch
from lagom.algorithms.by_hand import HEADS, is_plain

from lagom.data import actions, observations
from lagom.networks.backprop import MLPBackprop, clip_grad_norm


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True

    @staticmethod
    def applies(agent):
        """Whether ``agent`` acts by its newest policy, and has plain networks, and a known head."""
        trunk, head, optimizer = agent.actor.trunk, agent.actor.head, agent.optimizer
        return (
            agent.config["agent.lag"] == 0
            and is_plain(agent, [trunk, agent.critic], [head], kinds=HEADS)
            and trunk.out is None
            and [id(x) for group in optimizer.param_groups for x in group["params"]]
            == [id(agent.flat)]
        )

    def __init__(self, agent):
        self.agent, self.head = agent, HEADS[type(agent.actor.head)](agent.actor.head)
        self.actor = MLPBackprop(agent.actor.trunk, self.head.out)
        self.critic = MLPBackprop(agent.critic)
        self.grad = agent.flat.grad.numpy()

    def step(self, D):
        """As ``Agent.step``."""
        agent, config = self.agent, self.agent.config
        obs, action = observations(D).astype(np.float32, copy=False), actions(D)
        logprob, entropy = self.head.forward(self.actor.forward(obs), action)
        V = self.critic.forward(obs)[:, 0]
        tensors = (torch.from_numpy(x) for x in (obs, action, logprob, V))
        A, target = (x.numpy() for x in agent.advantages(D, *tensors))
        if config["agent.normalize_advantage"]:
            A = (A - A.mean()) / (A.std() + 1e-8)

        N, entropy_coef = len(A), config["agent.entropy_coef"]
        self.actor.backward(self.head.backward(A / np.float32(-N), -entropy_coef / N))
        error = V - target
        self.critic.backward((error * np.float32(2 * config["agent.value_coef"] / N))[:, None])
        grad_norm = clip_grad_norm(self.grad, config["agent.max_grad_norm"])
        agent.optimizer.step()
        return {
            "policy_loss": float(-(logprob @ A) / N),
            "value_loss": float(error @ error / N),
            "entropy": float(entropy.mean()),
            "grad_norm": grad_norm,
        }
