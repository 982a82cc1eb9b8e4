"""The TSL-570 as a whole: reset, triggers, what concerns the system."""

import re
import zlib
from collections.abc import Callable, Sequence

import numpy as np

from simulators.clock import VirtualClock
from simulators.instrument import Example
from simulators.instruments.santec_tsl570.light import LaserLight
from simulators.instruments.santec_tsl570.sweep import Sweep, SweepSettings, TriggerSettings
from simulators.instruments.santec_tsl570.sweep_scpi import SweepCommands
from simulators.instruments.terminals import Pulse, Terminals
from simulators.scpi import Integer, ScpiError, Text, command, query

PRODUCTS_NM = {
    "240380": (1240, 1380),
    "260360": (1260, 1360),
    "355485": (1355, 1485),
    "355505": (1355, 1505),
    "480640": (1480, 1640),
    "500630": (1500, 1630),
    "560680": (1560, 1680),
}
FIRMWARE = "0026.0026.0011"
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


class SantecTsl570(SweepCommands):
    """An emulated santec TSL-570 tunable laser.

    Sockets: light output "output", trigger input "trigger_in", trigger output "trigger_out". Messages end
    with a carriage return both ways; a line feed is understood too, and a block ends without either, as the
    stock driver reads it. The laser is switched on with the legacy command set, in which numbers are plain
    and wavelengths in nm; drivers change that first. Errors are those of SCPI, which the maker uses.

    Args:
        rng: draws the errors of power and wavelength, slow drifts and the intensity noise.
        clock_error: of no effect, nothing here is timed by its clock.
        product: which tuning range, as in the product code: 480640 is 1480 nm to 1640 nm.
    """

    title = "santec TSL-570: tunable laser"
    stock_driver = "qcodes_contrib_drivers.drivers.Santec.Santec_TSL.SantecTSL"
    example = Example(address="GPIB0::10::INSTR")
    response_terminator = b"\r"

    def __init__(
        self,
        clock: VirtualClock,
        serial: str,
        rng: np.random.Generator,
        clock_error: float = 0.0,
        noise: float = 1.0,
        *,
        product: str = "480640",
    ) -> None:
        product = str(product)
        if product not in PRODUCTS_NM:
            raise ValueError(f"product: {product!r} is not made; there are {', '.join(PRODUCTS_NM)}")
        super().__init__(clock, identity=f"SANTEC,TSL-570,{serial},{FIRMWARE}")
        self._product, self._serial = product, serial
        shortest_m, longest_m = (1e-9 * nm for nm in PRODUCTS_NM[product])
        self._middle_m = 0.5 * (shortest_m + longest_m)
        self.light = LaserLight(clock, rng, noise, shortest_m, longest_m, self._middle_m)
        self.sweep = Sweep(clock, self.light)
        self.emitting = False
        self._settle()
        self._brightness, self._gpib, self._delimiter = 100, 1, 0
        self._network = {"IPAD": "192.168.1.100", "SMAS": "255.255.255.0", "DGAT": "192.168.1.1"}
        self._port = 5000
        self.terminals = Terminals(
            light_outputs={"output": self.light},
            trigger_outputs={"trigger_out": self.sweep.socket},
            trigger_inputs={"trigger_in": self._feel},
            keepers=[self._keep_for],
        )

    def _keep_for(self, needs_since: Callable[[], float]) -> None:
        self.light.needs_since = needs_since

    def _settle(self) -> None:
        """The settings after *RST, but for the light itself."""
        self.wavelength_m, self.level_W = self._middle_m, 1e-3
        self.attenuation_dB, self.automatic = 0.0, True
        self.coherence, self.modulated, self.modulation = False, False, 0
        self.in_terahertz, self.milliwatts = False, False
        self.triggers = TriggerSettings()
        self.course = SweepSettings(self._middle_m, self._middle_m)
        self.course.start_m, self.course.stop_m = self.sweep_range()

    # Hooks ------------------------------------------------------------------------------------------------

    def reset(self) -> None:
        """*RST: no light, everything as delivered; the command set stays."""
        self.sweep.stop()
        self.set_emitting(False)
        self._settle()
        self.light.fine, self.light.offset_m = 0.0, 0.0
        self.light.tune(self.wavelength_m)
        self._apply_power()

    def operation_complete_at(self) -> float:
        """When wavelength, power and sweep have come to rest."""
        return max(self.light.settled_s, self.sweep.ends_s)

    def write(self, data: bytes, end: bool = True) -> None:
        """Take bytes; a carriage return ends a message as a line feed does. There are no blocks to take."""
        super().write(data.replace(b"\r", b"\n"), end)

    def finished(self, answers: Sequence[bytes]) -> bytes:
        """A block has no terminator behind it."""
        return answers[0] if len(answers) == 1 and answers[0][:1] == b"#" else super().finished(answers)

    def _feel(self, pulse: Pulse) -> None:
        """A pulse comes in: it goes through, or starts a sweep that stands by, at its edge."""
        edge_s = pulse.fall_s if self.triggers.input_falling else pulse.rise_s

        def edge() -> None:
            if self.triggers.through:
                self.sweep.socket.send(Pulse(self.clock.now, pulse.width_s, self.triggers.falling))
            if self.triggers.external:
                self.sweep.take_trigger()

        if edge_s > self.clock.now:
            self.clock.schedule(edge_s, edge)
        else:
            edge()

    # System -----------------------------------------------------------------------------------------------

    @command("SYSTem:COMMunicate:CODe", Integer(0, 1))
    def set_command_set(self, code: int) -> None:
        """0 legacy, 1 SCPI."""
        self.legacy = code == 0

    @query("SYSTem:COMMunicate:CODe")
    def command_set(self) -> str:
        """0 legacy, 1 SCPI."""
        return self.whole(not self.legacy)

    @query("SYSTem:VERSion")
    def firmware(self) -> str:
        """The firmware, where SCPI would have its own version."""
        return FIRMWARE

    @query("SYSTem:CODe")
    def product_code(self) -> str:
        """The product code."""
        return f"C-{self._product}-P-F-AP-00-1"

    @query("SYSTem:ALERt")
    def alert(self) -> str:
        """Nothing is ever wrong with the hardware."""
        return '+0,"No alert"'

    @query("SYSTem:LOCK")
    def interlock(self) -> str:
        """The interlock is closed."""
        return self.whole(0)

    @command("SYSTem:COMMunicate:GPIB:ADDRess", Integer(1, 30))
    def set_gpib_address(self, address: int) -> None:
        """Kept, but the door decides."""
        self._gpib = address

    @query("SYSTem:COMMunicate:GPIB:ADDRess")
    def gpib_address(self) -> str:
        """The GPIB address."""
        return self.whole(self._gpib)

    @command("SYSTem:COMMunicate:GPIB:DELimiter", Integer(0, 3))
    def set_delimiter(self, kind: int) -> None:
        """Kept; a carriage return is used whatever it says, as on the network."""
        self._delimiter = kind

    @query("SYSTem:COMMunicate:GPIB:DELimiter")
    def delimiter(self) -> str:
        """CR, LF, CR and LF, or none: 0 to 3."""
        return self.whole(self._delimiter)

    @query("SYSTem:COMMunicate:ETHernet:MACaddress")
    def mac_address(self) -> str:
        """The network card's address."""
        return f"0013A0{zlib.crc32(self._serial.encode()) & 0xFFFFFF:06X}"

    def _set_network(self, key: str, address: str) -> None:
        if _ADDRESS.fullmatch(address) is None or any(int(part) > 255 for part in address.split(".")):
            raise ScpiError(-224, f"{address[:40]} is no address")
        self._network[key] = address

    @command("SYSTem:COMMunicate:ETHernet:IPADdress", Text(bare=True))
    def set_ip_address(self, address: str) -> None:
        """Kept, but the door decides."""
        self._set_network("IPAD", address)

    @query("SYSTem:COMMunicate:ETHernet:IPADdress")
    def ip_address(self) -> str:
        """The network address."""
        return self._network["IPAD"]

    @command("SYSTem:COMMunicate:ETHernet:SMASk", Text(bare=True))
    def set_subnet_mask(self, mask: str) -> None:
        """Kept."""
        self._set_network("SMAS", mask)

    @query("SYSTem:COMMunicate:ETHernet:SMASk")
    def subnet_mask(self) -> str:
        """The subnet mask."""
        return self._network["SMAS"]

    @command("SYSTem:COMMunicate:ETHernet:DGATeway", Text(bare=True))
    def set_gateway(self, address: str) -> None:
        """Kept."""
        self._set_network("DGAT", address)

    @query("SYSTem:COMMunicate:ETHernet:DGATeway")
    def gateway(self) -> str:
        """The default gateway."""
        return self._network["DGAT"]

    @command("SYSTem:COMMunicate:ETHernet:PORT", Integer(0, 65535))
    def set_port(self, port: int) -> None:
        """Kept."""
        self._port = port

    @query("SYSTem:COMMunicate:ETHernet:PORT")
    def port(self) -> str:
        """The network port."""
        return self.whole(self._port)

    @command("DISPlay:BRIGhtness", Integer(0, 100))
    def set_brightness(self, percent: int) -> None:
        """The display."""
        self._brightness = percent

    @query("DISPlay:BRIGhtness")
    def brightness(self) -> str:
        """The display."""
        return self.whole(self._brightness)

    @command("SPECial:SHUTdown")
    @command("SPECial:REBoot")
    def restart(self) -> None:
        """Start again as after power-up; a laser that was shut down is found switched on again."""
        self.reset()
        self.legacy = True
