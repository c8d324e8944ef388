"""The command line `mandate …`: one module a command group, thin over the rooms below.

Heavy libraries are imported by the command that needs them, so that `--help` is there at once.
"""


def main() -> None:
    """Run the command line (the console script `mandate`)."""
    from hybridmandate.cli.app import app

    app(prog_name="mandate")
