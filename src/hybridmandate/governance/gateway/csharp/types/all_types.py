"""Importing this module declares every type."""

from __future__ import annotations

from hybridmandate.governance.gateway.csharp.types import (
    basics,
    certificates,
    collection_members,
    comparison,
    containers,
    context_details,
    converting,
    crypto,
    hash_members,
    http_types,
    json_convert,
    json_leaves,
    json_types,
    linq,
    message_body,
    moments,
    net,
    number_members,
    numeric,
    regex_types,
    rsa_keys,
    string_builder,
    strings,
    symmetric,
    text_members,
    text_streams,
    time_zones,
    tree_extensions,
    type_codes,
    uri_members,
    xml_document,
    xml_navigation,
    xml_nodes,
    xml_order,
    xml_types,
)

MODULES = (
    basics, certificates, collection_members, comparison, containers, context_details, converting,
    crypto, hash_members, http_types, json_convert, json_leaves, json_types, linq, message_body,
    moments, net, number_members, numeric, regex_types, rsa_keys, string_builder, strings,
    symmetric, text_members, text_streams, time_zones, tree_extensions, type_codes, uri_members,
    xml_document, xml_navigation, xml_nodes, xml_order, xml_types,
)  # fmt: skip
"""The families of types."""
