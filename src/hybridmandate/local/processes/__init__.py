"""The processes of a run: each module puts one tier together from its parts."""
