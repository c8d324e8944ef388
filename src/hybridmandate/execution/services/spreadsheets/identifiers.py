"""E-mail addresses and numbers with check digits, judged by python-stdnum and email-validator."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

import polars as pl

_STANDARD = re.compile(r"(?:[a-z]{2}_?\.)?[a-z][a-z0-9_]{1,30}")
_NAMED = {"iban": "iban", "vat": "eu.vat", "bic": "bic", "lei": "lei", "isin": "isin"}


def is_standard(name: str) -> bool:
    """Whether python-stdnum has a module of that name that validates: ``ch.uid``, ``isbn``."""
    if _STANDARD.fullmatch(name) is None:
        return False
    try:
        module = importlib.import_module(f"stdnum.{name}")
    except ImportError:
        return False
    return callable(getattr(module, "validate", None))


def parsed_identifier(kind: str, texts: pl.Series) -> pl.Series:
    """The compact form of each valid text, null for the others; each different text once.

    ``kind`` is email, iban, vat (European Union), bic, lei, isin, or a module of python-stdnum.
    """
    parse = _parser(kind)
    different = texts.drop_nulls().unique()
    known = {text: parse(text) for text in different}
    return pl.Series(texts.name, [known.get(each) for each in texts], dtype=pl.String)


def _parser(kind: str) -> Callable[[str], str | None]:
    if kind == "email":
        return _email
    from stdnum.exceptions import ValidationError

    module = importlib.import_module(f"stdnum.{_NAMED.get(kind, kind)}")

    def parse(text: str) -> str | None:
        try:
            return str(module.validate(text))
        except ValidationError:
            return None

    return parse


def _email(text: str) -> str | None:
    from email_validator import EmailNotValidError, validate_email

    try:
        return str(validate_email(text, check_deliverability=False).normalized)
    except EmailNotValidError:
        return None
