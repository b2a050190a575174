"""What the caller had in the ear, computed from what went over the line: when it was quiet, and for how long."""

from itertools import pairwise


def longest_quiet_ms(scene, from_ms, to_ms):
    """The longest stretch between the two moments in which nothing of the agent was audible. For lines that were never cleared."""
    assert not scene.line.cleared_at_s, "audio that was taken back was not heard; this only counts what was sent"
    ends = [scene.ms(sent.at_s) + sent.lead_ms for sent in scene.line.sent]
    begins = [end - sent.size / 2 / scene.line.sample_rate_hz * 1000 for end, sent in zip(ends, scene.line.sent, strict=True)]
    stretches = [(begin, end) for begin, end in zip(begins, ends, strict=True) if end > from_ms and begin < to_ms]
    edges = [(from_ms, from_ms), *stretches, (to_ms, to_ms)]
    return round(max(after[0] - before[1] for before, after in pairwise(edges)))


def samples_of(texts):
    """How many samples the scripted voice makes of these sentences: 50 ms a character at 8 kHz."""
    return sum(len(text) * 50 for text in texts) * 8
