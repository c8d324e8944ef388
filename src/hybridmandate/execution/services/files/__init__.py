"""Service ``files``: what enters and leaves the governed file store."""
