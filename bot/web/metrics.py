"""What ``/metrics`` counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "codegenapp_deliveries",
            "Webhook deliveries by what became of them at the door.",
            ["outcome"],
            registry=self.registry,
        )
        self.webhook_seconds = Histogram(
            "codegenapp_webhook_seconds",
            "From a delivery's headers to its answer.",
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.inbox = Gauge(
            "codegenapp_inbox_items",
            "Items of the inbox by state, as the database has them.",
            ["state"],
            registry=self.registry,
        )
