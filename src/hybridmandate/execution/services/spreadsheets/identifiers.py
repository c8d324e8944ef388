"""E-mail addresses and numbers with check digits, judged by python-stdnum and email-validator."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl


def parsed_identifier(kind: str, texts: pl.Series) -> pl.Series:
    """The compact form of each valid text, null for the others; each different text once.

    ``kind`` is email, iban, vat (European Union), bic, lei or isin.
    """
    parse = _parser(kind)
    different = texts.drop_nulls().unique()
    known = {text: parse(text) for text in different}
    return pl.Series(texts.name, [known.get(each) for each in texts], dtype=pl.String)


def _parser(kind: str) -> Callable[[str], str | None]:
    if kind == "email":
        return _email
    from stdnum import bic, iban, isin, lei
    from stdnum.eu import vat
    from stdnum.exceptions import ValidationError

    module = {"iban": iban, "vat": vat, "bic": bic, "lei": lei, "isin": isin}[kind]

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
