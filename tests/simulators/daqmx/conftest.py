"""Everything here needs the optional package `nidaqmx`."""

import pytest

pytest.importorskip("nidaqmx", reason="the optional package nidaqmx is not installed")
