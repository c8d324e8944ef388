"""How much work an XPath expression can be, before it runs: libxml2 cannot be stopped inside it.

A step on ``//`` looks at each node once for each of its ancestors at most. A search inside a
predicate is repeated for each node that the predicate is asked about, so it multiplies by the size
of the document; ``following`` and ``preceding`` look at the whole document from each node.
"""

from __future__ import annotations

import re

from lxml import etree

from hybridmandate.orchestration.expressions.errors import FunctionFault

MOST_WORK = 20_000_000
MOST_CHARACTERS = 8_192
_PART = re.compile(r"'[^']*'|\"[^\"]*\"|\[|\]|//|(?:descendant|following|preceding)[\w-]*::")


def admit(root: etree._Element, path: str) -> None:
    """Refuse an expression whose worst case is too much work on the document.

    :raises FunctionFault: with the reason.
    """
    if len(path) > MOST_CHARACTERS:
        raise FunctionFault(
            f"An XPath expression may have {MOST_CHARACTERS} characters", argument=2, value=path
        )
    work = worst_case(path, *_size(root))
    if work > MOST_WORK:
        raise FunctionFault(
            "The XPath expression searches the whole document too often", argument=2, value=path
        )


def worst_case(path: str, nodes: int, depth: int) -> int:
    """An upper estimate of the nodes that are looked at."""
    level = 0
    repeated = 0
    each_node = depth
    for part in _PART.findall(path):
        if part == "[":
            level += 1
        elif part == "]":
            level = max(level - 1, 0)
        elif part[0] in "'\"":
            continue
        elif level:
            repeated += 1
        elif part[0] in "fp":
            each_node = nodes
    return int(nodes * each_node * nodes ** min(repeated, 6))


def _size(root: etree._Element) -> tuple[int, int]:
    """How many nodes a document has, and how deep it is."""
    nodes, deepest, depth = 0, 1, 0
    for event, node in etree.iterwalk(root, events=("start", "end")):
        if event == "end":
            depth -= 1
            continue
        nodes += 1 + len(node.attrib)
        depth += 1
        deepest = max(deepest, depth)
    return nodes, deepest
