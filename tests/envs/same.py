"""Two vectorized environments put through the same: all that they return must be equal."""

import numpy as np


def assert_equal_infos(info, other):
    assert set(info) == set(other)
    for key in info:
        np.testing.assert_array_equal(info[key], other[key], err_msg=key)


def assert_equal_steps(out, other):
    """Compare what two calls of ``step`` returned; return how many episodes ended."""
    *arrays, info = out
    *others, other_info = other
    for x, y in zip(arrays, others, strict=True):
        assert (x.dtype, x.flags.c_contiguous) == (y.dtype, y.flags.c_contiguous)
        np.testing.assert_array_equal(x, y)
    for a, b in zip(info["row_infos"], other_info["row_infos"], strict=True):
        assert_equal_infos(a, b)
    assert ("final_obs" in info) == ("final_obs" in other_info)
    ends = [b for b, done in enumerate(arrays[2] | arrays[3]) if done]
    for b in range(len(arrays[0]) if ends else 0):
        if b in ends:
            np.testing.assert_array_equal(info["final_obs"][b], other_info["final_obs"][b])
            assert info["final_obs"][b].dtype == other_info["final_obs"][b].dtype
            assert_equal_infos(info["final_info"][b], other_info["final_info"][b])
        else:
            assert info["final_obs"][b] is info["final_info"][b] is None
    return len(ends)


def assert_go_on_alike(env, other, actions):
    """Step both with ``actions``, ``[T, B, ...]``; return how many episodes ended."""
    return sum(assert_equal_steps(env.step(action), other.step(action)) for action in actions)


def assert_begin_alike(env, other, **kwargs):
    (a, info), (b, other_info) = env.reset(**kwargs), other.reset(**kwargs)
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)
    for x, y in zip(info["row_infos"], other_info["row_infos"], strict=True):
        assert_equal_infos(x, y)
