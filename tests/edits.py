"""What must happen to an edited ``step`` that has a copy by hand beside it."""

import warnings

import pytest
import torch


def check_edit_is_used(algo, make):
    """The edit is noticed, said once, and autograd does what it says.

    Args:
        algo (str): as the warning calls it.
        make (function): ``make(*words)``, an engine whose agent's class has the edit.
    """
    engine = make()
    with pytest.warns(UserWarning, match=rf"{algo}: what .* does with a minibatch and its copy in"):
        engine.train(1)
    other = make("agent.gradient=autograd")
    other.train(1)

    assert not engine.agent.choice.agrees
    assert torch.equal(engine.agent.to_vec(), other.agent.to_vec())
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # once is enough
        engine.train(2)
