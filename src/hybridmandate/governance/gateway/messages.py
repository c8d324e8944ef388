"""Request and response as policies see and change them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container, Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote

_SENT_APART = frozenset(
    {
        "user-agent",
        "www-authenticate",
        "proxy-authenticate",
        "cookie",
        "set-cookie",
        "warning",
        "date",
        "expires",
        "last-modified",
        "if-modified-since",
        "if-unmodified-since",
    }
)
"""Headers whose values are sent as separate lines (set-header page)."""
FIXED_HEADERS = frozenset({"connection", "content-length", "keep-alive", "transfer-encoding"})
"""Headers that a policy cannot change (set-header page)."""
HOP_BY_HOP = FIXED_HEADERS - {"content-length"} | {
    "proxy-connection",
    "te",
    "trailer",
    "upgrade",
}
"""Headers of one connection, never passed on (RFC 9110, section 7.6.1)."""


class HeaderMap:
    """Headers by lower-case name; the order of first appearance and the spelling are kept."""

    __slots__ = ("_entries",)

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._entries: dict[str, tuple[str, list[str]]] = {}
        for name, value in pairs:
            self.add(name, value)

    @classmethod
    def received(cls, lines: Iterable[tuple[bytes, bytes]]) -> HeaderMap:
        """The headers of a message as a parser gives them, names in lower case."""
        received = cls()
        entries = received._entries
        for raw, value in lines:
            name = raw.decode("latin-1")
            known = entries.get(name)
            if known is None:
                entries[name] = (name, [value.decode("latin-1")])
            else:
                known[1].append(value.decode("latin-1"))
        return received

    @classmethod
    def without(cls, names: Container[str], pairs: Iterable[tuple[str, str]]) -> HeaderMap:
        """All of the pairs but those of the names, which are in lower case."""
        made = cls()
        entries = made._entries
        for name, value in pairs:
            key = name.lower()
            if key in names:
                continue
            known = entries.get(key)
            if known is None:
                entries[key] = (name, [value])
            else:
                known[1].append(value)
        return made

    def add(self, name: str, value: str) -> None:
        """One more value."""
        key = name.lower()
        entry = self._entries.get(key)
        if entry is None:
            self._entries[key] = (name, [value])
        else:
            entry[1].append(value)

    def set(self, name: str, values: Iterable[str]) -> None:
        """These values and no others."""
        self._entries[name.lower()] = (name, list(values))

    def remove(self, name: str) -> None:
        """No such header; nothing happens if there was none."""
        self._entries.pop(name.lower(), None)

    def values(self, name: str) -> list[str]:
        """The values, empty when there is no such header."""
        entry = self._entries.get(name.lower())
        return [] if entry is None else entry[1]

    def get(self, name: str) -> str | None:
        """The values joined with ``,`` as API Management gives them, or None."""
        entry = self._entries.get(name.lower())
        if entry is None:
            return None
        return entry[1][0] if len(entry[1]) == 1 else ",".join(entry[1])

    def names(self) -> list[str]:
        """The names as they were written first."""
        return [name for name, _ in self._entries.values()]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._entries

    def __iter__(self) -> Iterator[tuple[str, list[str]]]:
        return iter(self._entries.values())

    def lines(self, without: Container[str] = ()) -> list[tuple[str, str]]:
        """Name and value of each line to send: several values joined, except where HTTP forbids.

        ``without`` are names that are left out, in lower case.
        """
        found: list[tuple[str, str]] = []
        for key, (name, values) in self._entries.items():
            if key in without:
                continue
            if len(values) == 1:
                found.append((name, values[0]))
            elif key in _SENT_APART:
                found.extend((name, value) for value in values)
            else:
                found.append((name, ",".join(values)))
        return found

    def copy(self) -> HeaderMap:
        """An independent copy."""
        twin = HeaderMap()
        twin._entries = {key: (name, list(values)) for key, (name, values) in self._entries.items()}
        return twin


SMALL_BYTES = 64 * 1024
"""Bodies of at most this declared size are read whole: cheaper than streaming them."""


class Body:
    """A body: bytes at hand, or a stream that has not been read.

    ``content`` is None while the body is a stream; ``taken`` tells that a stream has been handed on
    and cannot be had again.
    """

    __slots__ = ("content", "stream", "taken")

    def __init__(
        self, content: bytes | None = b"", stream: AsyncIterator[bytes] | None = None
    ) -> None:
        self.content = content if stream is None else None
        self.stream = stream
        self.taken = False

    async def buffer(self) -> bytes:
        """Read the stream into memory, once."""
        if self.content is None:
            assert self.stream is not None
            self.content = b"".join([chunk async for chunk in self.stream])
            self.stream = None
        return self.content

    async def fits(self, most: int) -> bool:
        """Read the body into memory if it has at most so many bytes; else it stays a stream."""
        if self.content is not None:
            return len(self.content) <= most
        assert self.stream is not None
        read: list[bytes] = []
        size = 0
        async for chunk in self.stream:
            read.append(chunk)
            size += len(chunk)
            if size > most:
                self.stream = _chained(read, self.stream)
                return False
        self.content, self.stream = b"".join(read), None
        return True

    def replace(self, content: bytes) -> None:
        """Another content; an unread stream is dropped."""
        self.content = content
        self.stream = None


async def _chained(read: list[bytes], rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """What was read, and then the rest."""
    for chunk in read:
        yield chunk
    async for chunk in rest:
        yield chunk


@dataclass(slots=True)
class Url:
    """Scheme, host, port, path (encoded, starts with ``/``) and query of a message.

    ``query`` is parsed on first use; ``raw_query`` is what is sent as long as nothing changed it.
    """

    scheme: str
    host: str
    port: int
    path: str
    raw_query: str = ""
    _query: dict[str, list[str]] | None = field(default=None, repr=False)

    @property
    def query(self) -> dict[str, list[str]]:
        """Values by parameter name; change it through :meth:`set_query`."""
        if self._query is None:
            found: dict[str, list[str]] = {}
            for name, value in parse_qsl(self.raw_query, keep_blank_values=True):
                found.setdefault(name, []).append(value)
            self._query = found
        return self._query

    def set_query(self, query: dict[str, list[str]]) -> None:
        """Another query; it is encoded anew."""
        self._query = query
        self.raw_query = "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" if value else quote(name, safe="")
            for name, values in query.items()
            for value in values
        )

    @property
    def authority(self) -> str:
        """Host, with the port where it is not the scheme's own."""
        usual = {"http": 80, "https": 443}.get(self.scheme)
        return self.host if self.port in (usual, 0) else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        query = f"?{self.raw_query}" if self.raw_query else ""
        return f"{self.scheme}://{self.authority}{self.path}{query}"


@dataclass(slots=True)
class Request:
    """The request as it goes through the pipeline.

    ``path`` and ``raw_query`` of ``url`` are those below the API, as they go to the back end;
    ``original_url`` is what the caller asked for, ``client_certificate`` what it showed in TLS
    (DER). ``caller_host`` is the Host header as it came: another one was set by a policy.
    """

    method: str
    url: Url
    original_url: Url
    headers: HeaderMap
    body: Body
    client_ip: str
    matched_parameters: dict[str, str]
    client_certificate: bytes | None = None
    caller_host: str | None = None


@dataclass(slots=True)
class Response:
    """A response: of the back end, of a service that was called, or one being made."""

    status: int
    reason: str
    headers: HeaderMap
    body: Body
