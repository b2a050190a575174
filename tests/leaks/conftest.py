"""The scene of the line's tests: an agent behind our exophone, and a simulated Exotel with its vendors."""

from tests.telephony.conftest import answering as answering
from tests.telephony.conftest import exotel as exotel
