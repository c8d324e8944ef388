"""Importing this module declares every type."""

from __future__ import annotations

from hybridmandate.governance.gateway.csharp.types import (
    basics,
    comparison,
    containers,
    context_details,
    converting,
    crypto,
    http_types,
    json_convert,
    json_leaves,
    json_types,
    linq,
    moments,
    net,
    numeric,
    regex_types,
    string_builder,
    strings,
    text_streams,
    tree_extensions,
    xml_navigation,
    xml_types,
)

MODULES = (
    basics, comparison, containers, context_details, converting, crypto, http_types, json_convert,
    json_leaves, json_types, linq, moments, net, numeric, regex_types, string_builder, strings,
    text_streams, tree_extensions, xml_navigation, xml_types,
)  # fmt: skip
"""The families of types."""
