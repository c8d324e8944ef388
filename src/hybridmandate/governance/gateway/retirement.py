"""The lifecycle of a contract version as policies: headers while it lives, 410 after its end.

Written as a policy document of the operation's scope, so that API Management can run the very same
text: ``mandate policy show`` prints it with the rest. It stands between the API's policies and the
operation's own, so a caller is known before it is told that its version has ended.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from hybridmandate.contracts.lifecycle import Lifecycle
from hybridmandate.governance.gateway.configuration import Document, OperationEntry


def retirement_document(operation: OperationEntry) -> Document | None:
    """The policies of the operation's lifecycle, or None when it has none."""
    lifecycle = operation.lifecycle
    if lifecycle is None:
        return None
    headers = "".join(
        f'<set-header name="{name}" exists-action="override">'
        f"<value>{escape(value)}</value></set-header>"
        for name, value in lifecycle.headers().items()
    )
    text = (
        f"<policies><inbound><base />{_refusal(lifecycle)}</inbound>"
        f"<backend><base /></backend><outbound><base />{headers}</outbound>"
        "<on-error><base /></on-error></policies>"
    )
    return Document(text, f"lifecycle of {operation.id}")


def _refusal(lifecycle: Lifecycle) -> str:
    end = lifecycle.ends_at
    if end is None or lifecycle.sunset is None:
        return ""
    instead = "a later version" if lifecycle.successor is None else lifecycle.successor
    message = f"This version ended on {lifecycle.sunset.isoformat()}: call {instead} instead."
    moment = f"new DateTime({end.year}, {end.month}, {end.day}, 0, 0, 0, DateTimeKind.Utc)"
    return (
        f'<choose><when condition="@(DateTime.UtcNow &gt;= {moment})">'
        '<set-variable name="failureType" value="contract_retired" />'
        '<set-variable name="failureReason" value="contract.sunset" />'
        f'<set-variable name="failureMessage" value={quoteattr(message)} />'
        '<include-fragment fragment-id="mandate-refuse" /></when></choose>'
    )
