"""PPO's step by hand, for plain networks on the CPU.

What an agent does with a minibatch is said by ``step`` and ``loss`` in ``agent.py``; what is here
does the same several times faster, in NumPy.  ``choice.py`` sees to it that it is the same.
"""

import numpy as np
import torch
from torch import nn

from lagom.networks import MLP, CategoricalHead, DiagGaussianHead, Linear
from lagom.networks.backprop import (
    SLOPES,
    AdamArrays,
    CategoricalBackprop,
    DiagGaussianBackprop,
    MLPBackprop,
)

_HEADS = {CategoricalHead: CategoricalBackprop, DiagGaussianHead: DiagGaussianBackprop}
_PLAIN = {MLP, Linear, nn.ModuleList, *_HEADS}


def applies(agent):
    """Whether ``agent`` is of the kind: two plain networks, one of two heads, float32, CPU."""
    nets = agent.actor, agent.critic, agent.head
    own = [p for net in nets for p in net.parameters()]
    return (
        all(type(m) in _PLAIN for net in nets for m in net.modules())
        and not agent.is_shared
        and agent.actor.out is None
        and all(net.activation in SLOPES for net in nets[:2])
        and {id(p) for p in own} == {id(p) for p in agent.parameters()}
        and all(p.requires_grad and p.is_cpu and p.dtype == torch.float32 for p in own)
        and type(agent.optimizer) is torch.optim.Adam
        and not agent.optimizer._optimizer_step_pre_hooks
        and not agent.optimizer._optimizer_step_post_hooks
    )


class ClosedForm:
    """The arrays of an agent, where they are now: for one ``learn``."""

    def __init__(self, agent):
        self.head = _HEADS[type(agent.head)](agent.head)
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
