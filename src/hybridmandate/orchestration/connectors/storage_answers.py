"""What Azure Storage's services answer: XML, read without anything from outside of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lxml import etree

from hybridmandate.orchestration.connectors.session import Decode, decoded

VERSION = {"x-ms-version": "2021-12-02"}
"""The header that every request carries."""


def xml_answer(tag: str, shown: Callable[[etree._Element], Any]) -> Decode:
    """Reads answers whose root is ``tag`` as ``shown`` makes them; an error stays its text."""

    def decode(body: bytes, content_type: str) -> Any:
        if not body:
            return None
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        try:
            root = etree.fromstring(body, parser)
        except etree.XMLSyntaxError:
            return decoded(body, content_type)
        return shown(root) if root.tag == tag else body.decode("utf-8", "replace")

    return decode
