"""Requests made up from the OpenAPI document: none fails with a 5xx, and answers are as documented."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import given as given_values
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error

from immersive.catalog import Catalog
from immersive.server.app import build_app
from immersive.server.owner import reset_owner_token
from immersive.server.services import Services
from immersive.share import Links
from tests.streaming.opaque_asset import opaque_asset

HOST = "http://127.0.0.1:8765"
QUICK = settings(
    max_examples=8,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    home = tmp_path_factory.mktemp("home")
    catalog = Catalog(home)
    scene = catalog.publish(opaque_asset())
    links = Links(catalog)
    link = links.create(scene.id, scope="edit")
    clock = iter(range(10**9))
    # A minute passes between two requests: what is limited here is not how often.
    services = Services.build(catalog, None, now=lambda: 60.0 * next(clock))
    with pytest.MonkeyPatch.context() as patch:
        # Jobs are only asked for here.
        patch.setattr("immersive.server.app.supervised", nullcontext)
        yield {
            "app": build_app(services), "catalog": catalog, "links": links, "scene": scene, "link": link,
            "owner": reset_owner_token(home),
        }  # fmt: skip
    catalog.close()


def _operations(server: dict[str, Any]) -> list[Any]:
    schema = schemathesis.openapi.from_asgi("/api/openapi.json", server["app"])
    return [found.ok() for found in schema.get_all_operations()]


def test_no_made_up_request_fails_with_a_5xx(server: dict[str, Any]) -> None:
    operations = _operations(server)
    assert len(operations) >= 12
    statuses: set[int] = set()
    for operation in operations:

        @QUICK
        @given_values(case=operation.as_strategy(), is_real=st.booleans(), is_owner=st.booleans())
        def ask(case: Any, is_real: bool, is_owner: bool) -> None:
            # Half of the made-up ids are real ones: behind the first check there is more to break.
            _there_again(server)
            known = {"scene_id": server["scene"].id, "link_id": server["link"].id}
            for name in (case.path_parameters or {}) if is_real else ():
                case.path_parameters[name] = known.get(name, case.path_parameters[name])
            headers = {"Authorization": f"Bearer {server['owner']}"} if is_owner else {}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                answer = case.call(headers=headers)
            statuses.add(answer.status_code)
            case.validate_response(answer, checks=[not_a_server_error])
            if answer.status_code >= 400 and answer.status_code != 416:
                assert set(answer.json()["error"]) == {"code", "message", "hint"}

        ask()
    assert {200, 401, 404, 422} <= statuses  # or nothing of note was asked


def _there_again(server: dict[str, Any]) -> None:
    """Put back the scene that a made-up request of the owner's may have deleted."""
    catalog, links = server["catalog"], server["links"]
    if not any(record.id == server["scene"].id for record in catalog.list()):
        server["scene"] = catalog.publish(opaque_asset())
        server["link"] = links.create(server["scene"].id, scope="edit")


_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given_values(
    path=st.sampled_from(["open", "edit", "remix", "link"]), field=_BODIES, data=st.binary(max_size=60)
)
def test_bodies_that_no_schema_describes_are_refused_in_words(
    server: dict[str, Any], path: str, field: Any, data: bytes
) -> None:
    import json

    from starlette.testclient import TestClient

    _there_again(server)
    scene, link = server["scene"].id, server["link"].id
    method, address, name = {
        "open": ("POST", f"/api/links/{link}/open", "secret"),
        "edit": ("PATCH", f"/api/scenes/{scene}", "spawn"),
        "remix": ("POST", f"/api/scenes/{scene}/remix", "title"),
        "link": ("POST", f"/api/scenes/{scene}/links", "expires_in_s"),
    }[path]
    client = TestClient(server["app"], base_url=HOST, raise_server_exceptions=False)
    headers = {"Authorization": f"Bearer {server['owner']}", "Content-Type": "application/json"}
    for content in (data, json.dumps({name: field}).encode()):
        answer = client.request(method, address, content=content, headers=headers)
        assert answer.status_code < 500, answer.text
