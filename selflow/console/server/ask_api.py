"""``/api/ask`` and ``/v1/search``: questions about the owner's own events."""

from typing import Annotated

from fastapi import Depends, Request

from selflow.console.server.asker import Asker
from selflow.console.server.routes import Routes
from selflow.console.server.wire_ask import AskAnswer, AskRequest, SearchAnswer, SearchRequest
from selflow.web.access import Rate

ASK = Rate("ask", 120)
"""A question costs up to 0.2 s, and they are answered one after the other."""
routes = Routes()


def _asker_of(request: Request) -> Asker:
    asker: Asker = request.app.state.asker
    return asker


TheAsker = Annotated[Asker, Depends(_asker_of)]


@routes.change("POST", "/api/ask", "view", rate=ASK)
async def ask(body: AskRequest, asker: TheAsker) -> AskAnswer:
    """A question in plain English: how it was understood, sentences with the events behind each,
    and the events themselves. No model phrases anything.
    """
    from selflow.search.asking import answer_document

    answer = await asker.answer(body.text, body.limit, body)
    return AskAnswer.model_validate(answer_document(answer))


@routes.change("POST", "/v1/search", "view", area="search", rate=ASK)
async def search(body: SearchRequest, asker: TheAsker) -> SearchAnswer:
    """The events that a question means, best first; without one, the nearest."""
    from selflow.search.asking import result_documents

    answer = await asker.answer(body.query, body.top_k, body)
    return SearchAnswer.model_validate({"results": result_documents(answer)})
