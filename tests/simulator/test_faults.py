"""Orders for faults, and the settings beside them: what is accepted, who is hit, how often."""

from dataclasses import dataclass

import pytest

from simulator.faults import Fault, FaultRefused, Faults
from simulator.state import SettingRefused, SimulatorState, changed


def test_a_fault_hits_so_many_requests_of_its_target_and_no_other():
    faults = Faults()
    faults.add({"target": "openai.chat", "fault": "status", "status": 429, "times": 2})
    assert faults.take("openai.speech") is None
    assert [fault and fault.status for fault in (faults.take("openai.chat"), faults.take("openai.chat"), faults.take("openai.chat"))] == [
        429,
        429,
        None,
    ]
    assert faults.taken == {"openai.chat status": 2}


def test_a_fault_without_times_stays_until_it_is_cleared():
    faults = Faults()
    faults.add({"target": "s3.put", "fault": "hang"})
    faults.add({"target": "s3.get", "fault": "hang"})
    assert all(faults.take("s3.put") for _ in range(50))
    faults.clear("s3.put")
    assert faults.take("s3.put") is None
    assert faults.in_force == (Fault("s3.get", "hang"),)
    faults.clear()
    assert not faults.in_force


def test_the_oldest_order_is_served_first():
    faults = Faults()
    faults.add({"target": "openai.chat", "fault": "drop", "after": 3, "times": 1})
    faults.add({"target": "openai.chat", "fault": "hang"})
    assert [fault and fault.fault for fault in (faults.take("openai.chat") for _ in range(3))] == ["drop", "hang", "hang"]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        ({"target": "openai.chat"}, "fault must be one of"),
        ({"target": "mars", "fault": "hang"}, "target must be one of"),
        ({"target": "openai.chat", "fault": "explode"}, "fault must be one of"),
        ({"target": "openai.chat", "fault": "lose"}, "only makes sense for exotel.callback"),
        ({"target": "s3.put", "fault": "error"}, "only makes sense"),
        ({"target": "openai.chat", "fault": "status", "status": 200}, "status must be at least 300"),
        ({"target": "openai.chat", "fault": "status", "status": 700}, "status must be at most 599"),
        ({"target": "openai.chat", "fault": "status", "status": "429"}, "status must be a whole number"),
        ({"target": "openai.chat", "fault": "hang", "times": 0}, "times must be at least 1"),
        ({"target": "openai.chat", "fault": "hang", "times": True}, "times must be a whole number"),
        ({"target": "openai.chat", "fault": "hang", "when": 1}, "a fault has no when"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_and_not_in_force(order, why):
    faults = Faults()
    with pytest.raises(FaultRefused, match=why):
        faults.add(order)
    assert faults.in_force == ()


def test_settings_change_partly_and_keep_the_rest():
    state = SimulatorState()
    state.change_settings({"llm_first_token_ms": 120, "tts_realtime_factor": 1, "openai_models": ["a", "b"]})
    assert (state.settings.llm_first_token_ms, state.settings.tts_realtime_factor) == (120, 1.0)
    assert state.settings.openai_models == ("a", "b")
    assert state.settings.speech == "tones"


@pytest.mark.parametrize(
    ("partial", "why"),
    [
        ({"llm_first_token": 1}, "no setting 'llm_first_token'"),
        ({"llm_first_token_ms": "1"}, "'llm_first_token_ms' must be int"),
        ({"llm_first_token_ms": True}, "'llm_first_token_ms' must be int"),
        ({"speech": "opera"}, 'speech must be "real" or "tones"'),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_and_nothing_changes(partial, why):
    state = SimulatorState()
    before = state.settings
    with pytest.raises(SettingRefused, match=why):
        state.change_settings(partial)
    assert state.settings is before


def test_another_module_can_use_the_same_check_for_its_own_settings():
    @dataclass(frozen=True)
    class Own:
        limit: int | None = None
        names: tuple[str, ...] = ()

    assert changed(Own(), {"limit": 3, "names": ["x"]}) == Own(3, ("x",))
    assert changed(Own(3), {"limit": None}) == Own()
    with pytest.raises(SettingRefused):
        changed(Own(), {"limit": "3"})


def test_each_simulator_has_its_own_parts_and_counts():
    one, other = SimulatorState(), SimulatorState()
    assert one.part(Faults, Faults) is one.part(Faults, Faults)
    assert one.part(Faults, Faults) is not other.part(Faults, Faults)
    with one.opened("openai.chat"):
        assert (one.open_now["openai.chat"], other.open_now["openai.chat"]) == (1, 0)
    assert one.open_now["openai.chat"] == 0
