"""Where Lambda meets it: configuration, wiring, entry points, logs."""
