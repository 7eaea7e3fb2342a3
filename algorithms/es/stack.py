"""Many small networks of one shape, run side by side in NumPy."""

import numpy as np


class Stack:
    """The networks that parameter vectors describe, each for the observations of its own row.

    A row's result does not depend on what is computed beside it, not even in the last bit.

    Args:
        policy (MLP): the shape of the networks, and their activation.
        candidates (ndarray): ``[P, num_params]``, as of ``Module.to_vec``.
    """

    def __init__(self, policy, candidates):
        self.activation = policy.np_activation
        vectors = np.asarray(candidates, np.float32)
        self.layers, start = [], 0
        for parameter in policy.parameters():  # weight [out, in] and bias [out] of each layer
            part = vectors[:, start : start + parameter.numel()]
            part = part.reshape(len(vectors), *parameter.shape)
            part = part.transpose(0, 2, 1) if parameter.ndim == 2 else part[:, None]
            self.layers.append(np.ascontiguousarray(part))
            start += parameter.numel()
        self._rows, self._chosen = None, None

    def __call__(self, policies, x):
        """Outputs ``[B, out]`` for observations ``[B, in]``; row ``b`` is of ``policies[b]``."""
        if self._rows is None or not np.array_equal(policies, self._rows):
            self._rows = policies.copy()
            self._chosen = [layer[policies] for layer in self.layers]
        x = x[:, None]
        *hidden, W, b = self._chosen
        for weight, bias in zip(hidden[::2], hidden[1::2], strict=True):
            x = self.activation(x @ weight + bias)
        return (x @ W + b)[:, 0]
