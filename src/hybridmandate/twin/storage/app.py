"""The HTTP surface of the account: ``/blob`` and ``/queue`` are its two service endpoints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hybridmandate.identity.principal import TokenVerifier
from hybridmandate.twin.storage.access import Access
from hybridmandate.twin.storage.blob_surface import BlobSurface
from hybridmandate.twin.storage.container_surface import ContainerSurface
from hybridmandate.twin.storage.errors import StorageError, not_implemented
from hybridmandate.twin.storage.queue_surface import QueueSurface
from hybridmandate.twin.storage.requests import Asked
from hybridmandate.twin.storage.store import StorageStore

VERSION = "2025-07-05"
"""The service version that is answered; requests of any version are taken."""
_METHODS = ["GET", "HEAD", "PUT", "POST", "DELETE"]

Endpoint = Callable[[Asked, Mapping[str, str]], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class StorageSettings:
    """``origin`` is where the stand-in is reached, ``authority`` the tenant's address at Entra
    (``https://localhost:4301/<tenant>``), ``assignments`` data roles by application id."""

    origin: str
    authority: str
    assignments: Mapping[str, frozenset[str]]


def create_app(
    settings: StorageSettings,
    store: StorageStore,
    verifier: TokenVerifier,
    *,
    new_request_id: Callable[[], str],
) -> Starlette:
    """The account as an ASGI application; ``verifier`` checks tokens for Azure Storage.

    :raises ValueError: when an assignment names a role that there is not.
    """
    access = Access(verifier, settings.assignments, settings.authority)
    origin = settings.origin.rstrip("/")
    queues = QueueSurface(store.queues, f"{origin}/queue/")
    containers = ContainerSurface(store.blobs, f"{origin}/blob/")
    blobs = BlobSurface(store.blobs)

    def guarded(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                given = request.headers.get("authorization")
                rights = await access.rights(given, request.query_params)
                response = await endpoint(Asked(request, rights), request.path_params)
            except StorageError as error:
                response = error.response()
            response.headers["x-ms-request-id"] = new_request_id()
            response.headers["x-ms-version"] = VERSION
            return response

        return handle

    async def blob_or_container(asked: Asked, place: Mapping[str, str]) -> Response:
        if asked.query.get("restype") != "container":
            raise not_implemented("blob in the root container")
        return await containers.container(asked, place["container"])

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def elsewhere(asked: Asked, _: Mapping[str, str]) -> Response:
        raise not_implemented(f"{asked.method} {asked.request.url.path}")

    table: tuple[tuple[str, Endpoint], ...] = (
        ("/queue/", lambda asked, place: queues.service(asked)),
        ("/queue/{queue}", lambda asked, place: queues.queue(asked, place["queue"])),
        ("/queue/{queue}/messages", lambda asked, place: queues.messages(asked, place["queue"])),
        (
            "/queue/{queue}/messages/{message}",
            lambda asked, place: queues.message(asked, place["queue"], place["message"]),
        ),
        ("/blob/", lambda asked, place: containers.service(asked)),
        ("/blob/{container}", blob_or_container),
        (
            "/blob/{container}/{blob:path}",
            lambda asked, place: blobs.blob(asked, place["container"], place["blob"]),
        ),
        ("/{rest:path}", elsewhere),
    )
    return Starlette(
        routes=[
            Route("/health/live", alive),
            Route("/health/ready", alive),
            *(Route(path, guarded(endpoint), methods=_METHODS) for path, endpoint in table),
        ]
    )
