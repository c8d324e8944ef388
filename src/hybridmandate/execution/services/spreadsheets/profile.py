"""The profile: what a spreadsheet must become (`profiles/*.toml`, versioned; requirement S1)."""

from __future__ import annotations

import re
import string
import tomllib
from collections import Counter
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    StringConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import ErrorDetails

from hybridmandate.execution.services.spreadsheets.profile_columns import Column, Declared
from hybridmandate.execution.services.spreadsheets.profile_formats import DateFormat, NumberFormat
from hybridmandate.execution.services.spreadsheets.row_rule import (
    ColumnKind,
    Kind,
    RowRule,
    RuleError,
    compile_rule,
)

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][A-Za-z0-9]*$", max_length=60)]
Severity = Literal["error", "warning"]
Code = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=60)]

LINE = "line"
"""Column of accepted rows that says on which line each stood; no column of a profile."""

STRUCTURE_RULES = (
    "rows.title",
    "header.two_rows",
    "header.similar",
    "rows.units",
    "rows.repeated_header",
    "rows.blank",
    "rows.ruler",
    "rows.hidden",
    "rows.total",
    "rows.subtotal",
    "rows.footer",
    "rows.second_table",
    "columns.second_table",
)
"""Rules by which a structure is read; a profile may switch each of them off."""


REASON_CODES = (
    *("required", "pattern", "length.short", "length.long", "range.minimum", "range.maximum"),
    *("date.format", "datetime.format", "datetime.zone", "integer.format", "decimal.format"),
    *("decimal.precision", "money.format", "money.precision", "boolean.word", "enum.value"),
    *("email.format", "iban.format", "vat.format", "bic.format", "lei.format", "isin.format"),
    *("identifier.format", "reference", "row.extra_cells", "cell.error", "cell.uncalculated"),
    *("duplicate", "duplicate.committed", "duplicate.accepted_before"),
)
"""Why a row is rejected, beside rules of the profile's own."""

_FILE_RULE_SETTINGS = {
    "sum": ("column", "equals"),
    "count": ("minimum", "maximum"),
    "one_month": ("column",),
    "no_gaps": ("column",),
}
_DELIMITERS = (set(string.punctuation) | {" ", "\t"}) - {'"', "'"}
_AMOUNT = re.compile(r"[+-]?[0-9]{1,15}(?:\.[0-9]{1,10})?")
_KINDS = {
    **dict.fromkeys(("integer", "decimal", "money"), Kind.NUMBER),
    "date": Kind.DATE,
    "datetime": Kind.MOMENT,
    "boolean": Kind.TRUTH,
}


class ProfileError(Exception):
    """A profile that cannot be used; the message lists everything that is wrong in it."""


class About(Declared):
    """Name and version of a profile."""

    name: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]*$")]
    version: int = Field(ge=1)
    title: str


class Committed(Declared):
    """The view that shows what was committed before; ``columns`` are its columns, as the key's."""

    view: str
    columns: tuple[str, ...] = Field(min_length=1)
    parameters: dict[str, str] = Field(default_factory=dict)


class Duplicates(Declared):
    """Which rows are the same record, and what happens to them."""

    key: tuple[Name, ...] = Field(min_length=1)
    policy: Literal["reject_all", "keep_first", "keep_last"] = "reject_all"
    committed: Committed | None = None


class DeclaredRule(Declared):
    """A rule between columns of one row.

    ``when`` is a column that must be filled for it, or a condition written like ``check``.
    """

    code: Code
    message: str
    check: str
    when: str | None = None
    severity: Severity = "error"


