"""SAC's step by hand, for plain networks on the CPU; see :mod:`lagom.algorithms.by_hand`."""

import math

import numpy as np
import torch
from lagom.algorithms.by_hand import follower, is_plain, is_plain_adam
from lagom.algorithms.continuous_by_hand import CriticsBackprop
from lagom.algorithms.off_policy import arrays

from lagom.networks import TanhGaussianHead
from lagom.networks.backprop import AdamArrays, MLPBackprop

LOGGED = "critic_loss", "actor_loss", "Q", "entropy", "alpha"
_LOG_4 = 2 * math.log(2)


class TanhGaussianBackprop:
    """An ``Actor`` whose head is a :class:`TanhGaussianHead` for -1 to 1; ``kind`` is its trunk."""

    def __init__(self, actor, kind=MLPBackprop):
        self.net, self.constant = kind(actor.trunk, actor.head.out), actor.head.constant

    def sample(self, obs, **kwargs):
        """As of the actor, from the same stream of noise; ``kwargs`` go to the trunk."""
        both = self.net.forward(obs, **kwargs)
        D = both.shape[1] // 2
        mean, logstd = both[:, :D], both[:, D:]  # [N, action_dim]
        noise = torch.randn(mean.shape).numpy()
        clamped = np.minimum(np.maximum(logstd, -20), 2)
        scaled = np.exp(clamped) * noise
        x = mean + scaled
        # log(1 - tanh(x)^2) = 2 log 2 - 2 |x| - 2 log(1 + exp(-2 |x|)): no exponential overflows.
        size = abs(x)
        surprise = 0.5 * noise * noise + clamped - 2 * (size + np.log(1 + np.exp(-2 * size)))
        logprob = -(surprise @ np.ones(D, np.float32)) - np.float32(self.constant + D * _LOG_4)
        self.action, self.scaled, self.within = np.tanh(x), scaled, clamped == logstd
        return self.action, logprob

    def backward(self, d_action, d_logprob):
        r"""Gradients of the parameters from those of the actions ``[N, action_dim]`` and
        log-probabilities (float, the same for all) of the last sample.

        .. math::
            x = \mu + \sigma \epsilon, \qquad a = \tanh x, \qquad
            \frac{\partial a}{\partial x} = 1 - a^2, \qquad
            \frac{\partial \log \pi}{\partial x} = 2 a, \qquad
            \frac{\partial \log \pi}{\partial \log \sigma} = 2 a \sigma \epsilon - 1
        """
        a = self.action
        d_x = d_action * (1 - a * a) + 2 * d_logprob * a
        d_logstd = (d_x * self.scaled - d_logprob) * self.within
        self.net.backward(np.concatenate([d_x, d_logstd], -1))


def is_usual(head):
    """Whether ``head`` is one that :class:`TanhGaussianBackprop` knows."""
    return type(head) is TanhGaussianHead and bool(
        (head.np_center == 0).all() and (head.np_scale == 1).all()
    )


def applies(agent):
    """Whether ``agent`` has plain networks, the usual head, and plain Adam."""
    head = agent.actor.head
    return (
        is_usual(head)
        and CriticsBackprop.applies(agent.critics)
        and is_plain(
            agent,
            [agent.actor.trunk, *agent.critics.Q, *agent.critics_target.Q],
            [head.out],
            [agent.log_alpha],
        )
        and all(is_plain_adam(x) for x in agent.optimizers.values())
    )


def improve_policy(agent, actor, obs, value, alpha, **kwargs):
    """The steps of actor and temperature; returns the actor's loss, and entropy.

    Args:
        agent (Agent): of SAC, TQC or CrossQ.
        actor (TanhGaussianBackprop): that of ``agent``.
        obs (ndarray): ``[N, obs_dim]``.
        value (function): ``value(obs, action)``, values ``[N]`` and their gradients
            ``[N, action_dim]``.
        alpha (float): the temperature.
        **kwargs: go to ``actor.sample``.
    """
    action, logprob = actor.sample(obs, **kwargs)
    Q, d_action = value(obs, action)
    N, entropy = len(Q), -float(logprob.mean())
    actor.backward(-d_action / np.float32(N), np.float32(alpha / N))
    agent.actor_optimizer.move()
    if agent.config["agent.alpha"] == "auto":
        agent.log_alpha.grad = torch.tensor(alpha * (entropy - agent.target_entropy))
        AdamArrays(agent.alpha_optimizer).step()
    return -alpha * entropy - float(Q.mean()), entropy


class ClosedForm:
    """The arrays of an agent, where they are now."""

    lasts = True

    applies = staticmethod(applies)

    def __init__(self, agent):
        self.agent, self.critics = agent, CriticsBackprop(agent.critics)
        self.critics_target = CriticsBackprop(agent.critics_target)
        self.actor = TanhGaussianBackprop(agent.actor)
        tau = agent.config["agent.tau"]
        self.critics_follow = follower(agent.critics_target, agent.critics, tau)

    def step(self, D):
        """As ``Agent.step``."""
        agent = self.agent
        obs, action, reward, next_obs, discount = arrays(D)
        alpha = math.exp(agent.log_alpha.item())

        next_action, next_logprob = self.actor.sample(next_obs)
        Q_next = np.minimum(*self.critics_target.forward(next_obs, next_action))
        target = reward + discount * (Q_next - np.float32(alpha) * next_logprob)
        critic_loss, (Q1, Q2) = self.critics.regress(obs, action, target)
        agent.critic_optimizer.move()

        actor_loss, entropy = improve_policy(agent, self.actor, obs, self.critics.least, alpha)
        self.critics_follow()
        row = critic_loss, actor_loss, float(Q1.mean()), entropy, alpha
        out = dict(zip(LOGGED, row, strict=True))
        if "weight" in D:
            out["td_error"] = target - 0.5 * (Q1 + Q2)
        return out
