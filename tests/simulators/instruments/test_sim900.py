"""The SIM900 and its SIM928 modules, driven by the stock driver of qcodes-contrib-drivers and by its manual."""

from collections.abc import Iterator
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qcodes.instrument_drivers.Keysight import Keysight34465A
from qcodes_contrib_drivers.drivers import StanfordResearchSystems
from qcodes_contrib_drivers.drivers.StanfordResearchSystems.SIM928 import SIM928

from simulators.bench import BenchError, EmulatorConfig, build
from simulators.clock import VirtualClock
from simulators.instrument import NothingToRead
from simulators.instruments.catalogue import make_instrument
from simulators.instruments.sim900.battery import CHARGE_S, DESIGN_CYCLES, DISCHARGE_S
from simulators.instruments.sim900.mainframe import Sim900
from tests.conformance.virtual_instrument import read_all
from tests.simulators.instruments.rack import bench_behind, write_rack

SIM, METER = "GPIB0::2::INSTR", "TCPIP0::192.168.8.18::inst0::INSTR"
NOTHING = 3  # the port of an empty slot


@pytest.fixture(scope="module")
def powered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """The stock driver on a SIM900 with two SIM928; its pauses pass on the bench's clock."""
    sections = {
        "sim": (SIM, {"model": "sim900", "options": {"modules": {1: "sim928", 4: "sim928"}}}),
        "meter": (METER, {"model": "keysight_34465a", "noise": 0}),
    }
    visalib = write_rack(
        tmp_path_factory.mktemp("rack"), sections, ["sim.1 -> meter.input", "sim.4 -> 2 kOhm -> ground"]
    )
    meter = Keysight34465A("sim_meter", METER, visalib=visalib, silent=True)
    bench = bench_behind(meter)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(StanfordResearchSystems.SIM928, "time", SimpleNamespace(sleep=bench.clock.advance))
        sim = SIM928("sim", SIM, slot_names={1: "gate"}, visalib=visalib)
        yield SimpleNamespace(sim=sim, meter=meter, bench=bench)
        sim.close()
    meter.close()


@pytest.fixture
def rack(powered: SimpleNamespace) -> SimpleNamespace:
    """The same with its modules reset and no errors in their registers."""
    for slot in (1, 4):
        powered.sim.write_module(slot, "*RST;*CLS;LCME?;LEXE?")
    powered.sim.write("FLSH")
    powered.sim.write("*CLS")
    return powered


@pytest.fixture
def mainframe() -> Sim900:
    """A mainframe on a clock of its own, with one module in slot 2."""
    return make_instrument(
        "sim900", VirtualClock(), "77", np.random.default_rng(3), options={"modules": {2: "sim928"}}
    )


def ask(instrument: Sim900, message: str) -> bytes:
    instrument.write(message.encode() + b"\n")
    return read_all(instrument)


def ask_module(instrument: Sim900, message: str) -> str:
    """Through port 2, as the manual's examples do."""
    instrument.write(f'SNDT 2,"{message}"\n'.encode())
    return ask(instrument, "GETN? 2,100")[5:].decode().strip()


# The stock driver --------------------------------------------------------------------------------------------


def test_the_driver_finds_the_modules(rack):
    assert rack.sim.modules == [1, 4]
    assert rack.sim.get_idn()["model"] == "SIM900"
    for slot in (1, 4):
        identity = rack.sim.get_module_idn(slot)
        assert (identity["vendor"], identity["model"]) == ("Stanford_Research_Systems", "SIM928")
        assert identity["serial"].startswith("s/n")
    assert rack.sim.IDN_gate() != rack.sim.IDN_4()


def test_every_parameter_of_the_driver(rack):
    for volts in (-20.0, -3.217, 0.0, 0.001, 20.0):
        rack.sim.volt_gate(volts)
        rack.sim.volt_4(-volts)
        assert (rack.sim.volt_gate(), rack.sim.volt_4()) == (volts, -volts)
    for name in ("volt_gate_step", "volt_4_step", "smooth_timestep"):
        parameter = rack.sim.parameters[name]
        parameter(0.25)
        assert parameter() == 0.25
    with pytest.raises(ValueError, match="invalid"):
        rack.sim.volt_gate(20.001)
    assert rack.sim.check_module_errors("gate") == []


