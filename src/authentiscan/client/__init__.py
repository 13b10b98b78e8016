"""Talk to ``authentiscan serve`` from Python; needs the ``client`` extra.

from authentiscan.client import Client

with Client("http://127.0.0.1:8000") as client:
    print(client.scan("photo.jpg").verdict)

Errors are those of `authentiscan.core.errors`, as they would be raised here: an image that cannot
be read is a DecodeError leaf, a key that is refused an AccessError, a server that cannot be reached
a ServiceError.
"""

try:
    from authentiscan.client.asynchronous import AsyncClient
    from authentiscan.client.synchronous import Client
except ModuleNotFoundError as error:
    if error.name != "httpx":
        raise
    raise ModuleNotFoundError(
        "the client needs the 'client' extra: pip install 'authentiscan[client]'", name="httpx"
    ) from error

__all__ = ["AsyncClient", "Client"]
