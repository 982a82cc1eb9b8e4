"""Channel groups for the tests of sampling."""

import numpy as np
from hypothesis import strategies as st

from calibration.device import ChannelGroup

DOPANT = ChannelGroup(
    names=tuple(f"e{i}" for i in range(1, 8)),
    unit="V",
    low=np.array([-1.2] * 5 + [-0.7] * 2),
    high=np.array([0.6] * 5 + [0.3] * 2),
    max_slew=np.full(7, 60.0),
    settling_s=500e-6,
)


@st.composite
def channel_groups(draw: st.DrawFn) -> ChannelGroup:
    """One to nine channels with any range, fixed channels among them, some without a slew limit."""
    n = draw(st.integers(1, 9))

    def column(low: float, high: float) -> np.ndarray:
        return np.array(draw(st.lists(st.floats(low, high), min_size=n, max_size=n)))

    low = column(-10, 10)
    slew = column(0.01, 1e4)
    unlimited = np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)))
    return ChannelGroup(
        names=tuple(f"c{i}" for i in range(n)),
        unit="V",
        low=low,
        high=low + column(0, 20),
        max_slew=np.where(unlimited, np.inf, slew),
        settling_s=draw(st.floats(0, 5e-3)),
    )
