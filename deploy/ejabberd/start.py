"""Starts one ejabberd node and the gateway before it, in the foreground."""

from __future__ import annotations

from deploy import launch
from deploy.ejabberd import node


async def main() -> None:
    """Start the node, then the gateway; announce, and hold until a signal."""
    launch.stop_on_signals()
    chosen = launch.options("ejabberd", "Run ejabberd for the Aoba call signals.", inner=1)
    node.demand_packages()
    launch.demand_free(chosen)
    key = launch.secret(chosen)
    (inner,) = chosen.inner_ports
    server = node.node(chosen, key, "node1", inner)
    gateway = node.gateway(chosen, "gateway", chosen.port, [inner])
    try:
        await server.start(node.READY_WITHIN)
        await gateway.start(node.GATEWAY_WITHIN)
        launch.announce("ejabberd", chosen)
        await launch.hold([server, gateway])
    finally:
        await gateway.stop()
        await server.stop()


if __name__ == "__main__":
    launch.run(main())
