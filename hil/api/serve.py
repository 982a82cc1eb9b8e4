"""An emulated bench behind real sockets, for scripts and programs in other processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml

from hil.errors import ConfigError
from simulators.bench import load
from simulators.server import BenchServer, Doors
from simulators.yaml_source import YamlSource


@dataclass(frozen=True)
class ServedBench:
    """A bench file being served from entering to leaving the context.

    Attributes:
        doors: the resource names of each instrument, by its name in the bench file; empty before entering.
    """

    path: Path
    server: BenchServer
    names: Mapping[str, str]
    station: Path | None = None

    @property
    def doors(self) -> dict[str, Doors]:
        """See the class."""
        return {self.names.get(address, address): doors for address, doors in self.server.doors.items()}

    def __enter__(self) -> Self:
        """Open the doors and write the station file, if there is to be one."""
        self.server.__enter__()
        if self.station is not None:
            try:
                self.station.write_text(self.station_file(), encoding="utf-8")
            except OSError as error:
                self.server.__exit__(None, None, None)
                raise ConfigError(f"{self.station} cannot be written: {error.strerror}") from None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the doors."""
        self.server.__exit__(kind, error, trace)

    def station_file(self) -> str:
        """The bench file with the served addresses, through pyvisa-py, and without its emulator."""
        values: dict[str, Any] = dict(YamlSource.read(self.path).values)
        values.pop("emulator", None)
        values["visa"] = "@py"
        for name, entry in values["station"]["instruments"].items():
            if name in self.doors:
                entry["address"] = self.doors[name].best
        text: str = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
        return f"# {self.path.name} while `hil serve` was serving it.\n{text}"

    def as_dict(self) -> dict[str, Any]:
        """As plain values, for JSON."""
        doors = {name: {key: one for key, one in vars(d).items() if one} for name, d in self.doors.items()}
        station = None if self.station is None else str(self.station)
        return {"bench": str(self.path), "host": self.server.host, "instruments": doors, "station": station}


def serve(
    bench: Path | str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    hislip_port: int = 0,
    port_mapper: bool = False,
    real_time: bool = False,
    station: Path | str | None = None,
) -> ServedBench:
    """Switch on the emulated bench of a bench file; its doors are open while the result's context is entered.

        with hil.serve("bench.yaml") as served:
            print(served.doors["meter"].socket)

    `port` is that of the first instrument's socket, the others follow; 0 takes free ones. `port_mapper` makes
    plain VXI-11 names work and needs the right to listen on port 111. `station` names a
    file to write: the bench file with the served addresses, for sessions in other processes. Raises BenchError
    for a file that cannot be emulated and, on entering, for a port that cannot be had.
    """
    path = Path(bench)
    switched_on = load(path)
    entries = YamlSource.read(path).values["station"]["instruments"]
    names = {entry["address"]: str(name) for name, entry in entries.items() if "address" in entry}
    server = BenchServer(
        switched_on,
        host=host,
        port=port,
        hislip_port=hislip_port,
        port_mapper=port_mapper,
        real_time=real_time,
    )
    return ServedBench(path, server, names, None if station is None else Path(station))
