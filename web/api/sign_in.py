"""Signing in of programs: a token for the Authorization header."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Controller, Request, Response, post
from litestar.di import NamedDependency
from litestar.params import JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from training import accounts
from training.errors import BadInput
from web.errors import status_of
from web.i18n.catalogue import sentence
from web.limits import take
from web.public.sign_in import client_address
from web.services import Services

# A whole exam site, or a load driver, is one address; each account locks itself after a few failures.
_PER_ADDRESS = 6000


class Credentials(msgspec.Struct):
    """What a person signs in with."""

    login: Annotated[str, msgspec.Meta(description="Phone or document number.", examples=["10000000001"])]
    password: str


class Token(msgspec.Struct):
    """Send it as `Authorization: Bearer …`."""

    token: str


class ApiError(msgspec.Struct):
    """What every refusal looks like: a code for programs, a sentence for people."""

    error: str
    message: str
    field: str = ""


class ApiSignInController(Controller):
    """`/api/v1/sign-in`."""

    path = "/api/v1"
    tags = ("Sign in",)

    @post("/sign-in", status_code=200, summary="Sign in")
    async def sign_in(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: JSONBody[Credentials],
    ) -> Response[Token] | Response[ApiError]:
        """Give a token for a login and a password; 422 with a sentence if they are wrong or the account is locked."""
        address = client_address(request, services)
        await take(
            services.sessions, key=f"api-sign-in:{address}", limit=_PER_ADDRESS, per=timedelta(minutes=5), now=now
        )
        outcome = await accounts.try_sign_in(
            session, vault=services.vault, login=data.login, password=data.password,
            client=request.headers.get("user-agent", ""), address=address, now=now,
        )  # fmt: skip
        if isinstance(outcome, BadInput):
            refused = ApiError(type(outcome).__name__, sentence(outcome), outcome.field)
            return Response(refused, status_code=status_of(outcome))
        return Response(Token(outcome))
