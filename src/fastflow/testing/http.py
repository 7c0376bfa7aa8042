"""A client that calls an app in-process."""

import httpx
from fastapi import FastAPI


def client_of(app: FastAPI, *, token: str | None = None, address: str = "127.0.0.1") -> httpx.AsyncClient:
    """An HTTP client whose requests reach `app` directly; its lifespan does not run.

    Args:
        app: what `build_app` or `create_app` gave.
        token: sent as a bearer token; None sends none.
        address: where the requests seem to come from.
    """
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False, client=(address, 50_000))
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(transport=transport, base_url="http://fastflow.test", headers=headers)
