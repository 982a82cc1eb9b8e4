"""Dithering every control at a frequency of its own, so that one trace holds the slopes with respect to all of them."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from calibration.device import Array, Channels
from calibration.errors import PlanError

_SAMPLES_PER_CYCLE = 3.0
"""Of the fastest tone, at least: Nyquist's two, and room for the ends of the band."""
_SETTLINGS_PER_CYCLE = 20.0
"""Of the fastest tone: a lag that is settled to 0.1 % after `settling_s` turns it by 2.6 degrees."""

_LEAST_USABLE = 0.95
"""Share of a trace."""


@dataclass(frozen=True, eq=False)
class Dither:
    """Tones v_k(t) = V_k + a_k sin(2π m_k t / T), m_k whole cycles in a window of T samples.

    All m_k are odd and T is even: what a chip makes of two tones, their harmonics and their sums and differences, is
    at even numbers of cycles, aliases included, so the second order of its nonlinearity never falls on a tone. The
    third order does; it makes a share of a² of the slope wrong.

    Attributes:
        cycles: m_k, (n,).
        amplitudes: a_k in the controls' unit, (n,).
        window: T.
    """

    cycles: npt.NDArray[np.intp]
    amplitudes: Array
    window: int

    @classmethod
    def within(
        cls,
        controls: Channels,
        sample_rate_Hz: float,
        amplitudes: Array,
        window: int,
        slew_fraction: float = 0.9,
        mains_Hz: float = 50.0,
    ) -> Self:
        """Tones as fast as slew, settling and sampling allow, away from the mains and its harmonics.

        Args:
            controls: that are dithered, with their limits.
            amplitudes: in the controls' unit, (n,).
            window: in samples.
            mains_Hz: left out, each multiple with less than a cycle around it; 0 for none.

        Raises:
            PlanError: there is no room for a tone for each control; names a window that has it.
        """
        if window % 2 or window < 8:
            raise PlanError(f"window {window}: an even number of samples, 8 at least")
        cycles = _cycles(controls, sample_rate_Hz, amplitudes, window, slew_fraction, mains_Hz)
        if cycles is None:
            longer = window
            while longer < 64 * (window + len(amplitudes)):
                longer += 2 + 2 * (longer // 40)  # by 5 %: which one is least is not worth more
                if _cycles(controls, sample_rate_Hz, amplitudes, longer, slew_fraction, mains_Hz) is not None:
                    raise PlanError(
                        f"a window of {window} samples has no room for {len(amplitudes)} tones at "
                        f"{sample_rate_Hz:g} samples/s; {longer} have, or choose a smaller dither"
                    )
            raise PlanError(
                f"{len(amplitudes)} tones are too fast for these controls at {sample_rate_Hz:g} samples/s in any "
                "reasonable window; choose a smaller dither, or fewer parameters at a time"
            )
        return cls(cycles, np.asarray(amplitudes, dtype=np.float64), window)

    def trace(self, centre: Array, lead: int = 0) -> Array:
        """Controls (lead + T, n) around `centre` (n,); the tones run during the lead already."""
        time = np.arange(-lead, self.window)[:, None] / self.window
        return np.asarray(centre + self.amplitudes * np.sin(2.0 * np.pi * self.cycles * time))

    def demodulated(self, outputs: Tensor, usable: Tensor) -> "Demodulated":
        """Slopes from what was read during the window.

        Args:
            outputs: (points, T, n_out), in the dithers' rhythm.
            usable: (points, T); what is not is left out, and the rest told apart by least squares.
        """
        time = torch.arange(self.window, dtype=torch.float64)[:, None] / self.window
        turns = 2.0 * math.pi * torch.as_tensor(self.cycles, dtype=torch.float64) * time
        # a constant and a drift; what is in phase and what is not
        columns = torch.cat(
            (torch.ones_like(time), time - time.mean(), torch.sin(turns), torch.cos(turns)), dim=1
        )
        n = len(self.cycles)
        read = outputs.double()
        found = torch.full((len(read), columns.shape[1], read.shape[2]), math.nan, dtype=torch.float64)
        whole = usable.all(dim=1)
        found[whole] = torch.linalg.pinv(columns) @ read[whole]
        for point in torch.nonzero(~whole)[:, 0].tolist():
            rows = usable[point]
            # with more gone the tones are not told from one another, nor from the second order
            if float(rows.double().mean()) >= _LEAST_USABLE:
                found[point] = torch.linalg.pinv(columns[rows]) @ read[point, rows]
        scale = torch.as_tensor(self.amplitudes)[:, None]
        return Demodulated(
            outputs=found[:, 0],
            slopes=(found[:, 2 : 2 + n] / scale).transpose(1, 2),
            lagging=(found[:, 2 + n :] / scale).transpose(1, 2),
        )


@dataclass(frozen=True, eq=False)
class Demodulated:
    """What a trace holds; nan for a point of which too little is usable.

    Attributes:
        outputs: in the middle of the window, (points, n_out).
        slopes: dI_o/dV_k, in phase with the tones, (points, n_out, n).
        lagging: the same a quarter of a cycle late: noise alone where the chip follows at once.
    """

    outputs: Tensor
    slopes: Tensor
    lagging: Tensor


def _cycles(
    controls: Channels,
    sample_rate_Hz: float,
    amplitudes: Array,
    window: int,
    slew_fraction: float,
    mains_Hz: float,
) -> npt.NDArray[np.intp] | None:
    """Odd numbers of cycles, as high as each control allows; None where there are not enough."""
    with np.errstate(divide="ignore"):
        fastest_Hz = slew_fraction * np.asarray(controls.max_slew) / (2.0 * np.pi * amplitudes)
        if controls.settling_s > 0.0:
            fastest_Hz = np.minimum(fastest_Hz, 1.0 / (_SETTLINGS_PER_CYCLE * controls.settling_s))
    highest = np.minimum(fastest_Hz / sample_rate_Hz, 1.0 / _SAMPLES_PER_CYCLE) * window
    free = np.arange(1, window // 2, 2)
    if 0.0 < mains_Hz < sample_rate_Hz / 2.0:
        hum = mains_Hz / sample_rate_Hz * window * np.arange(1, sample_rate_Hz / 2.0 // mains_Hz + 1)
        free = free[(np.abs(free[:, None] - hum) >= 1.0 - 1e-9).all(axis=1)]
    cycles = np.zeros(len(amplitudes), dtype=np.intp)
    # the slowest last: they take the low ones that are left
    for k in np.argsort(-highest, kind="stable"):
        allowed = free[free <= highest[k] * (1.0 + 1e-9)]
        if not len(allowed):
            return None
        cycles[k] = allowed[-1]
        free = free[free != allowed[-1]]
    return cycles
