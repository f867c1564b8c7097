"""Where a cluster's archive lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tui.cnpg import cluster, location, store
from tui.cnpg.location import Location, NoLocation, Place
from tui.cnpg.manifest import BARMAN_PLUGIN, Key

R2 = "https://acct.r2.cloudflarestorage.com"


def a_cluster(name: str = "pg", **spec: Any) -> cluster.Cluster:
    return cluster.read({"metadata": {"name": name, "namespace": "prod"}, "spec": spec})


def plugged(name: str = "pg", **parameters: str) -> cluster.Cluster:
    plugin = {"name": BARMAN_PLUGIN, "parameters": {"barmanObjectName": "r2", **parameters}}
    return a_cluster(name, plugins=[plugin])


def a_store(path: str = "s3://acme-pg/prod/", endpoint: str = R2) -> store.ObjectStore:
    config = {"destinationPath": path, "endpointURL": endpoint}
    return store.read(
        {"metadata": {"name": "r2", "namespace": "prod"}, "spec": {"configuration": config}}
    )


def located(found: Location | NoLocation) -> Location:
    assert isinstance(found, Location)
    return found


def test_the_place_is_the_stores_and_the_server_the_clusters() -> None:
    found = located(location.of(plugged(), a_store()))
    assert (found.place, found.server) == (Place(R2, "acme-pg", "prod"), "pg")


def test_the_server_name_parameter_wins() -> None:
    assert located(location.of(plugged(serverName="pg-old"), a_store())).server == "pg-old"


def test_an_in_tree_store_has_its_own_server_name() -> None:
    in_tree = {"destinationPath": "s3://acme", "serverName": "legacy"}
    found = located(location.of(a_cluster(backup={"barmanObjectStore": in_tree}), None))
    assert (found.place, found.server) == (Place("", "acme", ""), "legacy")


def test_the_retention_policy_is_the_stores_or_the_in_tree_one() -> None:
    kept = replace(a_store(), retention_policy="30d")
    in_tree = {"barmanObjectStore": {"destinationPath": "s3://acme"}, "retentionPolicy": "4w"}
    assert located(location.of(plugged(), kept)).retention_policy == "30d"
    assert located(location.of(a_cluster(backup=in_tree), None)).retention_policy == "4w"
    assert located(location.of(plugged(), a_store())).retention_policy == ""


@pytest.mark.parametrize(
    ("of", "kept", "why"),
    [
        (a_cluster(), None, "no plugin and no in-tree store"),
        (a_cluster(plugins=[{"name": BARMAN_PLUGIN}]), None, "no parameter barmanObjectName"),
        (plugged(), None, "ObjectStore prod/r2 is not there or may not be read"),
        (plugged(), a_store("acme-pg/prod"), "is not s3://bucket[/path]"),
        (plugged(), a_store("s3:///prod"), "is not s3://bucket[/path]"),
    ],
)
def test_what_cannot_be_located_says_why(
    of: cluster.Cluster, kept: store.ObjectStore | None, why: str
) -> None:
    found = location.of(of, kept)
    assert isinstance(found, NoLocation)
    assert why in found.why


@pytest.mark.parametrize(
    ("endpoint", "is_r2"),
    [
        (R2, True),
        ("https://acct.eu.r2.cloudflarestorage.com", True),
        ("https://r2.cloudflarestorage.com.example.org", False),
        ("http://127.0.0.1:8333", False),
        ("", False),
    ],
)
def test_r2_is_known_by_its_host(endpoint: str, is_r2: bool) -> None:
    assert Place(endpoint, "acme", "").is_r2 is is_r2


def test_two_clusters_on_one_path_are_found() -> None:
    same = {
        Key("prod", "pg"): located(location.of(plugged(), a_store())),
        Key("staging", "pg"): located(location.of(plugged(), a_store())),
        Key("prod", "pg-auth"): located(location.of(plugged("pg-auth"), a_store())),
    }
    assert location.shared(same) == {
        (Place(R2, "acme-pg", "prod"), "pg"): (Key("prod", "pg"), Key("staging", "pg"))
    }
