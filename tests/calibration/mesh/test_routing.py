"""Single ways through meshes: every interferometer comes to be known, and a way is really the only one."""

from collections.abc import Mapping

import numpy as np
import pytest
import torch

from calibration.mesh.routing import Router, State
from simulators.models.mesh import Kind, Mesh, MeshLayout

ANY = (State.BAR, State.CROSS)
THETA = {State.BAR: np.pi, State.CROSS: 0.0}


@pytest.mark.parametrize("ports", [2, 3, 4, 5, 8, 16, 33, 64])
@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
def test_every_interferometer_comes_to_be_known(kind: Kind, ports: int) -> None:
    if kind == "triangular" and ports > 33:
        pytest.skip("more of the same, and slow")
    layout = MeshLayout(kind, ports)
    router = Router(layout, range(ports), range(ports))
    wanted, can = set(range(len(layout.mzis))), dict[int, tuple[State, ...]]()
    while wanted:
        ways = router.routes(wanted, can)
        assert ways, f"{len(wanted)} of {len(layout.mzis)} are never reached"
        for way in ways:
            assert wanted & way.unknown.keys() or can.keys() >= way.unknown.keys()
            wanted -= way.unknown.keys()
            can |= dict.fromkeys(way.unknown, ANY)


def powers(layout: MeshLayout, states: Mapping[int, State], seed: int, **at: float) -> torch.Tensor:
    """Powers (outputs, inputs) with some MZIs set and all others anyhow."""
    rng = np.random.default_rng(seed)
    half = len(layout.mzis)
    phases = rng.uniform(0.0, 2.0 * np.pi, 2 * half)
    for k, state in states.items():
        phases[k] = THETA[state]
    for name, phase in at.items():
        phases[layout.shifters.index(name)] = phase
    return torch.as_tensor(Mesh(layout).matrix(torch.as_tensor(phases))).abs().square()


@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
def test_on_a_single_way_the_power_is_a_product(kind: Kind) -> None:
    layout = MeshLayout(kind, 6)
    router = Router(layout, range(6), range(6))
    known = dict.fromkeys(range(0, len(layout.mzis), 2), ANY)
    ways = router.routes(set(range(len(layout.mzis))) - known.keys(), known)
    assert ways
    for way in ways:
        for k, state in way.unknown.items():
            name = f"t{layout.mzis[k]}"
            share = {theta: powers(layout, way.states, 3, **{name: theta}) for theta in (0.0, 1.0, np.pi)}
            read = {theta: float(share[theta][way.stop, way.start]) for theta in share}
            full, none = (np.pi, 0.0) if state is State.BAR else (0.0, np.pi)
            passed = np.sin(0.5) ** 2 if state is State.BAR else np.cos(0.5) ** 2
            assert read[none] == pytest.approx(0.0, abs=1e-12)
            assert read[1.0] == pytest.approx(passed * read[full], rel=1e-9, abs=1e-12)


def test_lost_ports_are_gone_round() -> None:
    layout = MeshLayout("rectangular", 4)
    router = Router(layout, [0, 2, 3], [0, 1, 3])
    for k in range(len(layout.mzis)):
        (way,) = router.routes({k}, dict.fromkeys(range(len(layout.mzis)), ANY))
        assert list(way.unknown) == [k]
        assert way.start != 1
        assert way.stop != 2


def test_no_way_without_ports() -> None:
    router = Router(MeshLayout("rectangular", 4), [0], [])
    assert router.routes({0}, {}) == []


@pytest.mark.parametrize("kind", ["rectangular", "triangular"])
@pytest.mark.parametrize("stuck", [None, 1])
def test_two_inputs_meet_at_one_interferometer(kind: Kind, stuck: int | None) -> None:
    layout = MeshLayout(kind, 5)
    router = Router(layout, range(5), range(5))
    can: dict[int, tuple[State, ...]] = dict.fromkeys(range(len(layout.mzis)), ANY)
    if stuck is not None:
        can[stuck] = ()
    for k, place in enumerate(layout.mzis):
        loop = router.loop(k, can)
        assert loop is not None
        assert loop.states.keys() == set(can) - {k, stuck}
        one, other = (float(powers(layout, loop.states, 3)[loop.stop, start]) for start in loop.starts)
        # each way is single: it carries more or less as the MZI says, and nothing where the MZI shuts it
        bar = powers(layout, loop.states, 3, **{f"t{place}": np.pi})
        cross = powers(layout, loop.states, 3, **{f"t{place}": 0.0})
        shut = sorted(float(min(bar[loop.stop, start], cross[loop.stop, start])) for start in loop.starts)
        assert one > 0.0
        assert other > 0.0
        assert shut == pytest.approx([0.0, 0.0], abs=1e-12)