class FileRule(Declared):
    """A rule about all rows together.

    ``sum``: the column adds up to ``equals``, or to the file's own total line without it.
    ``count``: between ``minimum`` and ``maximum`` rows. ``one_month``: all dates in one month.
    ``no_gaps``: the numbers at the end of the column's values follow each other.
    An error rejects the whole file, a warning is reported.
    """

    code: Code
    kind: Literal["sum", "count", "one_month", "no_gaps"]
    column: Name | None = None
    equals: str | None = None
    minimum: int | None = None
    maximum: int | None = None
    severity: Severity = "error"

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.kind != "count" and self.column is None:
            raise ValueError(f"file rule '{self.code}' needs its column")
        if self.kind == "count" and self.minimum is None and self.maximum is None:
            raise ValueError(f"file rule '{self.code}' needs a minimum or a maximum")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"file rule '{self.code}': minimum is above maximum")
        known = _FILE_RULE_SETTINGS[self.kind]
        for setting in ("column", "equals", "minimum", "maximum"):
            if getattr(self, setting) is not None and setting not in known:
                raise ValueError(f"file rule '{self.code}': a {self.kind} has no {setting}")
        if self.equals is not None and _AMOUNT.fullmatch(self.equals) is None:
            raise ValueError(f"file rule '{self.code}': '{self.equals}' is not a number")
        return self

    def check_column(self, column: Column) -> None:
        """:raises ValueError: when the rule asks for what its column does not hold."""
        if self.kind == "sum" and column.type not in ("integer", "decimal", "money"):
            said = f"the sum of '{self.column}' needs numbers, but it is a {column.type}"
            raise ValueError(f"file rule '{self.code}': {said}")
        if self.kind == "one_month" and column.type not in ("date", "datetime"):
            said = f"'{self.column}' is a {column.type}, not a date"
            raise ValueError(f"file rule '{self.code}': {said}")
        if self.kind == "no_gaps" and column.type not in ("integer", "text", "identifier"):
            said = f"'{self.column}' is a {column.type}, which has no running number"
            raise ValueError(f"file rule '{self.code}': {said}")


class ReaderOptions(Declared):
    """What is declared about the file instead of found out: dialect, encoding, worksheet."""

    delimiter: str | None = None
    quote: Literal['"', "'"] | None = None
    fallback_encoding: Literal["cp1252", "cp1250", "cp1251", "iso8859-15", "cp437", "cp850"] = (
        "cp1252"
    )
    sheet: str | None = None

    @field_validator("delimiter")
    @classmethod
    def _is_one_sign(cls, value: str | None) -> str | None:
        if value is None or (len(value) == 1 and value in _DELIMITERS):
            return value
        raise ValueError(f"'{value}' is no delimiter: it is one sign of ASCII, a space or a tab")


