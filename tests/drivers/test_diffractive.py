"""The driver of a diffractive network on the emulated bench: a Device, in W, settled, and blank when it should be."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from calibration.device import Array, Device, Flag
from drivers.diffractive import Diffractive
from drivers.diffractive_hardware import Exposure
from drivers.errors import (
    EnvelopeError,
    IdentityError,
    InstrumentError,
    NotCalibrated,
    SafeStateError,
    ShapeError,
)
from drivers.frame_layout import Blocks, FrameRegion, LevelTable
from simulators.models.diffraction import DiffractiveDesign, DiffractiveNetwork, Grid, Region
from tests.conformance.device import DeviceConformance
from tests.drivers.diffractive_bench import (
    AMPLITUDE,
    LAYOUT,
    PHASE,
    POWER_W,
    FrameLaboratory,
    WAVELENGTH_m,
    frame_laboratory,
)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[FrameLaboratory]:
    with frame_laboratory(tmp_path) as made:
        yield made


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[FrameLaboratory]:
    with frame_laboratory(tmp_path, loudness=0.0, frames=1) as made:
        yield made


class TestDiffractive(DeviceConformance):
    @pytest.fixture
    def device(self, lab: FrameLaboratory) -> Device:  # type: ignore[override]
        return lab.chip


def constant(amplitudes: list[float]) -> Array:
    return np.array(amplitudes).reshape(1, 1, -1)


def test_the_groups_say_what_they_are(lab: FrameLaboratory) -> None:
    chip = lab.chip
    assert chip.inputs.names == ("x0_0", "x0_1", "x1_0", "x1_1")
    assert (len(chip.controls.names), chip.controls.names[0], chip.controls.names[-1]) == (
        32,
        "p0_0_0",
        "p1_3_3",
    )
    assert (chip.inputs.unit, chip.controls.unit, chip.outputs.unit) == ("1", "rad", "W")
    assert chip.with_inputs(["x0_0"]).controls.unit == "1, rad"
    assert chip.identity["camera"] == "hil, Camera 32x32 12 bit, 13, 1.0"


def test_light_comes_back_in_watts(tmp_path: Path) -> None:
    """Nothing is lost over no distance: the camera gets what goes through the input, whatever the planes do."""
    with frame_laboratory(tmp_path, distances="0 m, 0 m, 0 m", frames=16) as lab:
        lab.chip.set_controls(np.random.default_rng(1).uniform(0.0, 6.0, 32))
        for amplitudes in ([1.0, 1.0, 1.0, 1.0], [0.5, 0.5, 0.5, 0.5], [1.0, 0.0, 0.0, 0.5]):
            read = lab.chip.run(constant(amplitudes))
            expected = POWER_W * np.mean(np.square(amplitudes))
            assert read.outputs[0, 0, 0] == pytest.approx(expected, rel=0.02), amplitudes
            assert read.flags[0, 0] == 0


def test_readings_are_those_of_the_design(quiet: FrameLaboratory) -> None:
    """On a bench where everything is in its place; levels and counts round."""
    regions = {name: Region(r.top, r.left, r.height, r.width) for name, r in LAYOUT.detectors.items()}
    network = DiffractiveNetwork(
        DiffractiveDesign(
            Grid((32, 32), 8e-6),
            WAVELENGTH_m,
            (5e-3,) * 3,
            (4, 4),
            Region(8, 8, 16, 16),
            (2, 2),
            regions,
            POWER_W,
        )
    )
    rng = np.random.default_rng(2)
    for _ in range(3):
        inputs, controls = rng.uniform(0.2, 1.0, 4), rng.uniform(0.0, 6.28, 32)
        quiet.chip.set_controls(controls)
        read = quiet.chip.run(inputs.reshape(1, 1, 4)).outputs[0, 0]
        expected = network(torch.as_tensor(inputs), torch.as_tensor(controls)).numpy()
        np.testing.assert_allclose(read, expected, rtol=0.05, atol=0.005 * POWER_W)


def test_a_reading_does_not_remember_the_frame_before(quiet: FrameLaboratory) -> None:
    quiet.chip.set_controls(np.full(32, 1.0))
    bright, dim = [1.0, 1.0, 1.0, 1.0], [0.3, 0.3, 0.3, 0.3]
    read = quiet.chip.run(np.array([[bright, dim, bright, bright], [dim, dim, dim, bright]])).outputs[..., 0]
    allowed = 0.01 * read.max()  # half a level of the amplitude is still on its way
    np.testing.assert_allclose(read[0, [0, 2, 3]], read[1, 3], atol=allowed)
    np.testing.assert_allclose(read[1, :3], read[0, 1], atol=allowed)
    assert read[0, 1] < 0.2 * read[0, 0]


def test_a_saturated_pixel_on_a_detector_is_flagged(tmp_path: Path) -> None:
    with frame_laboratory(tmp_path, exposure_s=20e-3, frames=2) as lab:
        read = lab.chip.run(np.array([[[0.0] * 4, [1.0] * 4, [0.01] * 4]]))
        assert read.flags[0].tolist() == [0, Flag.CLIPPED, 0]
        assert (read.outputs <= lab.chip.outputs.high).all()
        assert read.outputs[0, 1, 0] < 0.9 * POWER_W, "what is lost to saturation"


def test_nothing_is_shown_of_what_is_refused(lab: FrameLaboratory) -> None:
    before = [lab.bench.instruments[name].shows for name in ("pattern", "planes")]
    good = np.full(32, 1.0)
    for bad in (np.nan, -0.1, 6.4):
        values = good.copy()
        values[5] = bad
        with pytest.raises(EnvelopeError, match=r"p0_1_1.*nothing was shown"):
            lab.chip.set_controls(values)
    with pytest.raises(EnvelopeError, match="x0_1"):
        lab.chip.run(constant([0.5, 1.2, 0.0, 0.0]))
    with pytest.raises(ShapeError):
        lab.chip.run(np.zeros((1, 1, 3)))
    assert [lab.bench.instruments[name].shows for name in ("pattern", "planes")] == before


def blank(lab: FrameLaboratory) -> bool:
    lab.bench.clock.advance(1.0)
    return all(
        np.abs(lab.bench.instruments[name].retardances(lab.bench.clock.now)).max() < 1e-9
        for name in ("pattern", "planes")
    )


def test_rest_and_closing_leave_the_modulators_blank(lab: FrameLaboratory) -> None:
    lab.chip.set_controls(np.full(32, 2.0))
    lab.chip.run(constant([1.0, 1.0, 0.0, 0.0]))
    assert not blank(lab)
    lab.chip.rest()
    assert blank(lab)
    lab.chip.set_controls(np.full(32, 2.0))
    lab.chip.close()
    assert blank(lab)


def test_a_camera_that_fails_ends_in_the_safe_state(
    lab: FrameLaboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.chip.set_controls(np.full(32, 2.0))

    def dead() -> None:
        raise OSError("USB device is gone")

    monkeypatch.setattr(lab.bench.instruments["camera"], "expose", dead)
    with pytest.raises(InstrumentError, match="USB device is gone") as raised:
        lab.chip.run(constant([1.0] * 4))
    assert any("at rest" in note for note in raised.value.__notes__)
    assert blank(lab)


def test_a_modulator_that_fails_does_not_keep_the_other_from_being_blanked(
    lab: FrameLaboratory, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.chip.set_controls(np.full(32, 2.0))

    def dead(frame: object) -> None:
        raise OSError("no signal")

    with monkeypatch.context() as patch:
        patch.setattr(lab.bench.instruments["pattern"], "take", dead)
        with pytest.raises(SafeStateError, match="no signal"):
            lab.chip.safe_state()
    lab.bench.clock.advance(1.0)
    planes = lab.bench.instruments["planes"]
    assert np.abs(planes.retardances(lab.bench.clock.now)).max() < 1e-9


class Shutter:
    """A laser as far as the chip needs one; the emulated light has none, so this one only keeps count."""

    def __init__(self) -> None:
        self.states: list[bool] = []

    def shine(self, on: bool) -> None:
        self.states.append(on)

    def safe_state(self) -> None:
        self.states.append(False)


def rebuilt(lab: FrameLaboratory, **changed: object) -> Diffractive:
    lab.chip.close()
    parts = {
        "layout": LAYOUT,
        "amplitude": AMPLITUDE,
        "phase": PHASE,
        "exposure": Exposure(1e-3, 1, 1.0, 1.0),
    }
    return Diffractive("rebuilt", lab.pattern, lab.planes, lab.camera, **(parts | changed))  # type: ignore[arg-type]


def test_a_laser_is_shut_for_the_dark_and_at_rest(lab: FrameLaboratory) -> None:
    shutter = Shutter()
    with rebuilt(lab, light=shutter) as chip:
        with pytest.raises(NotCalibrated, match="measure_dark"):
            chip.run(constant([1.0] * 4))
        chip.measure_dark()
        chip.run(constant([1.0] * 4))
        assert shutter.states == [False, True]
    assert shutter.states == [False, True, False]


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"layout": replace(LAYOUT, planes=(LAYOUT.planes[0], Blocks(FrameRegion(0, 16, 32, 32), 4, 4)))},
         ShapeError, "planes 0 and 1 lie on one another"),
        ({"layout": replace(LAYOUT, planes=(Blocks(FrameRegion(0, 40, 32, 32), 4, 4),))}, ShapeError, "plane 0: .* 71"),
        ({"layout": replace(LAYOUT, detectors={"far": FrameRegion(30, 0, 4, 4)})}, ShapeError, "detector far"),
        ({"phase": LevelTable(np.linspace(0, 6, 128), is_phase=True)}, EnvelopeError, "256 levels .* 128"),
        ({"exposure": Exposure(100.0, 1, 1.0, 1.0)}, EnvelopeError, "exposure of 100 s"),
        ({"expect": {"camera": "Hamamatsu"}}, IdentityError, "Hamamatsu"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_devices_is_named(
    lab: FrameLaboratory, changed: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        rebuilt(lab, **changed)
    with pytest.raises(ShapeError, match="choose divisors"):
        Blocks(FrameRegion(0, 0, 32, 32), 5, 4)
    with pytest.raises(ShapeError, match="rise"):
        LevelTable(np.zeros(4), is_phase=True)


@pytest.mark.parametrize("stroke", [5.0, 2.0 * np.pi, 7.5])
def test_levels_come_nearest_on_the_circle(stroke: float) -> None:
    table = LevelTable(stroke * np.linspace(0.0, 1.0, 50) ** 1.2, is_phase=True)
    wanted = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, 300)
    chosen = table.values[table.levels(wanted).astype(int)]

    def apart(a: Array) -> Array:
        return np.abs(np.mod(a + np.pi, 2.0 * np.pi) - np.pi)

    usable = table.values[table.values < 2.0 * np.pi]
    np.testing.assert_allclose(
        apart(chosen - wanted), apart(usable - wanted[:, None]).min(axis=1), atol=1e-12
    )
