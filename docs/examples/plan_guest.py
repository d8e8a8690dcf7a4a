#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Plan a guest with disks and network devices with libbackplane-plan through ctypes.

usage: plan_guest.py CATALOG DISKS NICS FOLDER qemu|backplane|xml|json

This is plan-guest.c in Python: CATALOG is the name of an installed catalogue or a file, FOLDER
contains disk0.img, disk1.img ..., and the last argument selects the output.
"""

import ctypes
import sys

plan = ctypes.CDLL("libbackplane-plan.so.0")
glib = ctypes.CDLL("libglib-2.0.so.0")
Pointer, Text, Bool = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_bool
HOTPLUG_REQUIRED = 2    # PLAN_WISH_REQUIRED of plan/policy.h
PROGRAMS = {"backplane": 0, "qemu": 1}      # PlanTarget of plan/edit.h


class GError(ctypes.Structure):
    """GError of GLib."""
    _fields_ = [("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p)]


class Prefs(ctypes.Structure):
    """PlanPrefs of plan/policy.h."""
    _fields_ = [("hotplug", ctypes.c_int), ("link", ctypes.c_int), ("numa", ctypes.c_int),
                ("sharing", ctypes.c_int), ("own_line", ctypes.c_int), ("slot", ctypes.c_int),
                ("near", ctypes.c_char_p), ("apart", ctypes.c_char_p)]


Error = ctypes.POINTER(ctypes.POINTER(GError))
PROTOTYPES = {
    "plan_catalog_open": (Pointer, Text, Error),
    "plan_policy_load": (Pointer, Text, Error),
    "plan_machine_new": (Pointer,),
    "plan_resolve": (Bool, Pointer, Pointer, Error),
    "plan_host_part_parse": (Pointer, Text, Text, Error),
    "plan_machine_add_host": (Bool, Pointer, Pointer, Error),
    "plan_device_parse_known": (Pointer, Text, Pointer, Error),
    "plan_prefs_init": (None, ctypes.POINTER(Prefs)),
    "plan_grow_add": (Pointer, Pointer, Pointer, Pointer, Pointer, ctypes.POINTER(Prefs), Pointer, Error),
    "plan_growth_free": (None, Pointer),
    "plan_command_line": (ctypes.POINTER(Text), Pointer, Pointer, ctypes.c_int, Error),
    "plan_to_libvirt": (Pointer, Pointer, ctypes.c_int, Text, Error),
    "plan_to_text": (Pointer, Pointer, Pointer, Bool),
}
for name, (result, *arguments) in PROTOTYPES.items():
    function = getattr(plan, name)
    function.restype, function.argtypes = result, arguments
glib.g_free.argtypes = [Pointer]


def call(function, *args):
    """Call a function whose last parameter is a GError; end the program if it fails."""
    error = ctypes.POINTER(GError)()
    value = function(*args, ctypes.byref(error))
    if error:
        sys.exit(error.contents.message.decode())
    return value


def owned(pointer) -> str:
    """Return the text at a pointer and free it."""
    text = ctypes.string_at(pointer).decode()
    glib.g_free(pointer)
    return text


class Guest:
    """A machine that grows."""

    def __init__(self, catalogue: str) -> None:
        self.catalogue = call(plan.plan_catalog_open, catalogue.encode())
        self.policy = call(plan.plan_policy_load, b"default")
        self.machine = plan.plan_machine_new()
        call(plan.plan_resolve, self.machine, self.catalogue)

    def part(self, kind: str, options: str) -> None:
        """Add a host part."""
        call(plan.plan_machine_add_host, self.machine,
             call(plan.plan_host_part_parse, kind.encode(), options.encode()))

    def device(self, options: str) -> None:
        """Add a device that can be plugged while the guest runs."""
        prefs = Prefs()
        plan.plan_prefs_init(ctypes.byref(prefs))
        prefs.hotplug = HOTPLUG_REQUIRED
        device = call(plan.plan_device_parse_known, options.encode(), self.catalogue)
        plan.plan_growth_free(call(plan.plan_grow_add, self.machine, self.catalogue, self.policy, device,
                                   ctypes.byref(prefs), None))

    def text(self, form: str) -> str:
        """Return the plan in a form."""
        if form == "xml":
            return owned(call(plan.plan_to_libvirt, self.machine, PROGRAMS["qemu"], None))
        if form == "json":
            return owned(plan.plan_to_text(self.machine, self.catalogue, False))
        args = call(plan.plan_command_line, self.machine, self.catalogue, PROGRAMS[form])
        lines, i = [], 0
        while args[i]:
            lines.append(args[i].decode())
            i += 1
        return "\n".join(lines)


def main() -> None:
    """Plan and print."""
    if len(sys.argv) != 6:
        sys.exit("usage: plan_guest.py CATALOG DISKS NICS FOLDER qemu|backplane|xml|json")
    catalogue, disks, nics, folder, form = sys.argv[1:]
    guest = Guest(catalogue)
    for i in range(int(disks)):
        guest.part("drive", f"id=drive{i},format=raw,file={folder}/disk{i}.img")
        guest.device(f"virtio-blk-pci,id=disk{i},drive=drive{i}")
    for i in range(int(nics)):
        guest.part("netdev", f"user,id=net{i}")
        guest.device(f"virtio-net-pci,id=nic{i},netdev=net{i}")
    print(guest.text(form))


if __name__ == "__main__":
    main()
