"""The manifests of deploy/ are what Kubernetes' schemas allow, and say of the service what it says of itself."""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from undegrade.inference.memory import parse_size
from undegrade.web.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def documents() -> list[dict[str, Any]]:
    return [one for path in MANIFESTS for one in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("document", documents(), ids=lambda one: one["kind"])
def test_manifests_keep_the_schema(document: dict[str, Any]) -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    validate.validate(document, "1.30", strict=True)


def test_a_wrong_manifest_is_found() -> None:
    validate = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    wrong = next(one for one in documents() if one["kind"] == "Deployment")
    wrong["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(validate.ValidationError):
        validate.validate(wrong, "1.30", strict=True)


def test_the_deployment_fits_the_service() -> None:
    found = {one["kind"]: one for one in documents()}
    pod = found["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["ports"][0]["containerPort"] == Settings.port
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert pod["terminationGracePeriodSeconds"] > Settings.grace_seconds
    memory = parse_size(container["args"][container["args"].index("--memory") + 1])
    assert parse_size(container["resources"]["limits"]["memory"] + "B") > 1.5 * memory + 250e6
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert pod["securityContext"]["runAsUser"] == 10001
    assert "useradd --system --uid 10001" in (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert found["Service"]["spec"]["selector"] == found["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert found["PodDisruptionBudget"]["spec"]["minAvailable"] < found["Deployment"]["spec"]["replicas"]


@pytest.fixture
def replicas(model: Path, tmp_path: Path) -> Iterator[list[subprocess.Popen[str]]]:
    """Two services, and nginx before them, on free ports."""
    program = shutil.which("nginx")
    if program is None:
        pytest.skip("no nginx: apt-get install nginx-light")
    with ExitStack() as stack:
        started, ports = [], []
        for name in ("a", "b"):
            command = [sys.executable, "-m", "undegrade", "serve", "--port", "0", "--model", str(model)]
            command += ["--state", str(tmp_path / name)]
            service = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
            stack.callback(service.wait)
            stack.callback(service.terminate)
            assert service.stdout is not None
            stack.callback(service.stdout.close)
            ports.append(service.stdout.readline().split()[3].rpartition(":")[2])
            started.append(service)
        text = (DEPLOY / "nginx.conf").read_text(encoding="utf-8").replace("/tmp/undegrade-nginx", str(tmp_path / "n"))
        text = text.replace(":8642 max", f":{ports[0]} max").replace(":8643 max", f":{ports[1]} max")
        (tmp_path / "nginx.conf").write_text(text)
        proxy = subprocess.Popen([program, "-c", str(tmp_path / "nginx.conf"), "-g", "daemon off;"])
        stack.callback(proxy.wait)
        stack.callback(proxy.terminate)
        yield started


@pytest.mark.slow
def test_replicas_behind_a_proxy_answer_as_one_even_when_one_is_lost(
    replicas: list[subprocess.Popen[str]], photo_file: Path
) -> None:
    from undegrade.web.client import Client

    client, until = Client("http://127.0.0.1:8640"), time.monotonic() + 20
    while time.monotonic() < until:
        try:
            urllib.request.urlopen("http://127.0.0.1:8640/healthz", timeout=5).close()
            break
        except OSError:
            time.sleep(0.2)
    first = client.restore(str(photo_file)).picture
    for service in replicas:
        os.kill(service.pid, 0)
    replicas[0].terminate()
    replicas[0].wait()
    assert client.restore(str(photo_file)).picture == first
