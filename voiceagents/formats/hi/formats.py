"""Days and times in Hindi, in the admin as on the console's pages: `23 नव 2026, 07:24`. Django has none for the two together."""

DATE_FORMAT = "j M Y"
TIME_FORMAT = "H:i"
DATETIME_FORMAT = "j M Y, H:i"
SHORT_DATETIME_FORMAT = "j M Y, H:i"
YEAR_MONTH_FORMAT = "F Y"
