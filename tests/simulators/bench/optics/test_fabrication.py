"""A mesh as the bench file describes it: designed, fabricated, broken; and what is wrong with a description."""

import numpy as np
import pytest
import torch

from simulators.bench.chips import make_specimen
from simulators.bench.config import ChipConfig
from simulators.errors import BenchError
from simulators.models.mesh import Fabrication, MeshLayout, fabricate


def made(imperfections=None, seed=7, **options):
    section = {
        "model": "mesh",
        "seed": seed,
        "options": {"ports": 4, **options},
        "imperfections": imperfections,
    }
    return make_specimen(ChipConfig.model_validate(section), None, 0)


def test_without_imperfections_it_is_as_designed():
    specimen = made(
        resistance="1.2 kOhm", half_wave_power="30 mW", modulator_half_wave="4 V", kind="triangular"
    )
    design = fabricate(
        MeshLayout("triangular", 4),
        Fabrication.perfect(resistance_ohm=1200.0, half_wave_W=0.03, modulator_half_wave_V=4.0),
        seed=0,
    )
    assert {name: tuple(t.shape) for name, t in specimen.chip.state_dict().items()} == {
        name: tuple(t.shape) for name, t in design.state_dict().items()
    }
    for name, tensor in design.state_dict().items():
        assert torch.equal(specimen.chip.state_dict()[name], tensor), name
    assert specimen.thermal_s == pytest.approx(1e-3)
    assert specimen.drift_rad == 0.0


def test_imperfections_are_typical_but_for_those_that_are_given():
    given = {
        "splitter": "50 mrad",
        "mzi_loss": "0.3 dB",
        "crosstalk": 0.02,
        "chirp": "0.1 rad/V",
        "drift": "20 mrad",
    }
    specimen = made(given, thermal_time="20 us")
    chip = fabricate(
        MeshLayout("rectangular", 4),
        Fabrication(splitter_rad=0.05, mzi_loss_dB=0.3, crosstalk=0.02, chirp_rad_per_V=0.1),
        seed=7,
    )
    for name, tensor in chip.state_dict().items():
        torch.testing.assert_close(specimen.chip.state_dict()[name], tensor, rtol=1e-12, atol=0.0)
    assert (specimen.thermal_s, specimen.drift_rad) == pytest.approx((20e-6, 20e-3))
    assert not torch.equal(made({}, seed=8).chip.mesh.splitter_in, made({}).chip.mesh.splitter_in)


def test_what_is_broken_is_only_what_is_named():
    whole, broken = made({}), made({}, open=["t0_0"], shorted=["p1_1", "p2_0"], dead=["out3"])
    names = whole.chip.mesh.layout.shifters
    ratio = (broken.chip.heaters.resistance_ohm / whole.chip.heaters.resistance_ohm).numpy()
    assert {name for name, r in zip(names, ratio, strict=True) if r != 1.0} == {"t0_0", "p1_1", "p2_0"}
    asked = np.full((1, 4), 2.0), np.zeros((1, 12)), np.zeros(1)
    np.testing.assert_array_equal(broken.shares(*asked)[0] > 0.0, [True, True, True, False])
    np.testing.assert_allclose(broken.shares(*asked)[0, :3], whole.shares(*asked)[0, :3])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed": None}, ["emulator.chip.seed: missing"]),
        ({"file": "chip"}, ["emulator.chip.file", "remove the file"]),
        ({"options": {}}, ["emulator.chip.options.ports: missing"]),
        ({"options": {"ports": 300}}, ["emulator.chip.options.ports", "128"]),
        ({"options": {"ports": 4, "kind": "square"}}, ["emulator.chip.options.kind", "rectangular"]),
        ({"options": {"ports": 4, "thermal_time": 1e-3}}, ["emulator.chip.options.thermal_time", "no unit"]),
        ({"options": {"ports": 4, "thermal_time": "1 s"}}, ["emulator.chip.options.thermal_time", "0.1"]),
        ({"options": {"ports": 4, "thermal": "1 ms"}}, ["options.thermal: unknown key", "thermal_time"]),
        ({"options": {"ports": 4, "open": ["t9_9"]}}, ["options.open", "'t9_9'", "t0_0 to p3_1"]),
        ({"options": {"ports": 4, "dead": ["out4"]}}, ["options.dead", "out0 to out3"]),
        ({"imperfections": {"splitter": 0.1}}, ["imperfections.splitter", "no unit"]),
        ({"imperfections": {"mzi_loss": "0.1"}}, ["imperfections.mzi_loss", "not in dB"]),
        ({"imperfections": {"bits": 8}}, ["imperfections.bits: unknown key"]),
        (
            {"imperfections": {"half_wave": "20 mW"}},
            ["imperfections.half_wave: unknown key", "half_wave_spread"],
        ),
        ({"imperfections": {"drift": "-1 rad"}}, ["emulator.chip.imperfections", "drift_rad", "negative"]),
    ],
)
def test_a_fault_in_the_description_is_named(change, words):
    section = {"model": "mesh", "seed": 7, "options": {"ports": 4}, **change}
    with pytest.raises(BenchError) as caught:
        make_specimen(ChipConfig.model_validate(section), None, 0)
    for word in words:
        assert word in str(caught.value)
