import pytest

from lagom.experiment.condition import calc, pick

CONFIG = {"env.id": "Ant-v2", "env.num_env": 4, "agent.lr": 1e-3, "sizes": [64, 32], "none": None}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1", 1),
        (" 1 ", 1),
        ("'text'", "text"),
        ("None", None),
        ("[1, 'a']", [1, "a"]),
        ("(1, 2)", [1, 2]),
        ("2 * env.num_env - 3", 5),
        ("7 / 2", 3.5),
        ("7 // 2 + 7 % 2", 4),
        ("-env.num_env", -4),
        ("+1", 1),
        ("10 if env.id == 'Ant-v2' else 5", 10),
        ("10 if env.id != 'Ant-v2' else 5", 5),
        ("env.id in ['Ant-v2', 'Hopper-v2']", True),
        ("env.id not in ['Ant-v2']", False),
        ("1 < env.num_env <= 4", True),
        ("1 < env.num_env < 4", False),
        ("1 > 2", False),
        ("4 >= env.num_env and not agent.lr > 1", True),
        ("False or none == None", True),
        ("1 > 2 or 2 > 3", False),
        ("max(1, env.num_env) + min(1, 2) + abs(-1)", 6),
        ("len(sizes) * 10", 20),
        ("sqrt(4) + log2(8) + log10(100) + round(1.2) + int(1.9) + float('2')", 11.0),
        ("exp(0) + log(1)", 1.0),
    ],
)
def test_what_can_be_computed(expression, expected):
    out = calc(expression, CONFIG.__getitem__)

    assert out == expected
    assert type(out) is type(expected)


def test_only_the_branch_that_counts_is_computed():
    assert calc("1 if True else nothing", CONFIG.__getitem__) == 1
    assert calc("1 if False else 2", CONFIG.__getitem__) == 2


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("__import__('os')", "is not supported"),
        ("env.id.upper()", "is not supported"),
        ("().__class__", r"\(\) has no attributes; expected a key"),
        ("min(x=1)", "is not supported"),
        ("[x for x in sizes]", "is not supported"),
        ("lambda: 1", "is not supported"),
        ("f'{1}'", "is not supported"),
        ("sizes[0]", "is not supported"),
        ("(a := 1)", "is not supported"),
        ("~1", "is not supported"),
        ("9 ** 9", "Pow is not supported"),
        ("env.id is None", "Is is not supported"),
        ("'a' * 1000000000", "cannot compute with 'a' and 1000000000; expected numbers"),
        ("[1] + [2]", "expected numbers"),
        ("env.idd", "no such key: env.idd"),
        ("1 / 0", "division by zero"),
        ("'a' < 1", "not supported between"),
        ("1 +", "invalid syntax"),
        ("(" * 300 + ")" * 300, "too many nested"),
        ("", "invalid syntax"),
        ("b'x'", "is not supported"),
        ("1j", "is not supported"),
    ],
)
def test_everything_else_is_refused(expression, message):
    with pytest.raises(ValueError, match=f"calc: .*{message}"):
        calc(expression, CONFIG.__getitem__)


def test_pick():
    assert pick("Ant-v2", {"Ant-v2": 10, "default": 5}) == 10
    assert pick("Hopper-v2", {"Ant-v2": 10, "default": 5}) == 5
    assert pick(1, {1: "one"}) == "one"
    assert pick(True, {True: 1, False: 0}) == 1
    with pytest.raises(ValueError, match=r"no entry for 'Ant-v3'; did you mean Ant-v2\?"):
        pick("Ant-v3", {"Ant-v2": 10})
    with pytest.raises(ValueError, match="pick: got 3; expected a table"):
        pick("a", 3)
