"""A service on the official Python SDK: it calls the next one, and says on stdout where it listens.

It ends when its standard input does.
"""

import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import baggage, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

next_url = sys.argv[1]
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
tracer = provider.get_tracer("service.py")


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        caller = propagate.extract(dict(self.headers.items()))
        with tracer.start_as_current_span(
            "GET /price", context=caller, kind=trace.SpanKind.SERVER
        ):
            seen = baggage.get_baggage("customer", caller)
            context = baggage.set_baggage("currency", "KRW", caller)
            body = self.ask(trace.set_span_in_context(trace.get_current_span(), context))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(f"{seen}\n{body}".encode())

    def ask(self, context):
        with tracer.start_as_current_span(
            "GET", context=context, kind=trace.SpanKind.CLIENT
        ) as span:
            headers = {}
            propagate.inject(headers, trace.set_span_in_context(span, context))
            request = urllib.request.Request(next_url, headers=headers)
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.read().decode()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
server.shutdown()
provider.shutdown()
