"""Hybrid Mandate: Power Platform orchestrates, Python executes, Azure governs."""

__version__ = "0.1.0"
