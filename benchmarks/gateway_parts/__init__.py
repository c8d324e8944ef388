"""What the gateway's benchmark is made of: back end, load, peers, cost of each policy."""
