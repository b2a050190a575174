"""The environment's readers: typed, and clear at 2 a.m."""

import pytest

from voiceagents.env import ROOT, Environment, EnvironmentProblem, read_file, redact
from voiceagents.preflight import REQUIRED, problems

COMPLETE = {
    **{name: "x" * 24 for name in REQUIRED},
    "WEBHOOK_BASE_URL": "https://voice.example.com",
    "MEDIA_BASE_URL": "wss://voice.example.com",
}


def test_a_complete_environment_has_no_problem():
    assert list(problems(Environment(COMPLETE))) == []


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_name_is_one_line_that_says_which_and_what(name):
    found = list(problems(Environment({**COMPLETE, name: ""})))
    assert len(found) == 1
    assert found[0].startswith(f"{name} is not set") and "\n" not in found[0]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("WEBHOOK_BASE_URL", "voice.example.com", "must start with https://"),
        ("MEDIA_BASE_URL", "https://voice.example.com", "must start with wss://"),
        ("MEDIA_BASE_URL", "wss://voice.example.com/?x=1", "query"),
        ("DATABASE_URL", "mysql://u:pw@db/x", "postgresql://"),
        ("REDIS_URL", "http://redis", "redis://"),
        ("OPENAI_BASE_URL", "http://[broken", "not a URL"),
        ("EXOTEL_API_KEY", "key with space", "space"),
        ("EXOTEL_WEBHOOK_SECRETS", "short", "fewer than 8"),
        ("AWS_S3_ENDPOINT_URL", "ftp://x", "https://"),
        ("EXOTEL_APP_ID", "my flow", "flow's number"),
        ("LOG_LEVEL", "LOUD", "INFO"),
        ("LOG_FORMAT", "xml", "json or console"),
        ("TIME_ZONE", "Mars/Phobos", "Asia/Kolkata"),
    ],
)
def test_nonsense_is_one_line_that_says_why(name, value, says):
    found = list(problems(Environment({**COMPLETE, name: value})))
    assert len(found) == 1
    assert name in found[0] and says in found[0] and "\n" not in found[0]


def test_a_password_is_never_in_a_message():
    (found,) = problems(Environment({**COMPLETE, "DATABASE_URL": "mysql://user:hunter2@db/x"}))
    assert "hunter2" not in found
    assert redact("postgresql://u:pw@h/d") == "postgresql://u:***@h/d"


@pytest.mark.parametrize(("value", "low", "high"), [("abc", 1, 5), ("9", 1, 5), ("0", 1, 5), ("1.5", 1, 5)])
def test_numbers_out_of_range_are_refused(value, low, high):
    with pytest.raises(EnvironmentProblem, match="N="):
        Environment({"N": value}).integer("N", 2, low=low, high=high)


def test_the_first_source_wins_and_an_empty_value_counts_as_absent():
    env = Environment({"A": "", "B": "1"}, {"A": "2", "B": "3"})
    assert (env.text("A"), env.text("B"), env.text("C", "d")) == ("2", "1", "d")


def test_a_value_may_come_from_a_file(tmp_path):
    (tmp_path / "key").write_text("secret\n")
    assert Environment({"KEY_FILE": str(tmp_path / "key")}).text("KEY") == "secret"
    with pytest.raises(EnvironmentProblem, match="cannot be read"):
        Environment({"KEY_FILE": str(tmp_path / "none")}).text("KEY")


def test_an_env_file_is_read_as_people_write_it(tmp_path):
    (tmp_path / ".env").write_text("# c\nexport A=1\nB='two words'\nC=3 # why\n\nD=a#b\nnonsense\nE=\n")
    assert read_file(tmp_path / ".env") == {"A": "1", "B": "two words", "C": "3", "D": "a#b", "E": ""}
    assert read_file(tmp_path / "none") == {}


@pytest.mark.parametrize("value", ["10.0.0.0/40", "example.com", "10.20.0.0/16, nonsense"])
def test_a_network_that_is_none_stops_the_start(value: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"which is not a network\. Write for example"):
        Environment({"NETS": value}).networks("NETS")


def test_networks_and_keys_are_read_in_order() -> None:
    env = Environment({"NETS": "10.20.0.0/16, 127.0.0.1", "KEYS": f"old:{'1' * 64}, new:{'a' * 64}"})
    assert env.networks("NETS") == ("10.20.0.0/16", "127.0.0.1")
    assert list(env.keys("KEYS")) == ["old", "new"]
    assert env.keys("NONE") == {}


@pytest.mark.parametrize("value", ["1234", "old:xyz", f"a:{'1' * 63}", f"a:{'1' * 64},a:{'2' * 64}"])
def test_a_field_key_that_cannot_be_used_is_told_by_its_place_and_never_shown(value: str) -> None:
    with pytest.raises(EnvironmentProblem, match=r"key number \d cannot be used\. Write a new id") as caught:
        Environment({"KEYS": value}).keys("KEYS")
    assert value not in str(caught.value)


def test_an_empty_value_with_a_remark_behind_it_is_empty(tmp_path):
    (tmp_path / ".env").write_text("A=   # what A is\nB= # b\nC=#x\nD='# quoted'\n")
    assert read_file(tmp_path / ".env") == {"A": "", "B": "", "C": "#x", "D": "# quoted"}


def test_the_example_as_it_is_copied_sets_no_secret():
    copied = Environment(read_file(ROOT / ".env.example"))
    assert [name for name in REQUIRED if copied.raw(name)] == ["WEBHOOK_BASE_URL", "MEDIA_BASE_URL"]


def test_secrets_that_are_nothing_but_commas_are_missing():
    (found,) = problems(Environment({**COMPLETE, "EXOTEL_WEBHOOK_SECRETS": " , ,"}))
    assert found.startswith("EXOTEL_WEBHOOK_SECRETS is not set")
