import io
import re
import sys
from datetime import datetime

import pytest

from lagom.utils import ask_yes_or_no, color_str, console, timed, timeit

LINE = r"\nTotal time: (.*) at (\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2})\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def no_wishes(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)


@pytest.fixture
def clock(monkeypatch):
    """What the clock shows at each look, seconds; to be filled."""
    times = []
    monkeypatch.setattr(console.time, "perf_counter", lambda: times.pop(0))
    return times


@pytest.fixture
def typed(monkeypatch):
    return lambda text: monkeypatch.setattr(sys, "stdin", io.StringIO(text))


@pytest.mark.parametrize(
    ("color", "code"),
    [
        ("black", 30),
        ("red", 31),
        ("green", 32),
        ("yellow", 33),
        ("blue", 34),
        ("magenta", 35),
        ("cyan", 36),
        ("white", 37),
    ],
)
def test_colors(monkeypatch, color, code):
    monkeypatch.setenv("FORCE_COLOR", "1")

    assert color_str("x", color) == f"\x1b[{code}mx\x1b[0m"
    assert color_str("x", color, bold=True) == f"\x1b[{code}m\x1b[1mx\x1b[0m"


@pytest.mark.parametrize(
    ("environment", "terminal", "colored"),
    [
        ({}, False, False),
        ({}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "0"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": ""}, False, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_when_there_is_color(monkeypatch, environment, terminal, colored):
    monkeypatch.setattr(sys, "stdout", Terminal() if terminal else io.StringIO())
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert color_str("x", "red") == ("\x1b[31mx\x1b[0m" if colored else "x")


def test_unknown_colors_are_refused_before_the_work():
    message = "color_str: color is .*; expected one of black, red, green, yellow, blue, magenta, "
    for refused in (
        lambda: color_str("x", "pink"),
        lambda: timed("pink"),
        lambda: timeit(color="pink"),
        lambda: timed(print),  # @timed without parentheses
    ):
        with pytest.raises(ValueError, match=message + "cyan, white"):
            refused()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00:00"), (0.6, "0:00:01"), (59.7, "0:01:00"), (3 * 3600 + 62, "3:01:02")],
)
def test_timed_prints_the_rounded_time(capsys, clock, seconds, text):
    clock += [100.0, 100.0 + seconds]
    before = datetime.now().replace(microsecond=0)
    with timed():
        print("work")

    found = re.fullmatch(f"work\n{LINE}", capsys.readouterr().out)
    assert found[1] == text
    assert before <= datetime.fromisoformat(found[2]) <= datetime.now()


def test_timed_prints_when_the_block_raises(capsys):
    with pytest.raises(ZeroDivisionError), timed("red"):
        _ = 1 / 0

    assert re.fullmatch(LINE, capsys.readouterr().out)


def test_timed_line_is_colored(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with timed("red", bold=True):
        pass

    out = capsys.readouterr().out
    assert out.startswith("\n\x1b[31m\x1b[1mTotal time")
    assert out.endswith("\x1b[0m\n")


@pytest.mark.parametrize("decorate", [timed(), timeit, timeit(), timeit(color="blue", bold=True)])
def test_decorators_time_each_call(capsys, decorate):
    @decorate
    def f(a, *, b=0):
        """Adds."""
        return a + b + 1

    assert capsys.readouterr().out == ""
    assert (f(1), f(1, b=5)) == (2, 7)
    assert (f.__name__, f.__doc__) == ("f", "Adds.")
    assert re.fullmatch(LINE * 2, capsys.readouterr().out)


def test_recursion_is_timed_at_every_level(capsys, clock):
    clock += [0.0, 1.0, 3.0, 10.0]

    @timeit
    def f(n):
        return n and f(n - 1)

    f(1)

    assert re.findall("time: (.*) at", capsys.readouterr().out) == ["0:00:02", "0:00:10"]


@pytest.mark.parametrize(
    ("text", "answer", "num_asked"),
    [
        ("y\n", True, 1),
        ("  YES\n", True, 1),
        ("Nay\n", False, 1),
        ("\n\nmaybe\n\nn\ny\n", False, 5),
    ],
)
def test_answers(capsys, typed, text, answer, num_asked):
    typed(text)

    assert ask_yes_or_no("Delete it?") is answer
    out = capsys.readouterr().out
    assert out.startswith("Delete it?\n>>> ")
    assert out.count(">>> ") == num_asked
    assert out.count("Please answer y or n.") == num_asked - 1


@pytest.mark.parametrize("text", ["", "perhaps\n"])
def test_no_answer_at_all(typed, text):
    typed(text)

    with pytest.raises(EOFError, match="the input ended before 'Delete it\\?' was answered"):
        ask_yes_or_no("Delete it?")
