"""Mails of Microsoft Graph as the Office 365 Outlook connector shows them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def shown_mail(mail: Mapping[str, Any], attachments: Sequence[Any] | None = None) -> dict[str, Any]:
    """A mail of Graph as actions and triggers give it; addresses joined by semicolons."""
    body = mail.get("body") or {}
    return {
        "id": mail["id"],
        "subject": mail.get("subject"),
        "from": _address(mail.get("from")),
        "toRecipients": ";".join(_address(each) for each in mail.get("toRecipients") or []),
        "body": body.get("content"),
        "isHtml": body.get("contentType") == "html",
        "bodyPreview": mail.get("bodyPreview"),
        "importance": mail.get("importance"),
        "isRead": mail.get("isRead"),
        "hasAttachments": mail.get("hasAttachments"),
        "receivedDateTime": mail.get("receivedDateTime"),
        "attachments": list(attachments or []),
    }


def _address(recipient: Any) -> str:
    return str(((recipient or {}).get("emailAddress") or {}).get("address") or "")
