"""Django's Postgres backend with one thing mended; see `base`. Its name stands in `DATABASES`."""
