"""How far steps by hand are from off-policy agents' own; see :mod:`lagom.algorithms.by_hand`."""

import numpy as np
import torch
from lagom.algorithms.by_hand import restorer

_NUM_ROW = 128  # of a sample, at most, that a check looks at


def disagreement(agent, D, look=0):
    """The relative difference between what both ways do, on made-up numbers; nothing is changed.

    In a sample errors may be small and no episode may end: much of the loss could be edited
    unnoticed.  So rewards, ends and weights are made up, and target networks are moved.  The
    optimizers get moments with which their steps are nearly linear in the gradient: with none, Adam
    goes a whole step in either direction where a gradient is 0 but for rounding.

    Args:
        agent (Agent): its ``step`` is right by definition.
        D (dict): a sample of a replay buffer.
        look (int): numbers are others with each.
    """
    D, restore = _made_up(D, look), restorer(agent)
    learned = [optimizer.param_groups[0]["params"][0] for optimizer in agent.optimizers.values()]
    targets = [net.flat for name, net in agent.named_children() if name.endswith("_target")]
    moved = [*learned, *targets, *(x for x in agent.buffers() if x.is_floating_point())]
    sizes = [1.0] * len(learned)  # of the gradients, mean squares

    def try_out(by_hand):
        restore()
        for flat in targets:
            flat.detach().mul_(1.5)
        for optimizer, x, size in zip(agent.optimizers.values(), learned, sizes, strict=True):
            moments = {"exp_avg": torch.zeros_like(x), "exp_avg_sq": torch.full_like(x, size)}
            optimizer.state[x] = {"step": torch.tensor(10.0), **moments}
        before = [x.detach().clone() for x in moved]
        step = agent.choice.closed_form(agent).step if by_hand else agent.step
        for _ in range(agent.config.get("agent.policy_delay", 1)):
            out = step(dict(D))
        outs = [torch.as_tensor(out[key], dtype=torch.float32).reshape(-1) for key in sorted(out)]
        moves = [x.detach() - y for x, y in zip(moved, before, strict=True)]
        grads = [torch.zeros_like(x) if x.grad is None else x.grad.clone() for x in learned]
        return outs, grads, moves, before

    sizes = [grad.square().mean().item() + 1e-12 for grad in try_out(False)[1]]
    (outs, grads, moves, before), others = try_out(False), try_out(True)
    restore()
    errors = [
        *(_error(a, b, 0.01) for a, b in zip(outs, others[0], strict=True)),
        *(_error(a, b, 1e-9) for a, b in zip(grads, others[1], strict=True)),
        # Of a parameter that hardly moves, most of the difference is rounding.
        *(
            _error(a, b, 1e-4 * vec.norm() + 1e-9)
            for a, b, vec in zip(moves, others[2], before, strict=True)
        ),
    ]
    return torch.stack(errors).max().item()  # NaN if any is


def _error(a, b, floor):
    return (a - b).norm() / (a.norm() + floor)


def _made_up(D, look):
    """Rows of ``D`` with errors on both sides of wherever a loss may change, and with ends."""
    every = -(-len(D["reward"]) // _NUM_ROW)
    D = {key: x[look % every :: every] for key, x in D.items()}
    i = np.arange(len(D["reward"])) + 10 * look
    D["reward"] = D["reward"] + (2 * np.cos(i)).astype(np.float32)
    D["terminated"] = i % 5 == 0
    if "weight" in D:
        D["weight"] = (1 + 0.5 * np.cos(3 * i)).astype(np.float32)
    return D