def test_the_output_is_where_it_is_set_once_it_is_on(rack):
    rack.sim.set_voltage("gate", 7.5)
    assert rack.meter.volt() == pytest.approx(0.0, abs=1e-5)
    rack.sim.write_module("gate", "OPON")
    assert rack.sim.ask_module("gate", "EXON?").strip() == "1"
    assert rack.meter.volt() == pytest.approx(7.5, abs=2e-3)
    rack.sim.write_module("gate", "OPOF")
    assert rack.meter.volt() == pytest.approx(0.0, abs=1e-5)
    assert rack.sim.get_voltage("gate") == 7.5


def test_a_smooth_change_goes_by_steps(rack):
    rack.sim.write_module("gate", "OPON")
    rack.sim.volt_gate_step(0.25)
    rack.sim.smooth_timestep(0.5)
    start_s = rack.bench.clock.now
    rack.sim.set_smooth({"gate": 1.0})
    source = rack.bench.instruments["sim"].terminals.sources["1"]
    corners = source.knots(start_s, rack.bench.clock.now)
    middle_s = start_s + 0.1 + 0.5 * np.arange(4) + 0.25  # 0.1 s to ask where it stands
    assert corners.at(middle_s) == pytest.approx([0.25, 0.5, 0.75, 1.0], abs=2e-3)


def test_a_load_that_is_too_heavy_limits_the_current(rack):
    rack.sim.write_module(4, "VOLT 20;EXON ON")
    rack.bench.clock.advance(0.01)
    terminal = rack.bench.instruments["sim"].terminals.sources["4"]
    assert terminal.knots(rack.bench.clock.now, rack.bench.clock.now).values[0] == pytest.approx(
        20.0, abs=3e-3
    )
    assert rack.sim.get_module_status(4)[2].strip() == "0"
    rack.bench.instruments["sim"].terminals.loads["4"](_Sink(0.02))
    assert rack.sim.check_module_errors(4, raiseexc=False) == ["Current Overload."]
    with pytest.raises(Exception, match="Current Overload"):
        rack.sim.check_module_errors(4)


class _Sink:
    """Draws a constant current from positive voltages."""

    def __init__(self, amps: float) -> None:
        self.amps = amps

    def drawn_A(self, volts: float, instant: float) -> float:
        return self.amps if volts > 0.0 else 0.0


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("VOLT 20.5", "Execution Error: Illegal value"),
        ("VOLT abc", "Command Error: Bad floating-point"),
        ("VOLTS 1", "Command Error: Illegal command"),
        ("XYZW 1", "Command Error: Undefined command"),
        ("OPON?", "Command Error: Illegal query"),
        ("BATS 1", "Command Error: Illegal set"),
        ("VOLT", r"Command Error: Missing parameter"),
        ("VOLT 1,2", r"Command Error: Extra parameter"),
        ("VOLT ,2", r"Command Error: Null parameter"),
        ("EXON 2", "Command Error: Bad token value"),
        ("EXON MAYBE", "Command Error: Unknown token"),
        ("*ESR? 9", "Execution Error: Invalid bit"),
        ("VOLT " + "1" * 80, "Input Buffer Error"),
    ],
)
def test_the_driver_reads_errors_by_the_manuals_numbers(rack, command, message):
    rack.sim.write_module("gate", command)
    with pytest.raises(Exception, match=message):
        rack.sim.check_module_errors("gate")
    assert rack.sim.check_module_errors("gate") == []


def test_a_module_is_reset_by_a_break(rack):
    rack.sim.write_module(4, "TERM LF")
    rack.sim.write_module(4, "TOKN ON")
    assert rack.sim.ask_module(4, "TERM?").strip() == "LF"
    rack.sim.reset_module(4)
    assert rack.sim.ask_module(4, "CESR? 7").strip() == "1"
    assert rack.sim.ask_module(4, "TERM?").strip() == "3"


# The modules ---------------------------------------------------------------------------------------------------


def test_a_batterys_day(mainframe):
    clock = mainframe.clock
    cycles = int(ask_module(mainframe, "BIDN? CYCLES"))
    assert ask_module(mainframe, "BATS?") == "1,3,0"
    clock.advance(DISCHARGE_S - 1.0)
    assert ask_module(mainframe, "OVSR? 2") == "0"
    clock.advance(2.0)
    assert ask_module(mainframe, "BATS?") == "2,1,0"
    assert ask_module(mainframe, "OVSR?") == "4"
    assert ask_module(mainframe, "OVSR?") == "0"
    mainframe.write(b'SNDT 2,"BCOR"\n')  # the other pack is charging: nothing happens
    assert ask_module(mainframe, "BATS?") == "2,1,0"
    clock.advance(CHARGE_S)
    assert ask_module(mainframe, "BATS?") == "3,1,0"
    mainframe.write(b'SNDT 2,"BCOR"\n')
    assert ask_module(mainframe, "BATS?") == "1,2,0"
    assert int(ask_module(mainframe, "BIDN? 3")) == cycles + 2
    assert int(ask_module(mainframe, "BIDN? MAXCY")) == DESIGN_CYCLES == 1000
    clock.advance(1000 * DISCHARGE_S)
    assert ask_module(mainframe, "BATS?").endswith(",1")


