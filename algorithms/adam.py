"""Adam for the vector of a network's parameters, with as little around it as can be."""

import torch


class FusedAdam(torch.optim.Adam):
    """Adam for one tensor, whose steps go straight to the fused kernel.

    What ``torch.optim.Adam`` does besides costs more than the arithmetic on small networks.
    """

    def step(self, closure=None):
        """One step; what torch puts around it, such as hooks, is there."""
        return super().step(closure) if closure is not None else self.move()

    def move(self):
        """One step, and nothing else."""
        (group,) = self.param_groups
        (x,) = group["params"]
        state = self.state[x]
        if not state:  # as torch begins
            state["step"] = torch.zeros((), device=x.device)
            state.update({key: torch.zeros_like(x) for key in ("exp_avg", "exp_avg_sq")})
        beta1, beta2 = group["betas"]
        names = ("lr", "eps", "weight_decay", "amsgrad", "maximize")
        kwargs = {name: group[name] for name in names} | {"beta1": beta1, "beta2": beta2}
        with torch.no_grad():
            state["step"] += 1
            m, v, step = [state["exp_avg"]], [state["exp_avg_sq"]], [state["step"]]
            torch._fused_adam_([x], [x.grad], m, v, [], step, **kwargs)


def adam(parameter, lr, **kwargs):
    """The optimizer of one tensor, such as ``Module.flat``; one fused kernel a step."""
    return FusedAdam([parameter], lr=lr, fused=True, **kwargs)
