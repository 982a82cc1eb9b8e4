"""Modulators and cameras by their addresses: a lab's own library, found as any lab's is; frames that are none."""

import textwrap
from pathlib import Path

import numpy as np
import pytest

from drivers.errors import EnvelopeError, InstrumentError, InstrumentTimeout, ShapeError
from drivers.frame_instruments import SLM, FrameCamera
from drivers.frames import open_frames
from tests.drivers.diffractive_bench import FrameLaboratory, frame_laboratory

SDK = """
    import numpy as np

    class Screen:
        shape, levels, refresh_Hz, settling_s = (4, 6), 16, 60.0, 0.03
        shown, failure = [], None
        def identity(self): return "Acme, LC-1, 007, 2.1"
        def show(self, frame):
            if Screen.failure: raise Screen.failure
            self.shown.append(frame.copy())
        def wait(self, seconds): pass
        def close(self): pass

    class Eye:
        shape, bits, exposure_range_s, longest_frame_s = (4, 6), 8, (1e-5, 1.0), 0.01
        gives = None
        def identity(self): return "Acme, Eye"
        def set_exposure(self, seconds): return round(seconds, 4)
        def grab(self, count): return Eye.gives if Eye.gives is not None else np.ones((count, 4, 6), int)
        def close(self): pass

    def open_device(name):
        return {"screen": Screen, "eye": Eye}[name]()
"""


@pytest.fixture
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> object:
    """An installed package that registers the library of a maker."""
    (tmp_path / "acme_frames.py").write_text(textwrap.dedent(SDK))
    facts = tmp_path / "acme_frames-1.0.dist-info"
    facts.mkdir()
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-frames\nVersion: 1.0\n")
    (facts / "entry_points.txt").write_text(
        "[hil.frames]\nacme = acme_frames:open_device\nlost = acme_frames:no_such\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    import acme_frames  # type: ignore[import-not-found]

    monkeypatch.delitem(__import__("sys").modules, "acme_frames")
    del acme_frames
    import acme_frames as fresh

    return fresh


def test_a_registered_library_is_found_and_used(acme: object) -> None:
    slm = SLM("acme_slm", "acme::screen")
    try:
        assert slm.get_idn() == {"vendor": "Acme", "model": "LC-1", "serial": "007", "firmware": "2.1"}
        assert (slm.shape, slm.levels, slm.settling_time()) == ((4, 6), 16, 0.03)
        frame = np.arange(24).reshape(4, 6) % 16
        said: list[tuple[str, bytes]] = []
        slm.journal = lambda text, samples: said.append((text, samples))
        slm.show(frame)
        np.testing.assert_array_equal(acme.Screen.shown[-1], frame)  # type: ignore[attr-defined]
        assert said == [("show 4x6 #", frame.astype(np.uint16).tobytes())]
        slm.blank()
        assert not acme.Screen.shown[-1].any()  # type: ignore[attr-defined]
    finally:
        slm.close()


def test_a_frame_that_is_none_is_not_shown(acme: object) -> None:
    slm = SLM("acme_slm", "acme::screen")
    try:
        before = len(acme.Screen.shown)  # type: ignore[attr-defined]
        for wrong in (np.zeros((4, 5)), np.zeros((1, 4, 6)), np.full((4, 6), "a"), np.zeros((4, 6), bool)):
            with pytest.raises(ShapeError, match=r"\(4, 6\)"):
                slm.show(wrong)
        for level in (16, -1, 2.5, np.nan, np.inf):
            frame = np.zeros((4, 6))
            frame[2, 3] = level
            with pytest.raises(EnvelopeError, match=r"pixel \(2, 3\).*0 to 15"):
                slm.show(frame)
        assert len(acme.Screen.shown) == before  # type: ignore[attr-defined]
    finally:
        slm.close()


def test_what_the_library_raises_comes_in_our_words(acme: object) -> None:
    slm = SLM("acme_slm", "acme::screen")
    try:
        acme.Screen.failure = TimeoutError("no vertical sync")  # type: ignore[attr-defined]
        with pytest.raises(InstrumentTimeout, match=r"acme::screen: no vertical sync .while showing a frame"):
            slm.blank()
        acme.Screen.failure = RuntimeError("error -7")  # type: ignore[attr-defined]
        with pytest.raises(InstrumentError, match="error -7"):
            slm.blank()
    finally:
        slm.close()


def test_dead_frames_are_refused(acme: object) -> None:
    camera = FrameCamera("acme_camera", "acme::eye")
    try:
        assert camera.grab(2).shape == (2, 4, 6)
        assert camera.set_exposure(0.12345) == 0.1234 or camera.set_exposure(0.12345) == 0.1235
        with pytest.raises(EnvelopeError, match="1e-05 s to 1 s"):
            camera.set_exposure(2.0)
        full = np.ones((2, 4, 6))
        for dead in (full * np.nan, full * 300, -full, full[:, :3], full[0], full > 0):
            acme.Eye.gives = dead  # type: ignore[attr-defined]
            with pytest.raises(InstrumentError, match="acme::eye"):
                camera.grab(2)
    finally:
        camera.close()


def test_a_device_of_another_kind_is_named(acme: object) -> None:
    with pytest.raises(InstrumentError, match=r"acme::eye.*levels"):
        SLM("not_a_screen", "acme::eye")
    assert not SLM.exist("not_a_screen")


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("slm0", "BACKEND::DEVICE"),
        ("nobody::slm0", "no package has registered the backend 'nobody'.*acme"),
        ("lost::slm0", "acme_frames:no_such cannot be imported"),
        ("acme::other", "did not open 'other'"),
    ],
)
def test_an_address_that_leads_nowhere_says_why(acme: object, address: str, says: str) -> None:
    with pytest.raises(InstrumentError, match=says):
        open_frames(address)


def test_the_emulated_backend_is_there_as_long_as_its_bench_is(tmp_path: Path) -> None:
    with frame_laboratory(tmp_path) as lab:
        assert isinstance(lab, FrameLaboratory)
        with pytest.raises(InstrumentError, match="frames::slm0, frames::slm1, frames::camera0"):
            open_frames("frames::slm7")
    with pytest.raises(InstrumentError, match="no package has registered the backend 'frames'"):
        open_frames("frames::slm0")
