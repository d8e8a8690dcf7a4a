# SPDX-License-Identifier: GPL-2.0-or-later
"""NUMA nodes: -numa and set-numa-node, and the errors of both."""

import json
import struct

from walk import Folder, Machine, covers, refused, run

M0 = ("-object", "memory-backend-ram,id=m0,size=64M")
M1 = ("-object", "memory-backend-ram,id=m1,size=64M")
FOUR = ("-smp", "4", "-m", "128", *M0, *M1)


def numa(*nodes: str) -> list[str]:
    """Return -numa options."""
    return [word for node in nodes for word in ("-numa", node)]


def nodes_of(m: Machine) -> list[int]:
    """Return the node of each CPU."""
    return [cpu["props"]["node-id"] for cpu in m.qmp("query-cpus-fast")]


def described(*args: str) -> list[dict]:
    """Return the nodes of the description."""
    status, out, err = run("-M", "virt", *args, "-show", "machine")
    assert status == 0, err
    return json.loads(out)["guest"].get("nodes", [])


def refusal(m: Machine, command: str, **arguments) -> str:
    """Return the error message of a command."""
    return m.raw(command, **arguments)["error"]["desc"]


@covers("-numa type=node", "-numa nodeid=", "-numa cpus=", "-numa memdev=")
def check_nodes():
    a, b = "node,nodeid=0,cpus=0-1,memdev=m0", "node,nodeid=1,cpus=2-3,memdev=m1"
    with Machine(*FOUR, *numa(a, b)) as m:
        assert nodes_of(m) == [0, 0, 1, 1]
        text = m.hmp("info numa")
        assert text.replace("\r", "") == (
            "2 nodes\nnode 0 cpus: 0 1\nnode 0 size: 64 MB\nnode 0 plugged: 0 MB\n"
            "node 1 cpus: 2 3\nnode 1 size: 64 MB\nnode 1 plugged: 0 MB\n"), text
        assert m.qmp("x-query-numa")["human-readable-text"] == text.replace("\r", "")
        assert sorted(d["id"] for d in m.qmp("query-memdev")) == ["m0", "m1"]
        assert m.qmp("query-memory-size-summary")["base-memory"] == 128 << 20
    # The order of options, a list of CPUs, no CPUs, and JSON.
    for nodes, expect in (((b, a), [0, 0, 1, 1]),
                          (("node,cpus=0,memdev=m0", "node,cpus=1,cpus=2-3,memdev=m1"), [0, 1, 1, 1]),
                          (("node,memdev=m0", "node,memdev=m1"), [0, 0, 1, 1]),
                          (('{"type":"node","memdev":"m0","cpus":[0,1,2]}',
                            '{"type":"node","memdev":"m1","nodeid":1,"cpus":[3]}'), [0, 0, 0, 1])):
        with Machine(*FOUR, *numa(*nodes)) as m:
            assert nodes_of(m) == expect, nodes
    with Machine("-smp", "2") as m:
        assert "node-id" not in m.qmp("query-cpus-fast")[0]["props"]
        assert m.qmp("x-query-numa")["human-readable-text"] == "0 nodes\n"


@covers("-numa mem=")
def check_sizes():
    nodes = described("-smp", "2", "-m", "96", *numa("node,mem=32", "node,mem=64M"))
    assert [node["ram"] >> 20 for node in nodes] == [32, 64], nodes
    for args, why in ((numa("node,mem=64M,memdev=m0", "node,memdev=m1"), "exclude each other"),
                      (numa("node,memdev=m0", "node,mem=64M"), "exclude each other"),
                      (numa("node,mem=64M", "node,mem=32M"), "have 100663296 bytes of RAM, the machine"),
                      (numa("node,mem=63M", "node,mem=65537k"), "multiples of 4096"),
                      (numa("node,mem=1023,memdev=m0"), "exclude each other"),
                      (numa("node,mem=0", "node,mem=128M"), "mem")):
        refused(why, "-M", "virt", *FOUR, *args)
    for size in ("banana", "-5", "", "99999999999999999999"):
        refused(f"memdev=m: property 'size' does not accept '{size}'", "-M", "virt", "-object",
                f"memory-backend-ram,id=m,size={size}", "-numa", "node,memdev=m")
    refused("memdev=m: the object has no size=", "-M", "virt", "-object", "memory-backend-ram,id=m", "-numa",
            "node,memdev=m")


