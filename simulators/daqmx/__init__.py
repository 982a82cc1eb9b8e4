"""NI-DAQmx without a card: what the official `nidaqmx` package talks to, on an emulated chassis.

Needs the optional package `nidaqmx`; nothing here is imported before it is wanted.

    with emulated_daqmx(bench):           # or "bench.yaml"
        with nidaqmx.Task() as task:
            task.ai_channels.add_ai_voltage_chan("cDAQ1Mod2/ai0")
            print(task.read())
"""

from simulators.daqmx.seam import emulated_daqmx

__all__ = ["emulated_daqmx"]
