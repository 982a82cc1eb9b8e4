"""A stock driver may have come with a later version of its package than the one installed."""

import pytest

from hil.api.instruments import coverage
from simulators.instruments.thorlabs_pm100d.personality import ThorlabsPm100d


@pytest.mark.parametrize("driver", ["qcodes_contrib_drivers.drivers.Maker.Later.Driver", "nobody.has.This"])
def test_a_driver_that_is_not_installed_is_not_tried(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThorlabsPm100d, "stock_driver", driver)
    assert coverage("thorlabs_pm100d") is None


def test_the_photonic_instruments_understand_all_that_their_drivers_send() -> None:
    for model in ("qontrol_q8iv", "thorlabs_pm100d", "santec_tsl570"):
        found = coverage(model)
        assert found is None or found.undefined == (), model
    units = coverage("qontrol_q8iv")
    assert units is not None
    assert all(not outcome.amiss for outcome in units.outcomes)
