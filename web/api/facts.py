"""`POST /api/v1/sittings/{id}/facts`: what a sitting's page has seen happen on its screen."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Controller, Response, post
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody
from prometheus_client import Counter
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.integrity import MOST_FACTS, read_fact, save_facts
from training.errors import BadInput, Conflict, NotAllowed
from web.api.answers import AnswersRefused, refused_reply
from web.services import Services

_KNOWN_YEARS = range(2000, 2101)
DROPPED = Counter("anpei_facts_dropped_total", "Facts of sittings beyond what is stored of one sitting")


class FactIn(msgspec.Struct):
    """One fact."""

    client_id: Annotated[str, msgspec.Meta(max_length=40, description="The page's own; sending it again counts once.")]
    kind: Annotated[
        str,
        msgspec.Meta(
            max_length=32,
            description="LEFT_FULL_SCREEN, TAB_HIDDEN, PASTE, COPY or NETWORK_GAP.",
            examples=["TAB_HIDDEN"],
        ),
    ]
    began_at: Annotated[str, msgspec.Meta(max_length=40, description="ISO 8601, by the page's reckoning.")] = ""
    seconds: Annotated[float, msgspec.Meta(description="How long it lasted.")] = 0
    detail: Annotated[
        dict[str, Any], msgspec.Meta(max_length=20, description="Numbers only, for example how much was pasted.")
    ] = msgspec.field(default_factory=dict)


class FactsIn(msgspec.Struct):
    """Facts to keep; sending one again is harmless."""

    facts: Annotated[list[FactIn], msgspec.Meta(min_length=1, max_length=MOST_FACTS)]


class FactsSaved(msgspec.Struct):
    """What the page may let go of."""

    saved: list[str]


def _instant(text: str) -> datetime | None:
    """The page's clock if it makes sense."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return instant if instant.year in _KNOWN_YEARS else None


class ApiFactController(Controller):
    """The device token is the proof, as for the answers: no sign-in, and no form of another site can send it."""

    path = "/api/v1"
    tags = ("Sittings",)

    @post(
        "/sittings/{sitting_id:uuid}/facts",
        status_code=200,
        summary="Tell what happened on the screen",
        responses={
            401: ResponseSpec(AnswersRefused, description="Wrong X-Sitting-Token (code TOKEN)"),
            409: ResponseSpec(AnswersRefused, description="Device taken over (DEVICE)"),
            410: ResponseSpec(AnswersRefused, description="Over, and the grace too (ENDED)"),
            422: ResponseSpec(AnswersRefused, description="A fact that makes no sense"),
        },
    )
    async def save(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
        sitting_token: Annotated[str, HeaderParameter(name="X-Sitting-Token")],
        data: JSONBody[FactsIn],
    ) -> Response[FactsSaved] | Response[AnswersRefused]:
        """Keep up to 20 facts for the invigilators and the authority.

        They are shown to people as facts and decide nothing. 500 are stored of one sitting; later
        ones are acknowledged and only counted.
        """
        try:
            facts = [
                read_fact(
                    fact.client_id, fact.kind, began_at=_instant(fact.began_at), seconds=fact.seconds,
                    detail=fact.detail, now=now,
                )
                for fact in data.facts
            ]  # fmt: skip
            received = await save_facts(
                session, sitting_id=sitting_id, token=sitting_token, facts=facts, key=services.keys.session, now=now
            )
        except (BadInput, NotAllowed, Conflict) as error:
            status, refused = refused_reply(error, now=now)
            return Response(refused, status_code=status)
        DROPPED.inc(received.dropped)
        return Response(FactsSaved(saved=list(received.saved)))
