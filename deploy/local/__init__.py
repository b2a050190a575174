"""Runs everything on one machine: embedded Postgres and Valkey, the product's processes, the simulator. Never production's database."""