def test_status_registers_by_bit_and_by_byte(mainframe):
    assert ask_module(mainframe, "*ESR?") == "128"  # power-on
    mainframe.write(b'SNDT 2,"VOLT 30"\n')
    assert ask_module(mainframe, "*ESR? 5") == "0"
    assert ask_module(mainframe, "*ESR? 4") == "1"
    assert ask_module(mainframe, "LEXE?") == "1"
    assert ask_module(mainframe, "LEXE?") == "0"
    mainframe.write(b'SNDT 2,"*ESE 16;*SRE 5,1;*OPC"\n')
    assert ask_module(mainframe, "*ESE?") == "16"
    assert ask_module(mainframe, "*SRE?") == "32"
    assert int(ask_module(mainframe, "*STB?")) & 96 == 0
    mainframe.write(b'SNDT 2,"VOLT 30"\n')
    assert int(ask_module(mainframe, "*STB?")) & 96 == 96
    assert ask_module(mainframe, "*STB? 5") == "1"
    mainframe.write(b'SNDT 2,"*CLS"\n')
    assert int(ask_module(mainframe, "*STB?")) & 96 == 0
    for words in ("OVSE 1;OVSE 2,1;CESE 128", "PSTA ON;PARI EVEN;FLOW NONE;BAUD 1200"):
        mainframe.write(f'SNDT 2,"{words}"\n'.encode())
    assert ask_module(mainframe, "CESE?") == "128"
    wanted = {"OVSE?": "5", "PSTA?": "1", "PARI?": "2", "FLOW?": "0", "BAUD?": "1200", "OVCR?": "0"}
    assert {question: ask_module(mainframe, question) for question in wanted} == wanted


def test_reset_switches_off_and_goes_to_zero(mainframe):
    mainframe.write(b'SNDT 2,"VOLT 3.5;OPON"\n')
    assert (ask_module(mainframe, "VOLT?"), ask_module(mainframe, "EXON?")) == ("+3.500", "1")
    mainframe.write(b'SNDT 2,"*RST"\n')
    assert (ask_module(mainframe, "VOLT?"), ask_module(mainframe, "EXON?")) == ("+0.000", "0")
    assert ask_module(mainframe, "*TST?") == "0"
    mainframe.clock.advance(1.0)
    assert mainframe.modules["2"].output.point(mainframe.clock.now).volts == 0.0


# The mainframe -------------------------------------------------------------------------------------------------


def test_answers_wait_in_the_ports_buffer(mainframe):
    mainframe.write(b'SNDT 2,"VOLT?"\n')
    assert ask(mainframe, "NINP? 2") == b"8\r\n"
    assert ask(mainframe, "GETN? 2,4") == b"#3004+0.0\r\n"
    assert ask(mainframe, "RAWN? 2,9") == b"00\r\n\r\n"
    assert ask(mainframe, "GETN? 2,9") == b"#3000\r\n"
    mainframe.write(b'SNDT 2,"VOLT?";FLSH 2\n')
    assert ask(mainframe, "NINP? 2") == b"0\r\n"
    mainframe.write(b'SEND 2,"VO"\n')
    mainframe.write(b"SEND 2,#3005LT?\r\n\n")
    assert ask(mainframe, "NINP? 2") == b"8\r\n"
    assert ask(mainframe, "NOUT? 2") == b"0\r\n"
    mainframe.write(f'SNDT {NOTHING},"VOLT?"\n'.encode())
    assert ask(mainframe, f"NINP? {NOTHING}") == b"0\r\n"


def test_a_port_can_be_connected_through(mainframe):
    mainframe.write(b'CONN 2,"xyz"\n')
    assert ask(mainframe, "*IDN?").startswith(b"Stanford_Research_Systems,SIM928")
    mainframe.write(b"VOLT 1.5\nVOLT?\nx")
    assert read_all(mainframe) == b"+1.500\r\n"
    mainframe.write(b"yz\n")
    assert ask(mainframe, "*IDN?").startswith(b"Stanford_Research_Systems,SIM900")
    assert ask(mainframe, "LCME?") == b"0\r\n"
    mainframe.write(b'CONN 2,"xyz"\nVOLT 2;CONS ON\nVOLT?\nxyz*IDN?\n')
    assert read_all(mainframe) == b"VOLT?\n+2.000\r\n"
    assert b"SIM900" in read_all(mainframe)


