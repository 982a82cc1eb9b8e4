"""A look at the bench of a mesh: everything in it is named, and nothing moves."""

from pathlib import Path
from typing import Any

import pytest
import yaml

import hil
from hil.cli.exit_codes import INSTRUMENT, USAGE
from hil.errors import ConfigError
from tests.hil.mesh.lab import make_mesh_lab


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    return make_mesh_lab(tmp_path / "lab").with_name("bench.yaml")


def altered(bench: Path, **chip: dict[str, Any]) -> Path:
    """The same bench with other values in the sections of its chip."""
    document = yaml.safe_load(bench.read_text())
    for section, values in chip.items():
        document["chip"][section] |= values
    bench.write_text(yaml.safe_dump(document, sort_keys=False))
    return bench


def test_everything_is_looked_at(lab: Path) -> None:
    result = hil.check(lab)
    assert result.ok, [item for item in result.items if not item.ok]
    found = {item.what: item.finding for item in result.items}
    assert found["outputs"] == "all heaters and modulators at rest"
    assert "TSL-570" in found["identity of laser"]
    assert "no light comes out" in found["laser"]
    assert "3 ports, 3 interferometers; 6 of 6 heaters wired" in found["chip"]
    assert "readings" in found["dry run"]
    assert "min on the chip" in found["dry run"]
    for name in ("power0", "power1", "power2", "heaters", "dac"):
        assert f"identity of {name}" in found


@pytest.mark.parametrize(
    ("chip", "what", "said", "code"),
    [
        ({"laser": {"power": "30 mW", "limit": "2 W"}}, "laser", "outside the laser's", USAGE),
        ({"laser": {"wavelength": "800 nm"}}, "laser", "laser.wavelength", USAGE),
        ({"modulators": {"high": "20 V"}}, "limits of the modulators' source", "20 V", USAGE),
        ({"heaters": {"first": 60}}, "limits of the heaters' supply", "t0_0 is on channel 60", USAGE),
        ({"expect": {"laser": "TSL-550"}}, "connection", "TSL-550", INSTRUMENT),
    ],
)
def test_what_is_wrong_is_named(lab: Path, chip: dict[str, Any], what: str, said: str, code: int) -> None:
    result = hil.check(altered(lab, **chip))
    wrong = [item for item in result.items if not item.ok]
    assert [item.what for item in wrong] == [what]
    assert said in wrong[0].finding
    assert result.exit_code == code


@pytest.mark.parametrize(
    ("heaters", "said"),
    [
        ({"voltage": "4 V"}, "whole turn of phase"),
        ({"total_power": "50 mW"}, "would pass total_power"),
    ],
)
def test_heaters_that_could_not_be_swept_are_told_on_paper(
    lab: Path, heaters: dict[str, str], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        hil.check(altered(lab, heaters=heaters))


def test_a_heater_without_a_wire_is_no_fault(lab: Path) -> None:
    result = hil.check(altered(lab, heaters={"unconnected": ["p2_0"]}))
    assert result.ok
    assert any("5 of 6 heaters wired" in item.finding for item in result.items)
