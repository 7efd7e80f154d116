"""The compose file and its images as plain text; `make compose-test` runs them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml

from dask_napari.cli import main

ROOT = Path(__file__).parents[1]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text()
LASTING = [name for name in SERVICES if name != "job"]


def filled(text: str) -> str:
    """Put in the values that variables have if nobody sets them."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


@pytest.mark.parametrize("name", LASTING)
def test_services_are_watched_and_come_back(name):
    service = SERVICES[name]
    assert service["init"] is True
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == ("no" if name == "desktop" else "unless-stopped")


@pytest.mark.parametrize("name", SERVICES)
def test_strangers_reach_nothing(name):
    service = SERVICES[name]
    assert "--insecure" not in str(service)
    assert not service.get("privileged")
    assert not service.get("network_mode")
    for port in service.get("ports", []):
        assert filled(port).startswith("127.0.0.1:")


def test_volumes_are_declared_and_keys_are_for_viewers_and_jobs():
    mounts = {
        name: dict(filled(mount).split(":")[:2] for mount in service.get("volumes", []))
        for name, service in SERVICES.items()
    }
    folders = {source for each in mounts.values() for source in each}
    assert folders == {*COMPOSE["volumes"], "/tmp/.X11-unix"}
    assert [name for name, each in mounts.items() if "keys" in each] == ["viewer", "desktop", "job"]
    assert "keys:/keys:ro" in SERVICES["job"]["volumes"]
    assert [name for name, each in mounts.items() if "/tmp/.X11-unix" in each] == ["desktop"]
    for name in ("worker", "viewer", "desktop"):
        assert mounts[name]["shared"] == "/dev/shm"
    assert COMPOSE["volumes"]["shared"]["driver_opts"]["type"] == "tmpfs"


def test_a_job_leaves_the_number_of_workers_alone():
    assert list(SERVICES["job"]["depends_on"]) == ["scheduler"]


def commands() -> list[list[str]]:
    found = [shlex.split(filled(service["command"])) for service in SERVICES.values()]
    found += [
        service["healthcheck"]["test"][1:]
        for service in SERVICES.values()
        if "healthcheck" in service
    ]
    return [command[1:] for command in found if command[0] == "dask-napari"]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_our_commands_are_understood(words):
    context = click.Context(main)
    command = main.get_command(context, words[0])
    assert command is not None
    command.make_context(words[0], words[1:], parent=context)


def test_the_command_of_the_job_is_understood(monkeypatch):
    words = shlex.split(filled(SERVICES["job"]["command"]))
    assert (ROOT / words[1]).is_file()
    compose_job = pytest.importorskip("compose_job")
    monkeypatch.setattr("sys.argv", words[1:])
    assert compose_job.parse_arguments().data == Path("/data")


def test_images_are_pinned_and_run_as_a_user():
    assert re.search(r"^ARG BASE=python:\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.M)
    assert re.findall(r"^FROM (\S+)", DOCKERFILE, re.M)[0] == "$BASE"
    stages = re.split(r"^FROM .* AS (\S+)$", DOCKERFILE, flags=re.M)
    contents = dict(zip(stages[1::2], stages[2::2], strict=True))
    targets = {service["build"]["target"] for service in SERVICES.values() if "build" in service}
    assert targets == {"worker", "viewer"}
    for target in targets:
        assert re.findall(r"^USER (\w+)", contents[target], re.M) == ["dask"]


def test_the_context_holds_what_the_images_are_made_of():
    ignored, *allowed = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in "#"
    ]
    assert ignored == "*"
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.M):
        for path in line.split():
            assert f"!{path.partition('/')[0]}" in allowed
            assert list(ROOT.glob(path))
