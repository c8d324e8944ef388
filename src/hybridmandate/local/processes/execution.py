"""The process `execution`: operations behind the gateway, guarded on the way out."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from hybridmandate import __version__
from hybridmandate.contracts import Registry
from hybridmandate.contracts.quantities import parse_duration, parse_size
from hybridmandate.durable import open_durable
from hybridmandate.durable.database import open_engine
from hybridmandate.execution.data_client import DataGatewayClient
from hybridmandate.execution.egress import Dependency, EgressGuard, install_guard
from hybridmandate.execution.files import LocalFileContent
from hybridmandate.execution.host import create_app
from hybridmandate.execution.loading import load_operations
from hybridmandate.execution.settings import DataGatewaySettings, ExecutionSettings
from hybridmandate.identity.audiences import gateway_audience, internal_audience
from hybridmandate.local.boot import IDENTITY_ENDPOINT, Boot, process_id
from hybridmandate.local.operations import shipped_operations
from hybridmandate.local.serving import Serving


def serve_execution(boot: Boot) -> list[Serving]:
    """The execution service of the solution: shipped operations that it publishes, and its own."""
    solution, environment = boot.folder.solution, boot.plan.environment
    state = boot.state.of("execution")
    database = boot.state.database("execution", "execution")
    app = create_app(
        ExecutionSettings(
            gateway_app_id=boot.application_id("gateway"),
            process_id=process_id("execution"),
            spool_folder=state / "spool",
            service_version=__version__,
            title=f"{solution.solution.title}: execution",
            server_url=f"{boot.plan.origin('gateway')}/exec",
            file_bytes=parse_size(solution.files.max_size),
            file_retention_seconds=parse_duration(solution.files.retention),
            file_readers=frozenset(boot.application_id(n) for n in solution.files.readers),
        ),
        published_operations(boot),
        verifier=boot.verifier(internal_audience(solution.solution.name, environment)),
        recorder=boot.evidence,
        durable=open_durable(
            name="mandate-execution",
            url=database,
            executor_id="execution",
            application_version=__version__,
        ),
        engine=open_engine(database),
        content=LocalFileContent(state / "files"),
        data=DataGatewayClient(
            DataGatewaySettings(
                gateway_url=boot.plan.origin("gateway"),
                resource=gateway_audience(solution.solution.name, environment),
                views={name: view.version for name, view in solution.views.items()},
                commits={name: commit.version for name, commit in solution.commits.items()},
            ),
            boot.tokens,
            boot.http,
        ),
    )
    install_guard(EgressGuard(dependencies(boot), boot.evidence))
    return [
        Serving(
            app,
            path=boot.plan.socket_path("execution"),
            port=boot.plan.private_ports.get("execution"),
        )
    ]


def published_operations(boot: Boot) -> Registry:
    """The operations of the manifest's services, and those in the solution's own folder.

    :raises Refused: when the manifest publishes an operation that is not shipped.
    """
    largest = boot.folder.solution.files.max_size
    shipped = Registry(shipped_operations(boot.folder.profiles, largest))
    published = Registry(shipped.find(ref) for ref in boot.folder.solution.services.refs)
    for own in load_operations(boot.folder.operations):
        published.add(own)
    return published


def dependencies(boot: Boot) -> Iterator[Dependency]:
    """The named dependencies of the manifest, as addresses of this machine."""
    addresses = {
        "gateway": (boot.plan.origin("gateway"),),
        "identity": (boot.variables[IDENTITY_ENDPOINT], boot.plan.origin("entra")),
    }
    for name in boot.folder.solution.execution.dependencies:
        for address in addresses[name]:
            parts = urlsplit(address)
            yield Dependency(name, host=parts.hostname, port=parts.port)
