"""From a model of OpenAI's protocol as written to its server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmclf.models.http.address import parse_chat_address
from pytest_llmclf.models.openai.openai_backend import OpenAIBackend
from pytest_llmclf.models.openai.openai_thinking import OpenAIThinking
from pytest_llmclf.models.openai.refused_fields import RefusedFields
from pytest_llmclf.models.pool import Pool

if TYPE_CHECKING:
    from pytest_llmclf.models.base import Backend
    from pytest_llmclf.models.reach import Reach


def connect(reach: Reach) -> Backend:
    """The server; what it refuses and how its model thinks is learnt once for all of a run.

    Raises:
        RemoteRefused: It is not on this machine and was not allowed.
        SettingsError: Its address is none.
    """
    spec, settings = reach.spec, reach.settings
    address = parse_chat_address(spec.address)
    server = OpenAIBackend(
        model=spec.name,
        address=address,
        access=settings.access,
        timeout_s=settings.timeout_s,
        notes=reach.template_note,
        refused=reach.once(("refused", str(spec)), RefusedFields),
        thinking=reach.once(
            ("thinking", str(spec)), lambda: OpenAIThinking(spec.name, address.netloc)
        ),
    )
    return Pool([(server.netloc, server)])
