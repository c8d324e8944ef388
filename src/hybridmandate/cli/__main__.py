"""`python -m hybridmandate.cli`: what the launcher runs."""

from hybridmandate.cli import main

main()
