"""Stand-in for the part of Microsoft Graph that flows use: files, lists, people, mail,
Teams messages, approvals.

Everything is kept as stored items that a person and a test can look at. Shapes follow the Graph
reference (https://learn.microsoft.com/graph/api/overview); what is not supported answers with
Graph's own error shape.
"""

from hybridmandate.twin.office.app import OfficeSettings, create_app
from hybridmandate.twin.office.caller import Persona, PersonVerifier
from hybridmandate.twin.office.people_surface import Profile
from hybridmandate.twin.office.store import OfficeStore

__all__ = ["OfficeSettings", "OfficeStore", "PersonVerifier", "Persona", "Profile", "create_app"]
