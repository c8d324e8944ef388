"""A profile as a page for the people who fill in the spreadsheet."""

from __future__ import annotations

from collections.abc import Iterator

from hybridmandate.execution.services.spreadsheets.profile import FileRule, Profile
from hybridmandate.execution.services.spreadsheets.profile_columns import Column

_POLICIES = {
    "reject_all": "rows with the same are all rejected",
    "keep_first": "of rows with the same the first is kept",
    "keep_last": "of rows with the same the last is kept",
}


def describe_profile(profile: Profile) -> str:
    """Columns with their headings and forms, rules, and when a person decides."""
    lines = [f"# {profile.profile.title} ({profile.label})", ""]
    lines += [
        "| column | headings | type | required | must be |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, column in profile.columns.items():
        cells = (name, ", ".join((name, *column.aliases)), column.standard or column.type)
        facts = "; ".join(_facts(column))
        required = "yes" if column.required else ""
        lines.append("| " + " | ".join(map(_cell, (*cells, required, facts))) + " |")
    rules = list(_rules(profile))
    if rules:
        lines += ["", "Rules:", *rules]
    if profile.severities:
        said = ", ".join(f"`{code}` {word}" for code, word in profile.severities.items())
        lines += ["", f"Severities: {said}."]
    share, most = profile.thresholds.review_share, profile.thresholds.partial_share
    lines += ["", f"A person decides when more than {share:.0%} of the rows are rejected."]
    if most < 1:
        lines.append(f"Nothing is accepted when more than {most:.0%} of the rows are rejected.")
    if profile.structure.off:
        lines.append(f"Switched off: {', '.join(profile.structure.off)}.")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _facts(column: Column) -> Iterator[str]:
    if column.type in ("date", "datetime"):
        yield " or ".join(column.formats)
    if column.type == "datetime":
        yield f"in {column.time_zone} where it names no offset"
    if column.type in ("decimal", "money", "integer"):
        yield f"written like {column.number_format}"
    if column.type in ("decimal", "money"):
        yield f"up to {column.scale} decimals"
    if column.type == "money":
        yield f"with {' or '.join(column.currencies)}, or none"
    if column.type == "boolean":
        yield f"{', '.join(column.true_words)} or {', '.join(column.false_words)}"
    if column.type == "enum":
        yield ", ".join(column.values)
        if column.synonyms:
            yield ", ".join(f"{word} for {value}" for word, value in column.synonyms.items())
    if column.pattern:
        yield f"`{column.pattern}`"
    for words, bound in (
        ("at least {}", column.minimum),
        ("at most {}", column.maximum),
        ("at least {} characters", column.min_length),
        ("up to {} characters", column.max_length),
    ):
        if bound is not None:
            yield words.format(bound)
    if column.reference is not None:
        yield f"in the view {column.reference.view}"


def _rules(profile: Profile) -> Iterator[str]:
    for rule in profile.rules:
        condition = f", when `{rule.when}`" if rule.when else ""
        yield f"- `rule.{rule.code}` ({rule.severity}): {rule.message} (`{rule.check}`{condition})"
    for each in profile.file_rules:
        yield f"- `file.{each.code}` ({each.severity}): {_of_the_file(each)}"
    if profile.duplicates is not None:
        key = " and ".join(profile.duplicates.key)
        yield f"- `duplicate`: {key} together stand once; {_POLICIES[profile.duplicates.policy]}"
        committed = profile.duplicates.committed
        if committed is not None:
            yield f"- `duplicate.committed`: {key} not in the view {committed.view}"


def _of_the_file(rule: FileRule) -> str:
    match rule.kind:
        case "sum":
            return f"{rule.column} adds up to {rule.equals or 'the total line of the file'}"
        case "count":
            least = "" if rule.minimum is None else f" at least {rule.minimum}"
            most = "" if rule.maximum is None else f" at most {rule.maximum}"
            return f"the file has{least}{' and' if least and most else ''}{most} rows"
        case "one_month":
            return f"the dates of {rule.column} lie in one month"
        case "no_gaps":
            return f"the numbers of {rule.column} follow each other without a gap"
