"""PPO's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import numpy as np
import torch
from lagom.algorithms.adam import FusedAdam
from lagom.algorithms.by_hand import HEADS, is_plain, is_plain_adam

from lagom.networks.backprop import AdamArrays, MLPBackprop


class ClosedForm:
    """The arrays of an agent, where they are now: for one ``learn``."""

    lasts = False  # arrays of the optimizer may be others in the next one

    @staticmethod
    def applies(agent):
        """Whether ``agent`` has two plain networks, one of two heads, and plain Adam."""
        return (
            type(agent.head) in HEADS
            and not agent.is_shared
            and is_plain(agent, [agent.actor, agent.critic], [agent.head], kinds=HEADS)
            and agent.actor.out is None
            and is_plain_adam(agent.optimizer, kinds=(torch.optim.Adam, FusedAdam))
        )

    def __init__(self, agent):
        self.head = HEADS[type(agent.head)](agent.head)
        self.actor = MLPBackprop(agent.actor, self.head.out)
        self.critic = MLPBackprop(agent.critic)
        self.adam = AdamArrays(agent.optimizer)
        keys = "clip", "value_clip", "value_coef", "entropy_coef", "max_grad_norm"
        self.constants = [agent.config[f"agent.{key}"] for key in keys]

    def step(self, *batch):
        """As ``Agent.step``."""
        obs, action, logprob_old, V_old, A, target = (x.numpy() for x in batch)
        clip, value_clip, value_coef, entropy_coef, max_grad_norm = self.constants
        N = len(obs)

        logprob, entropy = self.head.forward(self.actor.forward(obs), action)
        logratio = logprob - logprob_old
        ratio = np.exp(logratio)
        gain, clipped = ratio * A, _clip(ratio, 1 - clip, 1 + clip) * A
        # The derivative of exp is itself; where the clipped term is the lesser, it is constant.
        d_logprob = gain * (gain <= clipped)
        d_logprob *= -1 / N
        self.actor.backward(self.head.backward(d_logprob, -entropy_coef / N))

        V = self.critic.forward(obs)[:, 0]
        d_V = V - target
        squares = d_V * d_V
        if value_clip > 0:
            near = V_old + _clip(V - V_old, -value_clip, value_clip)
            squares_near = np.square(near - target)
            # Both terms are the same within the bounds, and beyond them the second is constant.
            d_V *= (squares >= squares_near) | (abs(V - V_old) <= value_clip)
            squares = np.maximum(squares, squares_near)
        d_V *= 2 * value_coef / N
        self.critic.backward(d_V[:, None])

        grad_norm = self.adam.clip_grad_norm(max_grad_norm)
        self.adam.step()
        means = (x.sum() / N for x in (-np.minimum(gain, clipped), squares, entropy))
        row = np.array([*means, grad_norm], np.float32)
        return torch.from_numpy(row), torch.from_numpy(logratio)


def _clip(x, low, high):
    return np.minimum(np.maximum(x, low), high)  # for small arrays twice as fast as np.clip
