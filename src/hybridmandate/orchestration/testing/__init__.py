"""Testing flows: mocks, memory services, sample answers, branch coverage, replay, a pytest plugin.

Everything here runs on the in-memory shell under a virtual clock; nothing reaches a network.
"""
