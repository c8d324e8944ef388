"""Which polled trigger reads for a flow, by the operation of its trigger."""

from __future__ import annotations

from hybridmandate.orchestration.connectors.azure_queues import AzureQueuesConnector
from hybridmandate.orchestration.connectors.connector import Connector
from hybridmandate.orchestration.connectors.dataverse import DataverseConnector
from hybridmandate.orchestration.connectors.dataverse_legacy import (
    LEGACY_TRIGGERS,
    LegacyDataverseConnector,
)
from hybridmandate.orchestration.connectors.drive_connector import DriveConnector
from hybridmandate.orchestration.connectors.mail import MailConnector
from hybridmandate.orchestration.connectors.sharepoint import SharePointConnector
from hybridmandate.orchestration.connectors.teams import TeamsConnector
from hybridmandate.orchestration.definition.model import Flow
from hybridmandate.orchestration.shells.durable import FlowHost
from hybridmandate.orchestration.triggers import (
    channel_messages,
    dataverse_rows,
    list_items,
    mail_arrives,
    new_files,
    queue_messages,
)
from hybridmandate.orchestration.triggers.polling import Polling, Read, trigger_operation

_MAILS = (mail_arrives.OPERATION, mail_arrives.SHARED_OPERATION)
_LISTS = (list_items.CREATED, list_items.CHANGED)


def polled_trigger(
    flow: Flow, connector: Connector | None, host: FlowHost, *, seconds: float
) -> Polling | None:
    """The trigger of a flow that is polled every ``seconds``; None for one that is not simulated.

    ``connector`` is the connection that the trigger names.
    """
    read = _read(flow, connector, host)
    if read is None:
        return None
    return Polling(read, seconds=seconds, admits=lambda: host.admits(flow))


def _read(flow: Flow, connector: Connector | None, host: FlowHost) -> Read | None:
    operation = trigger_operation(flow)
    if operation in new_files.OPERATIONS and isinstance(connector, DriveConnector):
        return new_files.NewFiles(flow, connector, host).read
    if operation in _LISTS and isinstance(connector, SharePointConnector):
        return list_items.ListItems(flow, connector, host).read
    if operation in _MAILS and isinstance(connector, MailConnector):
        return mail_arrives.MailArrives(flow, connector, host).read
    if operation == channel_messages.OPERATION and isinstance(connector, TeamsConnector):
        return channel_messages.ChannelMessages(flow, connector, host).read
    if operation == queue_messages.OPERATION and isinstance(connector, AzureQueuesConnector):
        return queue_messages.QueueMessages(flow, connector, host).read
    if operation == dataverse_rows.OPERATION and isinstance(connector, DataverseConnector):
        return dataverse_rows.RowChanges(flow, connector, host).read
    if operation in LEGACY_TRIGGERS and isinstance(connector, LegacyDataverseConnector):
        return dataverse_rows.RowChanges(flow, connector, host).read
    return None
