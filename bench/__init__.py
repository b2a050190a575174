"""Measurements: what our code adds to a conversation in time, CPU and memory. Figures are printed, never asserted."""
