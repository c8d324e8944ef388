"""Commands for those who change this project: they work in a checkout only."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from hybridmandate.cli.terminal import fail

ROOT = Path(__file__).parents[3]

LOCKS = ("runtime", "dev", "bench")


def run_tests(
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Passed to pytest; the checks are skipped then.")
    ] = None,
) -> None:
    """Run every check and the whole test suite.

    Examples:

        mandate test

        mandate test tests/contracts -k outcome
    """
    _in_checkout()
    checks = [
        ("lint", ["ruff", "check", "."]),
        ("format", ["ruff", "format", "--check", "."]),
        ("types", ["mypy"]),
        ("layers", ["lint-imports"]),
    ]
    failed: list[str] = []
    for name, command in checks if not arguments else []:
        typer.echo(f"── {name}")
        if _tool(command) != 0:
            failed.append(name)
    typer.echo("── tests")
    workers = ["-n", str(os.cpu_count() or 2), "--dist", "loadgroup"]
    if _tool(["pytest", *workers, *(arguments or [])]) != 0:
        failed.append("tests")
    if failed:
        fail(f"failed: {', '.join(failed)}")


def bench(
    name: Annotated[str, typer.Argument(help="Which benchmark; without it, lists them.")] = "",
    arguments: Annotated[list[str] | None, typer.Argument(help="Passed to it.")] = None,
) -> None:
    """Measure, beside peers in the same run, and print ratios.

    Example: mandate bench gateway
    """
    _in_checkout()
    folder = ROOT / "benchmarks"
    known = sorted(p.stem for p in folder.glob("*.py") if not p.stem.startswith("_"))
    if not name:
        typer.echo("\n".join(known))
        return
    if name not in known:
        fail(f"there is no benchmark '{name}'; there are: {', '.join(known)}")
    raise typer.Exit(
        subprocess.call([sys.executable, str(folder / f"{name}.py"), *(arguments or [])])
    )


def lock() -> None:
    """Renew requirements/*.lock from requirements/*.in: hashes in, addresses out."""
    _in_checkout()
    for each in LOCKS:
        status = _tool(
            [
                "uv",
                "pip",
                "compile",
                f"requirements/{each}.in",
                "--output-file",
                f"requirements/{each}.lock",
                "--universal",
                "--python-version=3.11",
                "--generate-hashes",
                "--no-emit-index-url",
                "--no-header",
                "--no-annotate",
                "--upgrade",
                "--quiet",
            ]
        )
        if status != 0:
            fail(f"requirements/{each}.lock could not be renewed")
        typer.echo(f"requirements/{each}.lock is renewed; `mandate test` installs and tries it")


def docs(
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the pages go.")] = Path(
        "site"
    ),
    renew: Annotated[
        bool, typer.Option("--renew", help="Write the generated reference pages anew, no site.")
    ] = False,
) -> None:
    """Write the documentation as a folder of web pages.

    Examples:

        mandate docs --output site

        mandate docs --renew
    """
    _in_checkout()
    if renew:
        from hybridmandate.cli.reference_pages import renew as renew_pages

        changed = renew_pages(ROOT / "docs")
        typer.echo(f"renewed: {', '.join(changed)}" if changed else "nothing has changed")
        return
    from hybridmandate.cli.docs_site import write_site

    pages = write_site(ROOT / "docs", output)
    typer.echo(f"{pages} pages in {output}; open {output / 'index.html'}")


def _tool(command: list[str]) -> int:
    """Run a tool of this environment in the checkout; returns its exit status."""
    here = str(Path(sys.executable).parent)
    found = shutil.which(command[0], path=here)
    if found is None:
        fail(f"'{command[0]}' is missing in {here}: run this command through ./mandate")
    return subprocess.call([found, *command[1:]], cwd=ROOT)


def _in_checkout() -> None:
    if not (ROOT / "requirements" / "dev.in").is_file():
        fail("this command works in a checkout of the project, not in an installed package")
