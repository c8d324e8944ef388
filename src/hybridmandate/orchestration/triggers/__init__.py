"""What starts runs: polled folders and authenticated requests."""
