"""The short way of audio through the server: every frame arrives whole and in order, however the bytes were cut."""

import pytest
from websockets.frames import Frame, Opcode

from simulator.fast_frames import frame_bounds


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
@pytest.mark.parametrize("mask", [True, False])
def test_a_frame_is_found_once_it_is_all_there(size, mask):
    sound = bytes(size)
    data = b"before" + Frame(Opcode.BINARY, sound).serialize(mask=mask)
    bounds = frame_bounds(data + b"after", 6)
    assert bounds is not None
    assert (bounds[1], bounds[1] - bounds[0]) == (len(data), size)
    assert all(frame_bounds(data[:end], 6) is None for end in (6, 7, 8, len(data) - 1) if end < len(data))
