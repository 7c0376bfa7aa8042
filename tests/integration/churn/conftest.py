"""The churn workbench behind the real app, on folders of the test's own."""

from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI

from fastflow.bootstrap import Product, build_product
from fastflow.kit.identity import SYSTEM, Grant, Role
from fastflow.settings import Settings
from fastflow.testing.http import client_of
from fastflow.web import create_app

ClientOf = Callable[..., httpx.AsyncClient]


@pytest.fixture
def product(settings: Settings) -> Iterator[Product]:
    built = build_product(settings)
    yield built
    built.close()


@pytest.fixture
def app(product: Product) -> FastAPI:
    return create_app(product)


@pytest.fixture
def client(product: Product, app: FastAPI) -> ClientOf:
    """A client with the role on the pipeline `churn`."""

    def make(role: Role = Role.ADMIN, name: str = "t") -> httpx.AsyncClient:
        grants = (Grant(role=role, pipelines="churn"),)
        token = product.tokens.create(f"{name}{role}", Role.NONE, grants=grants, actor=SYSTEM)[1].reveal()
        return client_of(app, token=token)

    return make
