"""Reading a solution folder; a folder with any error does not load (requirement T1)."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from hybridmandate.manifest.checks import Conflict, check_environment, check_solution
from hybridmandate.manifest.environment import Environment
from hybridmandate.manifest.finding import Finding, SolutionRefused
from hybridmandate.manifest.positions import LineIndex
from hybridmandate.manifest.solution import Solution

MANIFEST = "mandate.toml"
M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class SolutionFolder:
    """A loaded solution: its manifest, its environments, and where its artefacts lie."""

    root: Path
    solution: Solution
    environments: Mapping[str, Environment]

    @property
    def name(self) -> str:
        """The solution's name."""
        return self.solution.solution.name

    @property
    def flows(self) -> list[Path]:
        """The cloud flow definitions."""
        return sorted((self.root / "flows").glob("*.json"))

    @property
    def tables(self) -> Path:
        """The folder of Dataverse tables."""
        return self.root / "tables"

    @property
    def policies(self) -> Path:
        """The folder of gateway policies, in the layout of the API Management extractor."""
        return self.root / "policies"

    @property
    def profiles(self) -> Path:
        """The folder of spreadsheet profiles."""
        return self.root / "profiles"

    @property
    def connectors(self) -> Path:
        """The folder of custom connectors."""
        return self.root / "connectors"

    @property
    def operations(self) -> Path:
        """The folder of the team's own operations."""
        return self.root / "operations"

    @property
    def samples(self) -> list[Path]:
        """Files as people send them, in the order in which a demonstration shows them."""
        folder = self.root / "samples"
        return sorted(p for p in folder.glob("*") if p.is_file() and p.suffix != ".md")

    def environment(self, name: str) -> Environment:
        """An environment by name.

        :raises SolutionRefused: when there is none of that name, naming those that exist.
        """
        found = self.environments.get(name)
        if found is not None:
            return found
        known = ", ".join(sorted(self.environments)) or "none"
        raise SolutionRefused(
            [
                Finding(
                    file="environments",
                    line=1,
                    where="",
                    message=f"there is no environment '{name}'",
                    hint=f"Add environments/{name}.toml, or use one that exists: {known}",
                )
            ]
        )


def load_solution(root: Path) -> SolutionFolder:
    """Load the solution in a folder.

    :raises SolutionRefused: with every finding, each naming file, line and what to write instead.
    """
    manifest = root / MANIFEST
    if not manifest.is_file():
        raise SolutionRefused([_no_manifest(root)])
    findings: list[Finding] = []
    solution = _read(manifest, MANIFEST, Solution, lambda s: check_solution(s), findings)
    environments: dict[str, Environment] = {}
    for path in sorted((root / "environments").glob("*.toml")):
        name = f"environments/{path.name}"
        environment = _read(
            path,
            name,
            Environment,
            lambda e: check_environment(solution, e) if solution is not None else (),
            findings,
        )
        if environment is None:
            continue
        if environment.environment.name != path.stem:
            findings.append(_misnamed(name, path.stem, environment))
        environments[environment.environment.name] = environment
    if findings or solution is None:
        raise SolutionRefused(findings)
    return SolutionFolder(root.resolve(), solution, environments)


def _read(
    path: Path,
    name: str,
    model: type[M],
    check: Callable[[M], Iterable[Conflict]],
    findings: list[Finding],
) -> M | None:
    try:
        text = path.read_text(encoding="utf-8-sig")
        values = tomllib.loads(text)
    except UnicodeDecodeError:
        findings.append(Finding(name, 1, "", "is not UTF-8 text", "Save the file as UTF-8"))
        return None
    except tomllib.TOMLDecodeError as error:
        findings.append(_syntax(name, str(error)))
        return None
    index = LineIndex(text)
    try:
        loaded = model.model_validate(values)
    except ValidationError as error:
        findings.extend(_model_findings(name, index, model, error))
        return None
    findings.extend(
        Finding(name, index.line_of(c.path), _dotted(c.path), c.message, f"{c.hint}.")
        for c in check(loaded)
    )
    return loaded


def _syntax(name: str, message: str) -> Finding:
    text, _, place = message.rpartition(" (at ")
    digits = "".join(c for c in place.partition(",")[0] if c.isdigit())
    return Finding(
        file=name,
        line=int(digits or 1),
        where="",
        message=f"is not valid TOML: {text or message}",
        hint="Mend the syntax at that place",
    )


def _model_findings(
    name: str, index: LineIndex, model: type[BaseModel], error: ValidationError
) -> Iterator[Finding]:
    for each in error.errors(include_url=False):
        path = tuple(part for part in each["loc"] if part != "[key]")
        message = str(each["msg"]).removeprefix("Value error, ")
        yield Finding(
            file=name,
            line=index.line_of(path),
            where=_dotted(path),
            message=message[:1].lower() + message[1:],
            hint=_hint(model, path, each["type"], each.get("input"), each.get("ctx") or {}),
        )


def _hint(
    model: type[BaseModel], path: tuple[Any, ...], kind: str, given: Any, context: Mapping[str, Any]
) -> str:
    last = str(path[-1]) if path else ""
    if kind == "missing" and len(path) >= 2 and path[-2] == "owners":
        return f"Add [owners.{last}] with team and contact: a solution needs all three owners."
    if kind == "missing":
        return f"Add '{last}' to [{_dotted(path[:-1])}]." if path[:-1] else f"Add [{last}]."
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(last, _fields_at(model, path[:-1]), n=1)
        return f"Write '{near[0]}' instead." if near else "Remove it: nothing reads it."
    if kind in ("enum", "literal_error"):
        return f"Write one of: {context.get('expected', '')}."
    if kind == "string_pattern_mismatch":
        return f"'{given}' must match {context.get('pattern', '')}."
    return f"Correct '{last}'."


def _fields_at(model: type[BaseModel], path: tuple[Any, ...]) -> list[str]:
    """Names of the keys that may stand at a path, for 'did you mean'."""
    annotation: Any = model
    for part in path:
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            annotation = _annotation_of(annotation, str(part))
        elif get_origin(annotation) is dict:
            annotation = get_args(annotation)[1]
        else:
            return []
    if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
        return []
    return [field.alias or name for name, field in annotation.model_fields.items()]


def _annotation_of(model: type[BaseModel], name: str) -> Any:
    for key, field in model.model_fields.items():
        if name in (key, field.alias):
            return field.annotation
    return None


def _dotted(path: Iterable[Any]) -> str:
    return ".".join(map(str, path))


def _misnamed(file: str, stem: str, environment: Environment) -> Finding:
    return Finding(
        file=file,
        line=1,
        where="environment.name",
        message=f"the environment is called '{environment.environment.name}', its file '{stem}'",
        hint=f'Write name = "{stem}", or rename the file',
    )


def _no_manifest(root: Path) -> Finding:
    return Finding(
        file=MANIFEST,
        line=1,
        where="",
        message=f"is missing in {root}",
        hint="A hybrid solution is a folder with mandate.toml: name the folder with --solution",
    )
