"""The shipped services: operations that a solution may publish in its manifest."""