def test_broadcasts_and_messages_passed_on(mainframe):
    mainframe.write(b'BRER 510;RPER 510;BRDT "VOLT?"\n')
    assert read_all(mainframe) == b"MSG 2,#3008+0.000\r\n\r\n"
    mainframe.write(b'RPER 2,0;BRDT "VOLT?"\n')
    assert ask(mainframe, "NINP? 2") == b"8\r\n"
    assert (ask(mainframe, "BRER?"), ask(mainframe, "RPER?"), ask(mainframe, "BRER? 2")) == (
        b"510\r\n",
        b"506\r\n",
        b"1\r\n",
    )
    mainframe.write(b"*RST\n")
    assert (ask(mainframe, "BRER?"), ask(mainframe, "RPER?")) == (b"0\r\n", b"0\r\n")


def test_terminators_of_the_host_and_of_ports(mainframe):
    mainframe.write(b"TERM D,LF\n")
    assert ask(mainframe, "TERM? D") == b"2\n"
    assert ask(mainframe, "TERM? 2") == b"3\n"
    assert ask(mainframe, "TOKN ON;TERM? D") == b"LF\n"
    assert ask(mainframe, "CTCR?") == b"4\n"
    assert (ask(mainframe, "CTCR? 2"), ask(mainframe, "CTCR? 3")) == (b"1\n", b"0\n")


def test_a_wait_holds_up_what_follows(mainframe):
    mainframe.write(b'SNDT 2,"OPON";WAIT 1500;SNDT 2,"VOLT 1"\n*IDN?\n')
    with pytest.raises(NothingToRead) as nothing:
        mainframe.read(100)
    assert nothing.value.ready_at == 1.5
    mainframe.clock.advance(2.0)
    assert b"SIM900" in read_all(mainframe)
    output = mainframe.modules["2"].output
    assert [output.point(t).volts for t in (1.4, 1.9)] == pytest.approx([0.0, 1.0], abs=2e-3)


def test_faults_of_the_mainframe_have_numbers_too(mainframe):
    mainframe.write(b'SNDT 2,"VOLT 1\n')
    assert ask(mainframe, "LCME?") == b"13\r\n"
    mainframe.write(b'SNDT E,"VOLT 1"\n')
    assert ask(mainframe, "LCME?") == b"12\r\n"
    mainframe.write(b'CONN 2,""\n')
    assert (ask(mainframe, "LEXE?"), ask(mainframe, "*ESR? 4")) == (b"1\r\n", b"1\r\n")
    mainframe.write(b"SEND 2,#3999abc")
    assert ask(mainframe, "LCME?") == b"13\r\n"
    mainframe.write(b"*SRE 32;*ESE 32;FOO\n")
    assert mainframe.service_requested


@pytest.mark.parametrize(
    ("modules", "words"),
    [
        ({9: "sim928"}, ["no slot 9", "1 to 8"]),
        ({2: "sim965"}, ["slot 2", "sim928"]),
        (["sim928"], ["which slot"]),
    ],
)
def test_a_module_that_cannot_be_is_named(modules, words):
    section = {"seed": 1, "instruments": {"sim": {"model": "sim900", "options": {"modules": modules}}}}
    with pytest.raises(BenchError) as caught:
        build(EmulatorConfig.model_validate(section), {"sim": SIM}, ".")
    for word in ["options", *words]:
        assert word in str(caught.value)


_COMMANDS = sorted(mnemonic + "?" * query for mnemonic, query in Sim900.forms)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(_COMMANDS),
            st.sampled_from(
                ["", "1", "2", "2,1", "D,LF", '2,"VOLT 3"', "2,#3005VOLT?", "-1", "2,", '"x"', "3000"]
            ),
        ),
        max_size=30,
    )
)
def test_whatever_is_sent_it_listens_after_a_clear(sent):
    instrument = make_instrument(
        "sim900", VirtualClock(), "1", np.random.default_rng(0), options={"modules": {2: "sim928"}}
    )
    for command, words in sent:
        instrument.write(f"{command} {words}\n".encode())
        instrument.clock.advance(0.1)
        assert abs(instrument.modules["2"].output.point(instrument.clock.now).volts) <= 20.01
    instrument.clear()
    assert b"SIM900" in ask(instrument, "TERM D,CRLF;*IDN?")
