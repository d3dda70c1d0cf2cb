"""Starts two clustered ejabberd nodes and one gateway before both, in the foreground.

A node that ends is left alone and the other one serves on; SIGUSR1 starts again every node that is down. The process id of a
node is in `<state>/<node>.pid`.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import string
import sys

from deploy import launch
from deploy.ejabberd import node

NAMES = ("node1", "node2")
EPMD_WITHIN = 10


def erlang_name(name: str) -> str:
    """The name by which the nodes know each other."""
    return f"{name}@127.0.0.1"


class Cluster:
    """The port mapper and the nodes; node 2 joins node 1 once, and Mnesia remembers that on disk."""

    def __init__(self, chosen: launch.Options, key: bytes) -> None:
        *self.ports, self._epmd_port = chosen.inner_ports
        self._chosen = chosen
        self._key = key
        self._joined = chosen.state / "joined"
        self.nodes: dict[str, launch.Child] = {}
        self.epmd = launch.Child(
            "epmd",
            [
                launch.program("epmd", "erlang-base"),
                *("-d", "-address", "127.0.0.1", "-port", str(self._epmd_port)),
            ],
            chosen.state / "epmd.log",
            "epmd running",
        )

    async def start(self) -> None:
        """Bring both nodes up: one after the other to join, together once they belong together."""
        cookie = self._chosen.state / ".erlang.cookie"
        if not cookie.exists():
            letters = (secrets.choice(string.ascii_uppercase) for _ in range(32))
            launch.write_private(cookie, "".join(letters))
        await self.epmd.start(EPMD_WITHIN)
        if self._joined.exists():
            async with asyncio.TaskGroup() as group:
                for name in NAMES:
                    group.create_task(self.start_node(name))
        else:
            await self.start_node(NAMES[0])
            await self.start_node(NAMES[1], join=erlang_name(NAMES[0]))
            self._joined.touch()

    async def start_node(self, name: str, join: str | None = None) -> None:
        """Start one node and return when its port accepts and, if it has to, it has joined."""
        erl: tuple[str, ...] = (
            *("-name", erlang_name(name), "-start_epmd", "false"),
            *("-kernel", "inet_dist_use_interface", "{127,0,0,1}"),
        )
        if join:
            script = (
                f"case ejabberd_cluster:join('{join}') of ok -> io:format(\"Joined~n\");"
                ' Error -> io:format("Not joined: ~p~n", [Error]), halt(1) end.'
            )
            erl += ("-eval", script)
        child = node.node(
            self._chosen,
            self._key,
            name,
            self.ports[NAMES.index(name)],
            # Joining starts ejabberd a second time, so its port opens twice.
            ready=(node.LISTENING, "^Joined", node.LISTENING) if join else (node.LISTENING,),
            erl=erl,
            ERL_EPMD_PORT=str(self._epmd_port),
            ERL_EPMD_ADDRESS="127.0.0.1",
        )
        self.nodes[name] = child
        await child.start(node.READY_WITHIN)
        (self._chosen.state / f"{name}.pid").write_text(f"{child.pid}\n")

    async def revive(self) -> None:
        """Start every node that is down and say so, a line each."""
        for name, child in list(self.nodes.items()):
            if child.pid is None:
                try:
                    await self.start_node(name)
                    print(f"{name} is ready", flush=True)
                except launch.StartError as error:
                    print(error, file=sys.stderr, flush=True)

    async def stop(self) -> None:
        """End the nodes, then the port mapper."""
        await asyncio.gather(*(child.stop() for child in self.nodes.values()))
        await self.epmd.stop()


async def main() -> None:
    """Start nodes and gateways; announce, and hold until a signal."""
    launch.stop_on_signals()
    chosen = launch.options(
        "ejabberd-cluster",
        "Run a cluster of two ejabberd nodes for the Aoba call signals.",
        inner=len(NAMES) + 1,
        cluster=True,
    )
    node.demand_packages()
    launch.demand_free(chosen)
    cluster = Cluster(chosen, launch.secret(chosen))
    gateways = [node.gateway(chosen, "gateway", chosen.port, cluster.ports)]
    for name, port, inner in zip(NAMES, chosen.node_ports, cluster.ports):
        gateways.append(node.gateway(chosen, f"gateway-{name}", port, [inner]))
    wanted = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, wanted.set)
    try:
        await cluster.start()
        for gateway in gateways:
            await gateway.start(node.GATEWAY_WITHIN)
        launch.announce("ejabberd cluster", chosen)
        async with asyncio.TaskGroup() as group:
            group.create_task(launch.hold([cluster.epmd, *gateways]))
            while await wanted.wait():
                wanted.clear()
                await cluster.revive()
    finally:
        await asyncio.gather(*(gateway.stop() for gateway in gateways))
        await cluster.stop()


if __name__ == "__main__":
    launch.run(main())