class StructureOptions(Declared):
    """Which structure rules are off (see :data:`STRUCTURE_RULES`)."""

    off: tuple[str, ...] = ()

    @field_validator("off")
    @classmethod
    def _known(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = sorted(set(value) - set(STRUCTURE_RULES))
        if unknown:
            raise ValueError(f"no such rules: {unknown}; there are: {list(STRUCTURE_RULES)}")
        return value


class Thresholds(Declared):
    """Shares of rejected rows above which a person decides."""

    review_share: float = Field(default=0.2, ge=0, le=1)
    partial_share: float = Field(default=1.0, ge=0, le=1)
    """Above this share the whole file is rejected, nothing of it is accepted."""


class Profile(Declared):
    """A whole profile."""

    profile: About
    columns: dict[Name, Column] = Field(min_length=1)
    duplicates: Duplicates | None = None
    rules: tuple[DeclaredRule, ...] = ()
    file_rules: tuple[FileRule, ...] = ()
    thresholds: Thresholds = Thresholds()
    reader: ReaderOptions = ReaderOptions()
    structure: StructureOptions = StructureOptions()
    severities: dict[str, Severity] = Field(default_factory=dict)
    """Severity of a reason code, or of ``column:code``, where it is not an error."""

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if LINE in self.columns:
            raise ValueError(
                f"'{LINE}' is the line of each accepted row: name the column otherwise"
            )
        for name in self.duplicates.key if self.duplicates else ():
            if name not in self.columns:
                raise ValueError(f"duplicates.key: there is no column '{name}'")
        taken: dict[str, str] = {}
        for name, column in self.columns.items():
            for alias in (name, *column.aliases):
                other = taken.setdefault(alias.casefold(), name)
                if other != name:
                    raise ValueError(f"'{alias}' names both '{other}' and '{name}'")
        for each in self.file_rules:
            if each.column is not None and each.column not in self.columns:
                raise ValueError(f"file rule '{each.code}': there is no column '{each.column}'")
            if each.column is not None:
                each.check_column(self.columns[each.column])
        for codes in ([r.code for r in self.rules], [r.code for r in self.file_rules]):
            twice = [code for code, count in Counter(codes).items() if count > 1]
            if twice:
                raise ValueError(f"several rules have the code '{twice[0]}'")
        self._check_severities()
        committed = self.duplicates.committed if self.duplicates else None
        if self.duplicates and committed and len(committed.columns) != len(self.duplicates.key):
            raise ValueError("duplicates.committed.columns must be as many as duplicates.key")
        _ = self.row_rules
        return self

    def _check_severities(self) -> None:
        for key in self.severities:
            column, _, code = key.rpartition(":")
            if column and column not in self.columns:
                raise ValueError(f"severities: there is no column '{column}'")
            if code.startswith(("rule.", "file.")):
                raise ValueError(f"severities: '{code}': a rule says its severity itself")
            if code not in REASON_CODES:
                raise ValueError(
                    f"severities: there is no reason '{code}'; there are: {', '.join(REASON_CODES)}"
                )

    @cached_property
    def row_rules(self) -> list[RowRule]:
        """The rules between columns, compiled. :raises ValueError: for a rule that is wrong."""
        kinds = {
            name: ColumnKind(_KINDS.get(column.type, Kind.TEXT), _scale(column))
            for name, column in self.columns.items()
        }
        try:
            return [compile_rule(r.code, r.message, r.check, r.when, kinds) for r in self.rules]
        except RuleError as error:
            raise ValueError(str(error)) from None

    def severity(self, code: str, field: str) -> str:
        """``error`` or ``warning`` for a reason code in a column."""
        for rule in self.rules:
            if code == f"rule.{rule.code}":
                return rule.severity
        return self.severities.get(f"{field}:{code}", self.severities.get(code, "error"))

    def views(self) -> dict[str, dict[str, str]]:
        """The views of the data gateway that the profile needs, with their parameters."""
        needed = {
            column.reference.view: column.reference.parameters
            for column in self.columns.values()
            if column.reference is not None
        }
        if self.duplicates is not None and self.duplicates.committed is not None:
            needed[self.duplicates.committed.view] = self.duplicates.committed.parameters
        return needed

    @property
    def label(self) -> str:
        """Name and version, as results name it: ``invoice/3``."""
        return f"{self.profile.name}/{self.profile.version}"


def _scale(column: Column) -> int:
    return column.scale if column.type in ("decimal", "money") else 0


def _said(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "there is no such setting"
    return error["msg"].removeprefix("Value error, ")


def read_profile(text: str, *, source: str) -> Profile:
    """A profile from its TOML text. :raises ProfileError: with everything that is wrong."""
    try:
        return Profile.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"{source}: not valid TOML: {error}") from None
    except ValidationError as error:
        lines = [
            f"{source}: {'.'.join(map(str, each['loc'])) or 'profile'}: {_said(each)}"
            for each in error.errors(include_url=False)
        ]
        raise ProfileError("\n".join(lines)) from None


def load_profile(path: Path) -> Profile:
    """A profile from its file. :raises ProfileError: with everything that is wrong in it."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ProfileError(f"{path.name}: not UTF-8 text, as TOML must be") from None
    return read_profile(text, source=path.name)


class ProfileLibrary:
    """The profiles of a solution, by name or by ``name/version``."""

    def __init__(self, profiles: list[Profile]) -> None:
        self._by_label = {each.label: each for each in profiles}
        self._newest: dict[str, Profile] = {}
        for each in sorted(profiles, key=lambda p: p.profile.version):
            self._newest[each.profile.name] = each

    @classmethod
    def from_folder(cls, folder: Path) -> ProfileLibrary:
        """Read every ``*.toml`` of a folder.

        :raises ProfileError: when one cannot be used, or two are the same version of one profile.
        """
        found: dict[str, str] = {}
        profiles = []
        for file in sorted(folder.glob("*.toml")):
            profile = load_profile(file)
            other = found.setdefault(profile.label, file.name)
            if other != file.name:
                raise ProfileError(f"{file.name}: profile '{profile.label}' is in {other} as well")
            profiles.append(profile)
        return cls(profiles)

    def find(self, name: str) -> Profile | None:
        """``invoice`` gives the newest version, ``invoice/3`` that version."""
        return self._by_label.get(name) or self._newest.get(name)

    @property
    def labels(self) -> list[str]:
        """All profiles as ``name/version``."""
        return sorted(self._by_label)


__all__ = [
    "STRUCTURE_RULES",
    "Column",
    "Committed",
    "DateFormat",
    "DeclaredRule",
    "Duplicates",
    "FileRule",
    "NumberFormat",
    "Profile",
    "ProfileError",
    "ProfileLibrary",
    "ReaderOptions",
    "StructureOptions",
    "Thresholds",
    "load_profile",
    "read_profile",
]
