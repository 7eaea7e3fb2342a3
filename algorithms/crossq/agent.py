"""CrossQ: soft actor-critic without target networks, for batch normalization in the critics.

Bhatt et al., CrossQ: Batch Normalization in Deep Reinforcement Learning for Greater Sample
Efficiency and Simplicity, 2024 (arXiv:1902.05605).
"""

from functools import partial

import numpy as np
import torch
from lagom.algorithms.adam import adam
from lagom.algorithms.by_hand import Choice
from lagom.algorithms.crossq.closed_form import ClosedForm
from lagom.algorithms.lr_decay import decay_lr
from lagom.algorithms.off_policy import action_size, make_log_alpha, tensors
from lagom.algorithms.off_policy_check import disagreement
from torch import nn
from torch.nn import functional as F

from lagom import BaseAgent
from lagom.networks import Module, TanhGaussianHead, input_size
from lagom.networks.batch_renorm import RenormMLP
from lagom.utils import numpify


class Actor(Module):
    """Observations to squashed Gaussian actions in (-1, 1)."""

    def __init__(self, obs_dim, hidden_sizes, action_dim, device, **kinds):
        super().__init__()
        self.trunk = RenormMLP(obs_dim, hidden_sizes, **kinds)
        self.head = TanhGaussianHead(self.trunk.out_features, action_dim, device)
        self.to(device)

    def sample(self, obs, learn=False):
        """Actions ``[N, action_dim]`` with gradient, and their log-probabilities ``[N]``."""
        return self.head.sample(self.trunk(obs, learn))


class Critics(Module):
    """Two networks for Q with batch renormalization."""

    def __init__(self, in_features, hidden_sizes, **kinds):
        super().__init__()
        self.Q = nn.ModuleList(RenormMLP(in_features, hidden_sizes, 1, **kinds) for _ in range(2))

    def forward(self, obs, action, learn=False):
        """Both values, ``[N]`` each; ``learn`` uses the moments of this batch."""
        x = torch.cat([obs, action], -1)
        return [Q(x, learn).squeeze(-1) for Q in self.Q]


class Agent(BaseAgent):
    """CrossQ for Box actions on vectors of observations; ``D`` is a sample of a replay buffer."""

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        action_dim = action_size("crossq", self.action_space)
        obs_dim = input_size(self.observation_space)
        sizes, critic_sizes = config["agent.hidden_sizes"], config["agent.critic_sizes"]
        kinds = {name: config[f"agent.{name}"] for name in ("activation", "init")}
        kinds["warmup"] = config["agent.renorm_warmup"]
        self.actor = Actor(obs_dim, sizes, action_dim, self.device, **kinds)
        self.critics = Critics(obs_dim + action_dim, critic_sizes, **kinds).to(self.device)
        self.log_alpha = make_log_alpha(config["agent.alpha"], self.device)
        self.target_entropy = -float(action_dim)
        lr, betas = config["agent.lr"], (config["agent.beta1"], 0.999)
        self.actor_optimizer = adam(self.actor.flat, lr, betas=betas)
        self.critic_optimizer = adam(self.critics.flat, lr, betas=betas)
        self.alpha_optimizer = adam(self.log_alpha, lr, betas=betas)
        self.choice = Choice(ClosedForm)  # a copy of step(), faster
        self.num_update = 0
        self.actor_row = [0.0, 0.0]  # loss and entropy at the last update of the actor

    def choose_action(self, x, **kwargs):
        features = self.actor.trunk.numpy(np.asarray(x, np.float32))
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
        # One pass for both: the moments are those of the mixture of old and new actions.
        both = self.critics(torch.cat([obs, next_obs]), torch.cat([action, next_action]), True)
        (Q1, Q1_next), (Q2, Q2_next) = (Q.chunk(2) for Q in both)
        Q_next = torch.min(Q1_next, Q2_next).detach()
        target = reward + discount * (Q_next - alpha * next_logprob)
        critic_loss = F.mse_loss(Q1, target) + F.mse_loss(Q2, target)
        self.critics.zero_grad()
        critic_loss.backward()
        self.critic_optimizer.step()

        self.num_update += 1
        if self.num_update % self.config["agent.policy_delay"] == 0:
            self._improve(obs, alpha)
        row = torch.stack([critic_loss.detach(), Q1.detach().mean(), alpha]).tolist()
        out = dict(zip(["critic_loss", "Q", "alpha"], row, strict=True))
        out["actor_loss"], out["entropy"] = self.actor_row
        if "weight" in D:
            out["td_error"] = numpify(target - 0.5 * (Q1 + Q2), np.float32)
        return out

    def _improve(self, obs, alpha):
        """One step of the actor, by critics on their running moments, and of the temperature."""
        action, logprob = self.actor.sample(obs, learn=True)
        actor_loss = (alpha * logprob - torch.min(*self.critics(obs, action))).mean()
        self.actor.zero_grad()
        actor_loss.backward(inputs=[*self.actor.parameters()])  # nothing for the critics' weights
        self.actor_optimizer.step()
        entropy = -logprob.detach().mean()
        if self.config["agent.alpha"] == "auto":
            # The loss alpha (entropy - the one wanted) is, in log alpha, its own derivative.
            self.log_alpha.grad = alpha * (entropy - self.target_entropy)
            self.alpha_optimizer.step()
        self.actor_row = torch.stack([actor_loss.detach(), entropy]).tolist()

    def get_extra_state(self):
        own = {"num_update": self.num_update, "actor_row": self.actor_row}
        return {**super().get_extra_state(), **own}

    def set_extra_state(self, state):
        super().set_extra_state(state)
        self.num_update, self.actor_row = state["num_update"], state["actor_row"]
