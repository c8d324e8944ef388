"""The data gateway: declared views and commits, the only way to Dataverse from outside (D1, D2).

`planner` is pure, `committing` makes change sets of its plans, `tables` is the seam to Dataverse,
`app` the service behind the API gateway.
"""

from hybridmandate.governance.data.app import DataSettings, create_app
from hybridmandate.governance.data.committing import Pace
from hybridmandate.governance.data.tables import DataverseTables, WebApiTables

__all__ = ["DataSettings", "DataverseTables", "Pace", "WebApiTables", "create_app"]
