"""One step of one environment, seen from outside."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any


class StepType(IntEnum):
    """Where in its episode a step lies."""

    FIRST = 0  # what a reset returned
    MID = 1
    LAST = 2  # the episode ended here: terminal state, or time limit


@dataclass(slots=True, eq=False, repr=False)
class TimeStep:
    """What one call of ``reset`` or ``step`` returned.

    Args:
        step_type (StepType): where in the episode.
        observation (object): after a reset, or after the action; on the last step the true last.
        reward (float): ``None`` on the first step.
        done (bool): whether the episode is over, for whatever reason; ``None`` on the first step.
        info (dict): ``None`` on the first step.  ``info["TimeLimit.truncated"]`` tells, on the last
            step, a time limit from a terminal state.
    """

    step_type: StepType
    observation: Any
    reward: float | None
    done: bool | None
    info: dict | None

    def first(self) -> bool:
        """Whether the episode begins here.

        Raises:
            ValueError: if it does and there is a reward, a done flag or an info already.
        """
        is_first = self.step_type == StepType.FIRST
        if is_first and not (self.reward is self.done is self.info is None):
            raise ValueError(
                f"TimeStep: the first step has reward {self.reward!r}, done {self.done!r} and "
                f"info {self.info!r}; expected None for all three"
            )
        return is_first

    def mid(self) -> bool:
        """Whether the episode neither begins nor ends here."""
        return self.step_type == StepType.MID

    def last(self) -> bool:
        """Whether the episode ends here.

        Raises:
            ValueError: if it does and ``done`` is not true.
        """
        is_last = self.step_type == StepType.LAST
        if is_last and not self.done:
            raise ValueError(f"TimeStep: the last step has done {self.done!r}; expected True")
        return is_last

    def time_limit(self) -> bool:
        """Whether only a clock ended the episode here: the value of what would follow counts."""
        return self.last() and bool(self.info.get("TimeLimit.truncated", False))

    def terminal(self) -> bool:
        """Whether the episode ended here by itself: nothing follows, its value is zero."""
        return self.last() and not self.time_limit()

    def __getitem__(self, key):
        """Return ``info[key]``."""
        return self.info[key]

    def __repr__(self):
        return f"TimeStep({StepType(self.step_type).name})"
