"""The subset of kustomize."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meshflow.errors import InvalidInput
from meshflow.objects.kinds import Kinds
from meshflow.sources import generators, kustomize
from tests.sources.conftest import Write

Build = Callable[[], dict[str, dict[str, Any]]]

BASE = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      serviceAccountName: web
      containers:
        - name: app
          image: ghcr.io/shop/web:1.0
          envFrom: [{configMapRef: {name: settings}}]
        - {name: helper, image: 'localhost:5000/helper'}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: web}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, maxReplicas: 2}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
"""


@pytest.fixture
def build(tmp_path: Path, write: Write) -> Build:
    """Build the folder `app` and give its objects by `Kind/name`."""
    write("base/all.yaml", BASE)
    write("base/kustomization.yaml", "resources: [all.yaml]\n")

    def _build() -> dict[str, dict[str, Any]]:
        items = kustomize.build(tmp_path / "app", root=tmp_path, kinds=Kinds.builtin())
        return {f"{item.obj['kind']}/{item.obj['metadata']['name']}": item.obj for item in items}

    return _build


def containers(deployment: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = deployment["spec"]["template"]["spec"]["containers"]
    return found


def test_a_namespace_is_set_where_the_kind_has_one(build: Build, write: Write) -> None:
    write("app/kustomization.yaml", "resources: [../base]\nnamespace: test\n")
    objects = build()
    assert objects["Deployment/web"]["metadata"]["namespace"] == "test"
    assert "namespace" not in objects["Namespace/shop"]["metadata"]


def test_names_change_with_every_reference_to_them(build: Build, write: Write) -> None:
    write("app/kustomization.yaml", "resources: [../base]\nnamePrefix: a-\nnameSuffix: -z\n")
    objects = build()
    assert "Namespace/shop" in objects
    deployment = objects["Deployment/a-web-z"]
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "a-web-z"
    assert objects["HorizontalPodAutoscaler/a-web-z"]["spec"]["scaleTargetRef"]["name"] == "a-web-z"


def test_labels_reach_selectors_only_when_asked_to(build: Build, write: Write) -> None:
    write(
        "app/kustomization.yaml",
        """
        resources: [../base]
        labels:
          - pairs: {team: sky}
          - pairs: {tier: front}
            includeTemplates: true
        commonLabels: {part: shop}
        commonAnnotations: {note: hello}
        """,
    )
    deployment = build()["Deployment/web"]
    assert deployment["metadata"]["labels"] == {"team": "sky", "tier": "front", "part": "shop"}
    assert deployment["spec"]["selector"]["matchLabels"] == {"app": "web", "part": "shop"}
    template = deployment["spec"]["template"]["metadata"]
    assert template["labels"] == {"app": "web", "tier": "front", "part": "shop"}
    assert template["annotations"] == {"note": "hello"}
    assert build()["Service/web"]["spec"]["selector"] == {"app": "web", "part": "shop"}


def test_images_and_replicas_are_set(build: Build, write: Write) -> None:
    write(
        "app/kustomization.yaml",
        f"""
        resources: [../base]
        images:
          - {{name: ghcr.io/shop/web, newName: mirror/web, newTag: 2}}
          - {{name: 'localhost:5000/helper', digest: 'sha256:{"a" * 64}'}}
        replicas: [{{name: web, count: 3}}]
        """,
    )
    deployment = build()["Deployment/web"]
    assert deployment["spec"]["replicas"] == 3
    assert [c["image"] for c in containers(deployment)] == ["mirror/web:2", f"localhost:5000/helper@sha256:{'a' * 64}"]


def test_a_strategic_patch_merges_lists_by_their_key(build: Build, write: Write) -> None:
    write(
        "app/patch.yaml",
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: web, labels: {patched: 'yes'}}
        spec:
          replicas: null
          template:
            spec:
              containers:
                - {name: app, image: web:2}
                - {name: helper, $patch: delete}
                - {name: proxy, image: proxy:1}
        """,
    )
    write("app/kustomization.yaml", "resources: [../base]\npatches: [{path: patch.yaml}]\n")
    deployment = build()["Deployment/web"]
    assert [(c["name"], c["image"]) for c in containers(deployment)] == [("app", "web:2"), ("proxy", "proxy:1")]
    assert containers(deployment)[0]["envFrom"] == [{"configMapRef": {"name": "settings"}}]
    assert "replicas" not in deployment["spec"]
    assert deployment["metadata"] == {"name": "web", "labels": {"patched": "yes"}}


def test_a_patch_may_delete_an_object(build: Build, write: Write) -> None:
    write(
        "app/kustomization.yaml",
        """
        resources: [../base]
        patches:
          - patch: |
              apiVersion: v1
              kind: Namespace
              metadata: {name: shop}
              $patch: delete
        """,
    )
    assert "Namespace/shop" not in build()


def test_a_json_patch_changes_what_its_target_selects(build: Build, write: Write) -> None:
    write(
        "app/kustomization.yaml",
        """
        resources: [../base]
        patches:
          - target: {kind: Deployment, name: we.*}
            patch: |
              - {op: replace, path: /spec/replicas, value: 5}
              - {op: add, path: /spec/template/spec/containers/-, value: {name: last, image: 'x:1'}}
              - {op: remove, path: /spec/template/spec/containers/0}
              - {op: add, path: /metadata/labels, value: {a~1b: 'c'}}
              - {op: copy, from: /spec/replicas, path: /spec/minReadySeconds}
        """,
    )
    deployment = build()["Deployment/web"]
    assert (deployment["spec"]["replicas"], deployment["spec"]["minReadySeconds"]) == (5, 5)
    assert [c["name"] for c in containers(deployment)] == ["helper", "last"]
    assert deployment["metadata"]["labels"] == {"a~1b": "c"}


def test_generated_maps_carry_a_hash_of_their_contents_and_are_referred_to_by_it(build: Build, write: Write) -> None:
    write("app/app.properties", "colour=blue\n")
    write("app/env.txt", "# comment\nA=1\nB=two words\n")
    text = """
        resources: [../base]
        configMapGenerator:
          - name: settings
            files: [app.properties, other.txt=app.properties]
            literals: ['quoted="x"']
            envs: [env.txt]
        secretGenerator:
          - name: key
            literals: [key=value]
            options: {disableNameSuffixHash: true, labels: {a: b}}
        """
    write("app/kustomization.yaml", text)
    objects = build()
    [name] = [name for name in objects if name.startswith("ConfigMap/settings-")]
    assert objects[name]["data"] == {
        "app.properties": "colour=blue\n",
        "other.txt": "colour=blue\n",
        "quoted": "x",
        "A": "1",
        "B": "two words",
    }
    used = containers(objects["Deployment/web"])[0]["envFrom"][0]["configMapRef"]["name"]
    assert f"ConfigMap/{used}" == name
    secret = objects["Secret/key"]
    assert (secret["data"], secret["type"], secret["metadata"]["labels"]) == ({"key": "dmFsdWU="}, "Opaque", {"a": "b"})
    write("app/app.properties", "colour=red\n")
    assert name not in build()


@pytest.mark.parametrize(("data", "name"), [({}, "6ct58987ht"), ({"one": ""}, "9g67k2htb6")])
def test_the_hash_is_the_one_of_the_kustomize_tool(data: dict[str, str], name: str) -> None:
    """Overlays that were built with the tool keep their names."""
    assert generators.suffix({"kind": "ConfigMap", "metadata": {"name": ""}, "data": data}) == name


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("resources: [../base]\nhelmCharts: []\n", "app/kustomization.yaml:2: helmCharts: not supported."),
        ("resorces: [../base]\n", "app/kustomization.yaml:1: resorces: not supported; did you mean 'resources'?"),
        (
            "resources: [absent.yaml]\n",
            "kustomization.yaml:1: resources[0]: no such file or folder (got 'absent.yaml')",
        ),
        ("resources: ['https://example.com/x']\n", "resources[0]: remote resources are not supported"),
        ("resources: [../app]\n", "resources[0]: this folder includes itself"),
        ("resources: [../base]\nimages: [{name: x, newTagg: 1}]\n", "images[0].newTagg: not supported; did you mean"),
        ("resources: [../base]\nreplicas: [{name: absent, count: 1}]\n", "replicas[0]: no workload has this name"),
        ("namePrefix: [a]\n", "namePrefix: must be string, not array"),
        (
            "resources: [../base]\npatches: [{target: {kind: Pod}, patch: '[{op: test, path: /a, value: 1}]'}]\n",
            "patches[0]: no object fits this patch. Correct its target",
        ),
        (
            "resources: [../base]\npatches:\n- target: {kind: Service}\n  patch: '[{op: remove, path: /spec/no}]'\n",
            "[0].path: remove /spec/no does not fit the object",
        ),
        (
            "resources: [../base]\npatches: [{target: {annotationSelector: x}}]\n",
            "target.annotationSelector: not supported",
        ),
        (
            "configMapGenerator: [{name: x, files: [absent]}]\n",
            "configMapGenerator[0].files[0]: the file cannot be read",
        ),
        ("configMapGenerator: [{name: x, behavior: merge}]\n", "configMapGenerator[0].behavior: not supported"),
        ("components: [../base]\n", "components: not supported. Supported are resources, namespace, namePrefix"),
        ("configMapGenerator: [{files: [x]}]\n", "configMapGenerator[0]: the field 'name' is missing"),
        ("configMapGenerator: [{name: ''}]\n", "the field 'metadata.name' is missing"),
        ("configMapGenerator: [{name: x, literals: [{a: b}]}]\n", "literals[0]: must be string, not object"),
        ("configMapGenerator: [{name: x, options: {labels: [a]}}]\n", "options.labels: must be object, not array"),
        ("commonLabels: {a: 1}\n", "commonLabels.a: must be string, not integer (got 1)"),
        ("resources: [../base]\nreplicas: [{name: web, count: two}]\n", "count: must be integer, not string"),
        ("resources: [../base]\npatches: [{patch: ''}]\n", "patches[0]: the patch is empty"),
        ("patches: [{path: [x]}]\n", "patches[0].path: must be string, not array"),
        ("patches: [{patch: x, target: {name: '('}}]\n", "patches[0].target.name: not a regular expression"),
        ("patches: [{patch: x, target: {labelSelector: 'a in (b)'}}]\n", "only KEY=VALUE pairs with commas"),
        ("patches: [{patch: x, target: {labelSelector: a}}]\n", "only KEY=VALUE pairs with commas"),
        ("namePrefix: Web_\nresources: [../base]\n", "metadata.name: not a legal name (got 'Web_web')"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(build: Build, write: Write, text: str, sentence: str) -> None:
    write("app/kustomization.yaml", text)
    with pytest.raises(InvalidInput) as caught:
        build()
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "resources: [../secret.yaml]\n",
        "resources: [link.yaml]\n",
        "patches: [{path: ../secret.yaml}]\n",
        "configMapGenerator: [{name: x, files: [../secret.yaml]}]\n",
        "configMapGenerator: [{name: x, files: [key=link.yaml]}]\n",
        "secretGenerator: [{name: x, envs: [../secret.yaml]}]\n",
    ],
)
def test_no_file_of_the_worker_gets_into_a_manifest(build: Build, write: Write, tmp_path: Path, text: str) -> None:
    """Who may write a kustomization shall not read Airflow's own files with it, nor through a link."""
    write("secret.yaml", "password: s3cret\n")
    write("app/kustomization.yaml", text)
    (tmp_path / "app/link.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(InvalidInput, match=r"lies outside of this folder \(got .*Move it here, or make its folder"):
        build()


@pytest.mark.parametrize(
    "broken",
    [
        "metadata: {name: x, labels: a, annotations: 1}\nspec: []\n",
        "metadata: {name: x}\nspec: {selector: 1, template: 1}\n",
        "metadata: {name: x}\nspec: {selector: {matchLabels: []}, template: {metadata: 1, spec: {containers: 1}}}\n",
        "metadata: {name: x}\nspec: {template: {spec: {containers: [1]}}}\n",
    ],
)
def test_what_is_broken_in_an_object_is_left_for_the_check_of_the_object(
    build: Build, write: Write, broken: str
) -> None:
    every = "commonLabels: {a: b}\ncommonAnnotations: {c: d}\nimages: [{name: z, newTag: 1}]\nnamespace: shop\n"
    write("base/all.yaml", BASE + f"---\napiVersion: apps/v1\nkind: Deployment\n{broken}")
    write("app/kustomization.yaml", every + "resources: [../base]\nreplicas: [{name: x, count: 2}]\n")
    assert build()["Deployment/x"]


def test_an_unknown_directive_in_a_patch_is_refused(build: Build, write: Write) -> None:
    write("app/kustomization.yaml", "resources: [../base]\npatches: [{path: patch.yaml}]\n")
    write(
        "app/patch.yaml",
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {$retainKeys: [replicas]}\n",
    )
    with pytest.raises(InvalidInput, match=r"app/patch\.yaml:4: spec: the directive \$retainKeys"):
        build()
