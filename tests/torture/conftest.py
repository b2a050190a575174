"""A database with the torture's triggers in it, and the outside world behind a gate."""

from collections.abc import Iterator
from dataclasses import replace

import psycopg
import pytest
from django.conf import settings as configured
from django.db import connection

from simulator.app import build_app
from simulator.state import SimulatorState
from tests.telephony.servers import serving
from torture import stops
from torture.gate import Gate


@pytest.fixture
def torture_database(transactional_db) -> Iterator[str]:
    """The tests' own database with the torture's triggers in it; its URL."""
    root: str = configured.DATABASE_URL.rsplit("/", 1)[0]
    url = f"{root}/{connection.settings_dict['NAME']}"
    stops.install(url)
    try:
        yield url
    finally:
        with psycopg.connect(url, autocommit=True) as own:
            own.execute(stops.REMOVED)


@pytest.fixture
def outside(tmp_path) -> Iterator[str]:
    """The simulator's root URL."""
    with serving(build_app(SimulatorState(scratch=tmp_path / "outside")), lifespan="on") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def gate(outside, settings, tmp_path) -> Iterator[Gate]:
    """The way to the simulator, which this process takes too."""
    with Gate(outside).serving() as gate:
        settings.EXOTEL_BASE_URL = f"{gate.url}/exotel"
        settings.DEEPGRAM_BASE_URL = f"{gate.url}/deepgram"
        settings.OPENAI_BASE_URL = f"{gate.url}/openai/v1"
        settings.RECORDING_STORE = replace(settings.RECORDING_STORE, endpoint_url=f"{gate.url}/s3")
        settings.RECORDING_SPOOL_DIR = tmp_path / "spool"
        settings.RECORDING_MAX_BYTES = 4 << 20
        yield gate
