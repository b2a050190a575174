"""The media process around its calls."""

import gc

from telephony import process


def test_what_start_up_made_is_never_searched_for_garbage_again():
    thresholds = gc.get_threshold()
    kept = [{"number": number} for number in range(1_000)]
    try:
        process.settle_memory()
        watched = {id(each) for each in gc.get_objects()}
        assert not any(id(each) in watched for each in kept)
        assert gc.get_freeze_count() >= len(kept)
    finally:
        gc.unfreeze()
        gc.set_threshold(*thresholds)
