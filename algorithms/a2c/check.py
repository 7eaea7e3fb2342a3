"""How far A2C's steps by hand are from its own; see :mod:`lagom.algorithms.by_hand`."""

from dataclasses import replace

import numpy as np
import torch
from lagom.algorithms.a2c.closed_form import ClosedForm
from lagom.algorithms.by_hand import restorer

from lagom.networks import CategoricalHead


def disagreement(agent, D, look=0):
    """The relative difference between what both ways do, on made-up numbers; nothing is changed.

    Rewards are made up, and so are the ends of trajectories: else much of what becomes of them
    could be edited unnoticed.  Discrete actions are made unequally likely: where the entropy is at
    its maximum, a bonus for it has no gradient.  The optimizer gets moments with which its steps
    are nearly linear in the gradient.  Networks are compared each by itself, or the critic's large
    numbers would hide the others.

    Args:
        agent (Agent): its ``step`` is right by definition.
        D (list): trajectories.
        look (int): numbers are others with each.
    """
    D, restore = _made_up(D, look), restorer(agent)
    nets = [net for net in (agent.actor.trunk, agent.actor.head, agent.critic) if net.num_params]

    def try_out(by_hand, size=1.0):
        restore()
        if isinstance(agent.actor.head, CategoricalHead):
            bias = agent.actor.head.logits.bias.detach()
            bias += torch.cos(torch.arange(len(bias)) + 10.0 * look)
        vec = agent.to_vec().detach()
        moment, square = torch.zeros_like(vec), torch.full_like(vec, size)
        names = {"step": torch.tensor(10.0), "exp_avg": moment, "exp_avg_sq": square}
        if "alpha" in agent.optimizer.defaults:  # RMSprop
            names = {"step": torch.tensor(10.0), "square_avg": square}
        agent.optimizer.state[agent.flat] = names
        out = (ClosedForm(agent).step if by_hand else agent.step)(D)
        unclipped = out["grad_norm"] / (agent.flat.grad.norm().item() + 1e-12)
        grads = [
            torch.cat([p.grad.flatten() * unclipped for p in net.parameters()]) for net in nets
        ]
        move = (agent.to_vec().detach() - vec) / (1e-3 * vec.norm() + 1e-12)
        return [torch.tensor([out[key] for key in sorted(out)]), *grads, move]

    size = torch.cat(try_out(False)[1:-1]).square().mean().item() + 1e-12
    sides = try_out(False, size), try_out(True, size)
    restore()
    errors = [(a - b).norm() / (a.norm() + 0.01) for a, b in zip(*sides, strict=True)]
    return torch.stack(errors).max().item()  # NaN if any is


def _made_up(D, look):
    """``D`` with rewards of both signs; every other trajectory comes to an end."""
    start, made_up = 10 * look, []
    for k, tau in enumerate(D):
        rewards = tau.rewards + 2 * np.cos(np.arange(start, start + tau.T))
        end = {"terminated": k % 2 == look % 2, "truncated": False}
        made_up.append(replace(tau, rewards=rewards, **end))
        start += tau.T
    return made_up