@covers("-numa type=dist", "-numa src=", "-numa dst=", "-numa val=")
def check_distances():
    base = (*FOUR, *numa("node,memdev=m0", "node,memdev=m1"))
    for distances, expect in ((("dist,src=0,dst=1,val=20",), [[10, 20], [20, 10]]),
                              (("dist,src=1,dst=0,val=255",), [[10, 255], [255, 10]]),
                              (("dist,src=0,dst=1,val=20", "dist,src=0,dst=1,val=30"),
                               [[10, 30], [30, 10]]),
                              (("dist,src=0,dst=1,val=20", "dist,src=1,dst=0,val=21"),
                               [[10, 20], [21, 10]])):
        assert [n["distances"] for n in described(*base, *numa(*distances))] == expect
    assert "distances" not in described(*base)[0]
    for distance, why in (("src=0,dst=1,val=9", "val=9: use a distance from 10 to 255"),
                          ("src=0,dst=1,val=256", "val=256: use a distance from 10 to 255"),
                          ("src=0,dst=1", "val=: use a distance"),
                          ("dst=1,val=20", "property 'src' is required"),
                          ("src=0,dst=0,val=20", "the distance of node 0 to itself is 10"),
                          ("src=0,dst=2,val=20", "dst=2: there is no such node, the last one is 1")):
        refused(why, "-M", "virt", *base, *numa(f"dist,{distance}"))
    third = (*base, "-m", "192", "-object", "memory-backend-ram,id=m2,size=64M", *numa("node,memdev=m2"))
    refused("the distance between node 0 and node 2 is missing", "-M", "virt", *third,
            *numa("dist,src=0,dst=1,val=20"))
    refused("state both directions", "-M", "virt", *third,
            *numa("dist,src=0,dst=1,val=20", "dist,src=0,dst=2,val=20", "dist,src=1,dst=2,val=20",
                  "dist,src=2,dst=1,val=30"))


@covers("-numa type=cpu", "-numa core-id=")
def check_cpus():
    base = (*FOUR, *numa("node,memdev=m0", "node,memdev=m1"))
    with Machine(*base, *numa("cpu,node-id=0,core-id=0", "cpu,node-id=1,core-id=1",
                              "cpu,node-id=1,core-id=2", "cpu,node-id=1,core-id=3")) as m:
        assert nodes_of(m) == [0, 1, 1, 1]
    with Machine("-smp", "2", "-m", "64", *M0, *numa("node,memdev=m0", "cpu,node-id=0")) as m:
        assert nodes_of(m) == [0, 0]
    for cpu, why in (("core-id=0", "property 'node-id' is required"),
                     ("node-id=2,core-id=0", "node-id=2: there is no such node"),
                     ("node-id=0,core-id=9", "CPU 9 does not exist: the machine has the CPUs 0 to 3"),
                     ("node-id=0,core-id=x", "core-id=x: use a number from 0 to 3")):
        refused(why, "-M", "virt", *base, *numa(f"cpu,{cpu}"))
    refused("-numa cpu: CPU 0 is already assigned to node 0", "-M", "virt", *base,
            *numa("cpu,node-id=0,core-id=0", "cpu,node-id=1,core-id=0"))


@covers("-numa initiator=", "-numa socket-id=", "-numa die-id=", "-numa cluster-id=", "-numa thread-id=")
def check_unavailable():
    refused("initiator= requires the ACPI table HMAT", "-M", "virt", *FOUR,
            *numa("node,memdev=m0,initiator=0"))
    for key in ("socket-id", "die-id", "cluster-id", "thread-id"):
        refused(f"{key}= does not identify a CPU of this machine: use core-id=0 to 3", "-M", "virt",
                *FOUR, *numa("node,memdev=m0", f"cpu,node-id=0,{key}=0"))


