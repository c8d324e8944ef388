"""CLDR data of one locale, read for itself.

babel keeps what locales inherit in dictionaries that they share, and writes resolved aliases into
them: after Japanese was asked for its stand-alone month names, French has those. So the chain of
data files is read here into dictionaries of their own.
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from babel.core import get_global
from babel.localedata import LocaleDataDict, merge, resolve_locale_filename


def locale_data(identifier: str) -> LocaleDataDict:
    """The data of a locale such as ``de_DE`` with what it inherits; its aliases are resolved."""
    merged: dict[Any, Any] = {}
    for name in reversed(_chain(identifier)):
        file = Path(resolve_locale_filename(name))
        own = pickle.loads(file.read_bytes())  # noqa: S301 - babel's own installed data
        if name == "root":
            merged = own
        else:
            merge(merged, own)
    return LocaleDataDict(merged)


def _chain(identifier: str) -> list[str]:
    """The locale, what it inherits from, and so on to ``root``."""
    chain = [identifier]
    exceptions = get_global("parent_exceptions")
    while chain[-1] != "root":
        name = chain[-1]
        chain.append(exceptions.get(name) or name.rpartition("_")[0] or "root")
    return chain
