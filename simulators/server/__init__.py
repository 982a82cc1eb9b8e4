"""An emulated bench behind real sockets, pseudo-terminals, HiSLIP and VXI-11, for clients of any kind.

with BenchServer(load("bench.yaml")) as server:
    print(server.doors["TCPIP0::192.168.8.17::5025::SOCKET"].socket)
"""

from simulators.server.server import BenchServer, Doors

__all__ = ["BenchServer", "Doors"]