NODE_ERRORS = (
    (("node,cpus=0-1,memdev=m0", "node,cpus=2-4,memdev=m1"), "CPU 4 does not exist"),
    (("node,cpus=0-2,memdev=m0", "node,cpus=2-3,memdev=m1"), "CPU 2 is already assigned to node 0"),
    (("node,cpus=0-1,memdev=m0", "node,cpus=2,memdev=m1"), "CPU 3 belongs to no node"),
    (("node,cpus=2-3,memdev=m0", "node,cpus=0-1,memdev=m1"), "the CPUs of a node are consecutive"),
    (("node,cpus=0,cpus=2,memdev=m0", "node,cpus=1,cpus=3,memdev=m1"), "are consecutive"),
    (("node,cpus=0-3,memdev=m0", "node,memdev=m1"), "node 1 has 0 CPUs"),
    (("node,cpus=3-2,memdev=m0",), "cpus=3-2: use a number or a range"),
    (("node,cpus=x,memdev=m0",), "cpus=x: use a number or a range"),
    (("node,cpus=0-1,memdev=m0", "node,cpus=2-3"), "nodeid=1 has no memory: add memdev="),
    (("node,memdev=m0", "node,memdev=m0"), "memdev=m0: node 0 uses this memory back end"),
    (("node,memdev=m0", "node,memdev=mx"), "memdev=mx: there is no such object"),
    (("node,memdev=m0",), "have 67108864 bytes of RAM, the machine 134217728 (-m)"),
    (("node,nodeid=0,memdev=m0", "node,nodeid=0,memdev=m1"), "nodeid=0: there is a node"),
    (("node,nodeid=0,memdev=m0", "node,nodeid=2,memdev=m1"), "there is no node 1; nodes are numbered"),
    (("node,nodeid=4,memdev=m0",), "nodeid=4: machine virt-0.3 accepts the nodes 0 to 3"),
    (("node,nodeid=x,memdev=m0",), "nodeid=x: machine virt-0.3 accepts the nodes 0 to 3"),
    (("node",) * 5, "nodeid=4: machine virt-0.3 accepts the nodes 0 to 3"),
    (("memdev=m0",), "type '' is unknown: use node, dist or cpu"),
    (("node,src=0,memdev=m0",), "key 'src' is unknown; the keys of node are nodeid, cpus"),
)


@covers("-numa")
def check_errors():
    pxb = ("-device", "pxb-pcie,bus_nr=9,id=x,numa_node=1")
    refused("device 'x' (pxb-pcie): numa_node=1: the machine has no NUMA nodes", "-M", "virt", *pxb)
    refused("numa_node=1: there is no such NUMA node; the nodes are 0 to 0", "-M", "virt", "-m", "64", *M0,
            *pxb, *numa("node,memdev=m0"))
    for nodes, why in NODE_ERRORS:
        refused(why, "-M", "virt", *FOUR, *numa(*nodes))
    refused("hmat-lb", "-M", "virt", *FOUR, *numa("hmat-lb,initiator=0"))
    refused("key 'foo' is unknown", "-M", "virt", *FOUR, *numa("node,foo=1"))
    refused("2 nodes require at least 2 CPUs", "-M", "virt", "-m", "128", *M0, *M1,
            *numa("node,memdev=m0", "node,memdev=m1"))
    refused("machine none has no NUMA nodes", "-M", "none", *numa("node,mem=64M"))
    refused("memory-backend=m1 and -numa node,memdev=m0: use only one", "-M",
            "virt,memory-backend=m1", "-m", "64", *M0, *M1, *numa("node,memdev=m0"))
    refused("the object is not a memory back end", "-M", "virt", "-object", "iothread,id=t", "-m",
            "64", *numa("node,memdev=t"))


@covers("-numa node-id=")
def check_preconfig():
    with Machine(*FOUR, "--preconfig") as m:
        m.qmp("set-numa-node", **{"type": "node", "nodeid": 0, "memdev": "m0", "cpus": [0, 1, 2]})
        bad = refusal(m, "set-numa-node", **{"type": "node", "nodeid": 0, "memdev": "m1"})
        assert "nodeid=0: there is a node with this number" in bad, bad
        m.qmp("set-numa-node", **{"type": "node", "memdev": "m1"})
        m.qmp("set-numa-node", **{"type": "cpu", "node-id": 1, "core-id": 3})
        bad = refusal(m, "set-numa-node", **{"type": "dist", "src": 0, "dst": 1, "val": 9})
        assert "val=9: use a distance from 10 to 255" in bad, bad
        m.qmp("set-numa-node", **{"type": "dist", "src": 0, "dst": 1, "val": 19})
        m.qmp("x-exit-preconfig")
        assert nodes_of(m) == [0, 0, 0, 1]
        nodes = m.qmp("query-machine-description", **{"guest-only": True})["guest"]["nodes"]
        assert [node["distances"] for node in nodes] == [[10, 19], [19, 10]], nodes
        bad = refusal(m, "set-numa-node", **{"type": "node"})
        assert "permitted only before the machine has been created" in bad, bad
    with Folder() as folder:
        dtb = folder / "dtb"
        run("-M", f"virt,dumpdtb={dtb}", *FOUR, *numa("node,memdev=m0", "node,memdev=m1"))
        blob = dtb.read_bytes()
        assert struct.unpack(">I", blob[:4])[0] == 0xd00dfeed and b"memory@84000000" in blob

