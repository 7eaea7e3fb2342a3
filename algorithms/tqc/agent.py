"""TQC: soft actor-critic with quantiles for critics, the highest of which are dropped.

Kuznetsov et al., Controlling Overestimation Bias with Truncated Mixture of Continuous
Distributional Quantile Critics, 2020 (arXiv:2005.04269).
"""

from copy import deepcopy
from functools import partial

import numpy as np
import torch
from lagom.algorithms.adam import adam
from lagom.algorithms.by_hand import Choice
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.off_policy import Critics, action_size, make_log_alpha, network_kinds, tensors
from lagom.algorithms.off_policy_check import disagreement
from lagom.algorithms.sac.agent import Actor
from lagom.algorithms.tqc.closed_form import ClosedForm
from lagom.algorithms.tqc.loss import quantile_huber

from lagom import BaseAgent
from lagom.utils import numpify


class Agent(BaseAgent):
    """TQC for Box actions, observations of every kind; ``D`` is a sample of a replay buffer."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        action_dim = action_size("tqc", self.action_space)
        C, M = config["agent.num_critic"], config["agent.num_quantile"]
        self.num_kept = C * (M - config["agent.drop"])  # of all quantiles, the lowest
        if self.num_kept < 1:
            raise ValueError(
                f"tqc: agent.drop is {config['agent.drop']!r} of {M} quantiles; "
                "expected less than agent.num_quantile"
            )
        space, sizes = self.observation_space, config["agent.hidden_sizes"]
        kinds = network_kinds(config)
        self.actor = Actor(space, sizes, action_dim, self.device, **kinds)
        self.critics = Critics(space, action_dim, sizes, num_critic=C, out_features=M, **kinds).to(
            self.device
        )
        self.critics_target = deepcopy(self.critics)
        self.log_alpha = make_log_alpha(config["agent.alpha"], self.device)
        self.target_entropy = -float(action_dim)
        self.actor_optimizer = adam(self.actor.flat, config["agent.lr"])
        self.critic_optimizer = adam(self.critics.flat, config["agent.lr"])
        self.alpha_optimizer = adam(self.log_alpha, config["agent.lr"])
        self.choice = Choice(ClosedForm)  # a copy of step(), faster

    def choose_action(self, x, **kwargs):
        features = self.actor.trunk.numpy(x)
        return {"action": self.actor.head.act(features, self.rng, greedy=not self.training)}

    def learn(self, D, timestep=0, **kwargs):
        decay_lr(self, timestep)
        return self.choice(self, partial(disagreement, self, D))(D)

    def step(self, D):
        """One update from a sample, of everything."""
        obs, action, reward, next_obs, discount = tensors(D, self.device)
        alpha = self.log_alpha.detach().exp()

        with torch.no_grad():
            next_action, next_logprob = self.actor.sample(next_obs)
            Z_next = torch.cat(self.critics_target(next_obs, next_action), -1)  # [N, C M]
            Z_next = Z_next.sort(-1).values[:, : self.num_kept]  # the truncated mixture
            V_next = Z_next - alpha * next_logprob[:, None]
            target = reward[:, None] + discount[:, None] * V_next  # [N, num_kept]
        Z = torch.stack(self.critics(obs, action), 1)  # [N, C, M]
        critic_loss, grad = quantile_huber(Z, target)
        self.critics.zero_grad()
        Z.backward(grad)
        self.critic_optimizer.step()

        new_action, logprob = self.actor.sample(obs)
        Q = torch.stack(self.critics(obs, new_action), 1).mean((1, 2))  # of all quantiles
        actor_loss = (alpha * logprob - Q).mean()  # not truncated
        self.actor.zero_grad()
        actor_loss.backward(inputs=[*self.actor.parameters()])  # nothing for the critics' weights
        self.actor_optimizer.step()

        if self.config["agent.alpha"] == "auto":
            # The loss -alpha (log pi + entropy wanted) is, in log alpha, its own derivative.
            self.log_alpha.grad = -alpha * (logprob.detach() + self.target_entropy).mean()
            self.alpha_optimizer.step()
        with torch.no_grad():
            self.critics_target.flat.lerp_(self.critics.flat, self.config["agent.tau"])
            row = torch.stack([critic_loss, actor_loss, Z.mean(), -logprob.mean(), alpha]).tolist()
        names = ["critic_loss", "actor_loss", "Q", "entropy", "alpha"]
        out = dict(zip(names, row, strict=True))
        if "weight" in D:
            out["td_error"] = numpify(target.mean(-1) - Z.mean((1, 2)), np.float32)
        return out
