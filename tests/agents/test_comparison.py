"""Two versions side by side: by words, in plain names, without whole numbers."""

from agents import comparison
from agents.comparison import Piece, compare, word_diff
from agents.spec import AgentSpec, DestinationSpec, HttpToolSpec, LanguageModelSpec, SpeechToTextSpec, VoiceSpec


def spec(**how) -> dict:
    facts = {
        "name": "Desk",
        "prompt": "Be kind.",
        "first_message": "Hello.",
        "language": "en-IN",
        "voice": VoiceSpec("elevenlabs", "voice", "eleven_flash_v2_5"),
        "llm": LanguageModelSpec("openai", "gpt-6-luna", 0.7, 500),
        "stt": SpeechToTextSpec("deepgram", "nova-3", 300),
        **how,
    }
    return AgentSpec(**facts).to_json()


def test_texts_differ_by_words():
    left, right = word_diff("You answer for a clinic.\nBe kind.", "You answer for a large school.\nBe kind.")
    assert left == (Piece("same", "You answer for a "), Piece("gone", "clinic."), Piece("same", "\nBe kind."))
    assert right == (Piece("same", "You answer for a "), Piece("new", "large school."), Piece("same", "\nBe kind."))


def test_both_sides_stay_whole():
    old, new = "a b c\n\n  d e\n" * 40, "a x c\n\n  d\nf g\n" * 37
    left, right = word_diff(old, new)
    assert "".join(piece.text for piece in left) == old
    assert "".join(piece.text for piece in right) == new


def test_an_absurdly_long_line_counts_as_rewritten(monkeypatch):
    monkeypatch.setattr(comparison, "_MOST_PAIRS", 100)
    left, right = word_diff("a " * 60, "b " * 60)
    assert left == (Piece("gone", "a " * 60),)
    assert right == (Piece("new", "b " * 60),)


def test_nothing_differs_between_the_same():
    assert compare(spec(), spec()) == []


def test_every_section_names_what_differs():
    tool = HttpToolSpec(1, "look_up", "Looks up.", {}, "GET", "https://api.example.com")
    desk = DestinationSpec(7, "Desk", "Sales", ("+918047112233",))
    before = spec(tools=(tool,), destinations=(desk,), manners={"speculate": False})
    after = spec(
        prompt="Be very kind.",
        voice=VoiceSpec("openai", "alloy", "gpt-4o-mini-tts"),
        llm=LanguageModelSpec("openai", "gpt-6.1-sol", 0.0, 500),
        tools=(HttpToolSpec(1, "look_up", "Looks everything up.", {}, "GET", "https://api.example.com"),),
        destinations=(DestinationSpec(7, "Desk", "Sales", ("+918047112299",)),),
        record_calls=False,
    )
    found = {str(section.title): [str(row.label) for row in section.rows] for section in compare(before, after)}
    assert found == {
        "What it says": ["Prompt"],
        "Voice": ["Provider", "Model", "Voice"],
        "Models": ["Language model", "Temperature"],
        "Limits and what is kept": ["Records its calls"],
        "Manners": ["Thinks ahead of the end of a turn"],
        "Tools": ["look_up: description"],
        "People it hands over to": ["Desk: numbers"],
    }
    numbers = compare(before, after)[-1].rows[0]
    assert (numbers.left[0].text, numbers.right[0].text) == ("+91••••••••33", "+91••••••••99")


def test_a_tool_that_is_gone_leaves_an_empty_side():
    tool = HttpToolSpec(1, "look_up", "Looks up.", {}, "GET", "https://api.example.com")
    row = compare(spec(tools=(tool,)), spec())[0].rows[0]
    assert (row.label, row.left, row.right) == ("look_up", (Piece("gone", "Looks up."),), ())
