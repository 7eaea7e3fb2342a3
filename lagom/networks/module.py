"""A torch module that can be seen as one vector of parameters."""

import io
from pathlib import Path

import torch
from torch import nn

from lagom.experiment import storage


class Module(nn.Module):
    """An ``nn.Module`` with its parameters as a vector, for optimizers, targets and evolution."""

    @property
    def num_params(self):
        """Number of parameters."""
        return sum(p.numel() for p in self.parameters())

    @property
    def num_trainable_params(self):
        """Number of parameters that are trained."""
        return sum(p.numel() for p in self.parameters() if p.requires_grad)

    @property
    def num_untrainable_params(self):
        """Number of parameters that are kept fixed."""
        return self.num_params - self.num_trainable_params

    @property
    def flat(self):
        """All trainable parameters as one leaf tensor ``[num_trainable_params]`` that they live in.

        Parameters and their gradients become views of this vector and of its ``.grad``: one fused
        optimizer step, one norm and one interpolation serve the whole module.  Take it after
        moving the module to its device, and of the module that is optimized, not of its parts.

        Raises:
            ValueError: nothing is trained, or the parameters differ in dtype.

        Example:
            >>> from lagom.networks import MLP
            >>> net = MLP(3, [4], 2)
            >>> optimizer = torch.optim.Adam([net.flat], fused=True)
            >>> _ = net.flat.detach().zero_()
            >>> net.layers[0].weight.abs().sum().item()
            0.0
        """
        if not self._lives_in_flat:
            params = self._trainable
            dtypes = {p.dtype for p in params}
            if len(dtypes) != 1:
                raise ValueError(
                    f"Module.flat: trainable parameters are of {sorted(map(str, dtypes))}; "
                    "expected some, of one dtype"
                )
            flat = _Flat(torch.cat([p.detach().reshape(-1) for p in params]))
            flat.grad = torch.zeros_like(flat)
            self.__dict__["_flat"] = flat  # past nn.Module: it is no parameter of its own
            self._move_into_flat()
        return self._flat

    @property
    def _trainable(self):
        return [p for p in self.parameters() if p.requires_grad]

    @property
    def _lives_in_flat(self):
        params, flat = self._trainable, self.__dict__.get("_flat")
        return flat is not None and [p.data_ptr() for p in params] == _addresses(params, flat)

    def _move_into_flat(self):
        params, flat = self._trainable, self._flat
        sizes = [p.numel() for p in params]
        parts, grads = flat.detach().split(sizes), flat.grad.split(sizes)
        for p, part, grad in zip(params, parts, grads, strict=True):
            p.data, p.grad = part.view_as(p), grad.view_as(p)

    def __getstate__(self):
        state = self.__dict__.copy()
        if not self._lives_in_flat:
            state.pop("_flat", None)
        return state

    def __setstate__(self, state):
        """A deep copy has its parameters in its own vector, which copied optimizers hold as well.

        Pickled, the vector is left behind.
        """
        super().__setstate__(state)
        if isinstance(self.__dict__.get("_flat"), _Flat):
            self._move_into_flat()
        else:
            self.__dict__.pop("_flat", None)

    def zero_grad(self, set_to_none=True):
        """Clear the gradients; those in ``flat`` are set to zero where they are."""
        if "_flat" in self.__dict__:
            self._flat.grad = None
        else:
            super().zero_grad(set_to_none)

    def clip_grad_norm(self, max_norm):
        """Scale the gradient in ``flat`` down to norm ``max_norm``; return what it was before."""
        grad = self._flat.grad
        norm = torch.linalg.vector_norm(grad)
        grad.mul_((max_norm / (norm + 1e-6)).clamp(max=1.0))  # as torch's own, without its lists
        return norm

    def to_vec(self):
        """All parameters as one vector ``[num_params]``, with their history for autograd."""
        return torch.cat([p.reshape(-1) for p in self.parameters()])

    @torch.no_grad()
    def from_vec(self, x):
        """Copy the vector ``x`` ``[num_params]`` into the parameters.

        Raises:
            ValueError: ``x`` has another length.
        """
        x = torch.as_tensor(x)
        if x.shape != (self.num_params,):
            raise ValueError(
                f"Module.from_vec: vector has shape {tuple(x.shape)}; "
                f"expected ({self.num_params},), the number of parameters"
            )
        start = 0
        for p in self.parameters():
            p.copy_(x[start : start + p.numel()].view_as(p))
            start += p.numel()

    def save(self, f):
        """Write the state dictionary to the file ``f``."""
        buffer = io.BytesIO()
        torch.save(self.state_dict(), buffer)
        storage.write_bytes(Path(f), buffer.getvalue())

    def load(self, f):
        """Read the state dictionary from the file ``f``; one with more than data is refused."""
        self.load_state_dict(torch.load(Path(f), map_location="cpu", weights_only=True))


class _Flat(nn.Parameter):
    """A vector whose gradient stays in place, since the parameters' gradients are views of it.

    ``optimizer.zero_grad()`` assigns None to gradients; here that sets them to zero.
    """

    def __deepcopy__(self, memo):
        flat = memo[id(self)] = _Flat(self.detach().clone())
        flat.grad = self.grad.clone()
        return flat

    @property
    def grad(self):
        return torch.Tensor.grad.__get__(self)

    @grad.setter
    def grad(self, value):
        if value is None:
            self.grad.zero_()
        else:
            torch.Tensor.grad.__set__(self, value)


def _addresses(params, flat):
    """Where ``params`` lie if they are views of ``flat``, one after the other."""
    counts = [0, *(p.numel() for p in params)]
    return [
        flat.data_ptr() + flat.element_size() * sum(counts[: i + 1]) for i in range(len(params))
    ]
