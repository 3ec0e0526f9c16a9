"""Traces: what is sent, that a phase is one trace through restarts, and that a receiver that fails costs nothing."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from app.observability import tracing
from tests.doubles.otlp import Receiver, receiving

HEADERS = "x-Api-Key=secret%20of%20mine,x-tenant=dub"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(x_api_key="secret of mine", x_tenant="dub") as receiver:
        yield receiver
    tracing.stop()


def begin(receiver: Receiver) -> None:
    tracing.start(receiver.url + "/", HEADERS, version="1.2.3")


def test_without_an_address_nothing_is_imported_and_nothing_happens() -> None:
    code = (
        "import sys\n"
        "from app.observability import tracing\n"
        "tracing.start('', '', version='1')\n"
        "with tracing.span('s') as span, tracing.stage('w', 'j', 'mix') as stage:\n"
        "    span.name('x'); span.set(a=1); span.fail('c'); stage.fail('c'); tracing.queued('w'); tracing.begun('w')\n"
        "tracing.ended('w', 'j', 'render'); tracing.stop()\n"
        "print([name for name in sys.modules if name.startswith(('opentracing', 'google', 'requests'))])\n"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_spans_reach_the_receiver_with_headers_and_the_servers_name(receiver: Receiver) -> None:
    begin(receiver)
    with tracing.span("POST", "server", http__request__method="POST") as span:
        span.name("POST /api/jobs")
        span.set(http__response__status_code=201)
        with tracing.span("inner", "client"):
            pass
    tracing.stop()
    assert receiver.faults == []
    (outer,), (inner,) = receiver.named("POST /api/jobs"), receiver.named("inner")
    assert (inner.trace, inner.parent, inner.kind, outer.kind) == (outer.trace, outer.id, 3, 2)
    assert outer.attributes == {"http.request.method": "POST", "http.response.status_code": 201}
    about = receiver.resources[0]
    assert (about["service.name"], about["service.version"]) == ("autodubber", "1.2.3") and about["service.instance.id"]


def test_a_phase_is_one_trace_although_the_server_was_started_anew(receiver: Receiver) -> None:
    begin(receiver)
    with tracing.span("request", "server"):
        tracing.queued("job-prepare-1")
    with tracing.stage("job-prepare-1", "job", "probe"):
        pass
    tracing.stop()  # here the server is killed and started
    begin(receiver)
    with tracing.stage("job-prepare-1", "job", "transcribe") as stage, tracing.span("speak"):
        stage.fail("no_speech")
    tracing.ended("job-prepare-1", "job", "prepare", code="no_speech", followed_by="job-render-1")
    tracing.ended("job-render-1", "job", "render")
    tracing.stop()
    (request,), (probe,), (transcribe,) = (
        receiver.named("request"),
        receiver.named("stage probe"),
        receiver.named("stage transcribe"),
    )
    (phase,), (after,), (speak,) = (
        receiver.named("phase prepare"),
        receiver.named("phase render"),
        receiver.named("speak"),
    )
    assert request.links == ((phase.trace, phase.id),) and request.trace != phase.trace
    assert {probe.trace, transcribe.trace, speak.trace} == {phase.trace}
    assert {probe.parent, transcribe.parent} == {phase.id} and speak.parent == transcribe.id and phase.parent == ""
    assert phase.links == ((after.trace, after.id),)
    assert phase.failed and transcribe.failed and not probe.failed and phase.attributes["error.type"] == "no_speech"
    assert phase.began_ns <= transcribe.began_ns < phase.ended_ns
    assert probe.attributes == {"autodubber.job_id": "job", "autodubber.stage": "probe"}


def test_an_exception_leaves_neither_its_text_nor_its_stack(receiver: Receiver) -> None:
    begin(receiver)
    with pytest.raises(ValueError, match="private"), tracing.span("s"):
        raise ValueError("private words")
    tracing.stop()
    assert receiver.named("s") and b"private" not in receiver.raw


@pytest.mark.parametrize("mode", ["refuses", "silent"])
def test_a_receiver_that_fails_costs_one_warning_and_a_bounded_stop(
    receiver: Receiver, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.mode = mode
    with caplog.at_level(logging.INFO):
        begin(receiver)
        began = time.perf_counter()
        for _ in range(5000):
            with tracing.span("s", number=1):
                pass
        recorded_s = time.perf_counter() - began
        receiver.wait_asked(1)
        began = time.perf_counter()
        tracing.stop(within_s=1.0)
        stopped_s = time.perf_counter() - began
    assert recorded_s < 5 and stopped_s < 1.5
    assert len([r for r in caplog.records if r.levelno >= logging.WARNING]) <= 1
    assert "secret of mine" not in caplog.text


def test_a_receiver_that_fails_again_and_again_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    from opentelemetry.sdk.trace.export import SpanExportResult

    class Exporter:
        result = SpanExportResult.FAILURE

        def export(self, spans: list[int]) -> SpanExportResult:
            return self.result

    exporter = Exporter()
    patient = tracing._patient(exporter, "collector:4318")
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            patient.export([1, 2])
        exporter.result = SpanExportResult.SUCCESS
        patient.export([1])
        patient.export([1])
    assert [r.getMessage() for r in caplog.records] == ["traces are not taken", "traces are taken again"]
    assert caplog.records[1].lost == 10  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "setting", ["collector:4318", "ftp://x", "http://", "http://u:p@x:4318", "http://x/?key=1", "x"]
)
def test_what_is_no_address_is_refused_without_showing_it(setting: str) -> None:
    with pytest.raises(ValueError, match=r"expected an address|user or a password") as caught:
        tracing.check_endpoint(setting)
    assert "u:p" not in str(caught.value)


def test_headers_are_read_as_opentelemetry_has_them() -> None:
    assert tracing.parse_headers("Authorization=Basic%20dTpw%3D%3D, x-tenant = a=b ,") == {
        "authorization": "Basic dTpw==",
        "x-tenant": "a=b",
    }


@pytest.mark.parametrize("setting", ["novalue", "=x", "a b=c", "x=%0d%0ainjected: 1", "é=1", "ok=1,bad"])
def test_headers_that_are_none_are_refused_without_showing_them(setting: str) -> None:
    with pytest.raises(ValueError, match=r"^entry \d is not NAME=VALUE$"):
        tracing.parse_headers(setting)
