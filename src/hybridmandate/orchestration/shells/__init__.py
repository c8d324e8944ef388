"""Shells around the stepper: in memory with a virtual clock, and on the durable engine."""
