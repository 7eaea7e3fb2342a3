"""Trust region policy optimization: the largest natural-gradient step within a bound on the KL.

Schulman et al., Trust Region Policy Optimization, 2015 (arXiv:1502.05477), appendix C; advantages:
Schulman et al., 2016 (arXiv:1506.02438).
"""

import numpy as np
import torch
from gymnasium.spaces import Box, Discrete
from lagom.algorithms.on_policy import head_options, regress
from lagom.algorithms.trpo.natural_gradient import conjugate_gradient, fisher_product, flat_grad
from torch.distributions import kl_divergence

from lagom import BaseAgent
from lagom.data import actions, last_observations, observations
from lagom.metric import gae
from lagom.networks import Module, action_mask, make_encoder, make_head
from lagom.utils import numpify, tensorify
from lagom.utils.nested import to_tensors


class Actor(Module):
    """Observations to action distributions."""

    def __init__(self, trunk, action_space, device, **options):
        super().__init__()
        self.trunk = trunk
        self.head = make_head(trunk.out_features, action_space, device, **options)
        self.to(device)

    def forward(self, obs):
        """Observations ``[N, *obs]`` to a distribution with batch shape ``[N]``."""
        mask = action_mask(obs)
        return self.head(self.trunk(obs), *([] if mask is None else [mask]))


class Agent(BaseAgent):
    """TRPO for Discrete and Box actions on observations of every kind.

    Raises:
        ValueError: actions are of another kind.
    """

    def __init__(self, config, env, device, **kwargs):
        super().__init__(config, env, device, **kwargs)
        if not isinstance(self.action_space, Discrete | Box):
            raise ValueError(
                f"trpo: action space {self.action_space} has no divergence in closed form here; "
                "expected Discrete or Box; ppo and a2c serve the others"
            )
        space, sizes = self.observation_space, config["agent.hidden_sizes"]
        kinds = {"activation": config["agent.activation"], "cnn": config["agent.cnn"]}
        trunk = make_encoder(space, sizes, **kinds)
        self.actor = Actor(trunk, self.action_space, self.device, **head_options(config))
        self.critic = make_encoder(space, sizes, 1, **kinds).to(self.device)
        self.optimizer = torch.optim.Adam(
            [self.critic.flat], lr=config["agent.critic_lr"], fused=True
        )

    def choose_action(self, x, **kwargs):
        features, greedy = self.actor.trunk.numpy(x), not self.training
        return {"action": self.actor.head.act(features, self.rng, greedy, mask=action_mask(x))}

    def learn(self, D, timestep=0, **kwargs):
        obs = to_tensors(observations(D), self.device)  # [N, *obs]
        action = to_tensors(actions(D), self.device)  # [N, *action]
        A, target = self.advantages(D, obs)  # [N]
        A = (A - A.mean()) / (A.std(correction=0) + 1e-8)
        row = self.improve_policy(obs, action, A)
        return {**row, "value_loss": self.fit_critic(obs, target)}

    def improve_policy(self, obs, action, A):
        """One step of the policy; what came of it.

        The damping counts in the step's length, as in Schulman's modular_rl and in sb3-contrib: the
        divergence stays below ``agent.max_kl`` by the share that damping has in the curvature.
        """
        config, actor = self.config, self.actor
        parameters = list(actor.parameters())
        policy_old = actor(obs)
        logprob = policy_old.log_prob(action)
        logprob_old = logprob.detach()
        gain = ((logprob - logprob_old).exp() * A).mean()  # eq. 14
        g = flat_grad(gain, parameters, retain_graph=True)  # [P]
        fisher = fisher_product(policy_old, parameters)
        damped = lambda v: fisher(v) + config["agent.damping"] * v
        direction = conjugate_gradient(damped, g, config["agent.num_cg_step"])  # F^-1 g
        curvature = (direction @ damped(direction)).clamp(min=1e-12)
        step = (2 * config["agent.max_kl"] / curvature).sqrt() * direction  # appendix C

        x, gain_old, scale = actor.to_vec().detach(), gain.detach(), 1.0
        with torch.no_grad():
            for _ in range(config["agent.num_backtrack"]):
                actor.from_vec(x + scale * step)
                policy = actor(obs)
                gain = ((policy.log_prob(action) - logprob_old).exp() * A).mean()
                kl = kl_divergence(policy_old, policy).mean()
                if gain > gain_old and kl <= config["agent.max_kl"]:
                    break
                scale *= config["agent.backtrack"]
            else:  # no point on the line is better: stay
                actor.from_vec(x)
                gain, kl, scale = gain_old, torch.zeros(()), 0.0
        return {
            "policy_loss": -gain.item(),
            "entropy": policy_old.entropy().mean().item(),
            "approx_kl": kl.item(),
            "step_scale": scale,
            "grad_norm": g.norm().item(),
        }

    def fit_critic(self, obs, target):
        """Epochs of regression; the mean of their losses."""
        num_epoch, size = self.config["agent.num_epoch"], self.config["agent.batch_size"]
        return regress(self.critic, self.optimizer, obs, target, num_epoch, size)

    @torch.no_grad()
    def advantages(self, D, obs):
        """``[N]`` generalized advantages, and what the critic should say."""
        last_obs = to_tensors(last_observations(D), self.device)
        V = self.critic(obs).squeeze(-1)
        A = gae(
            self.config["agent.gamma"],
            self.config["agent.lam"],
            np.concatenate([tau.rewards for tau in D]),
            V,
            numpify(self.critic(last_obs).squeeze(-1), np.float32),
            np.array([tau.terminated for tau in D]),
            lengths=[tau.T for tau in D],
        )
        A = tensorify(A, self.device)
        return A, V + A
