#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Allocate SCSI addresses with libbackplane-plan through ctypes.

usage: plan_scsi.py MODEL NUMBER

Reserve addresses for NUMBER disks on controllers of the type MODEL (virtio-scsi-pci, lsi53c895a,
...). A controller is added when the existing ones are full.
"""

import ctypes
import sys

DIMS = 8
LIVE = 1

plan = ctypes.CDLL("libbackplane-plan.so.0")
glib = ctypes.CDLL("libglib-2.0.so.0")


class GError(ctypes.Structure):
    """GError of GLib."""
    _fields_ = [("domain", ctypes.c_uint32), ("code", ctypes.c_int), ("message", ctypes.c_char_p)]


class Range(ctypes.Structure):
    """PlanAddrRange of plan/alloc.h."""
    _fields_ = [("lo", ctypes.c_uint64 * DIMS), ("hi", ctypes.c_uint64 * DIMS)]


class Request(ctypes.Structure):
    """PlanRequest of plan/alloc.h."""
    _fields_ = [("size", ctypes.c_size_t), ("range", Range), ("views", ctypes.c_uint),
                ("order", ctypes.c_uint), ("has_after", ctypes.c_bool), ("after", ctypes.c_uint64),
                ("count", ctypes.c_uint64), ("align", ctypes.c_uint64),
                ("options", ctypes.c_uint), ("flags", ctypes.c_uint64),
                ("filter", ctypes.c_void_p), ("filter_data", ctypes.c_void_p)]


Error = ctypes.POINTER(ctypes.POINTER(GError))
PROTOTYPES = {
    "plan_alloc_new": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint, ctypes.c_void_p,
                       ctypes.c_uint, Error),
    "plan_alloc_free": (None, ctypes.c_void_p),
    "plan_alloc_add_pool": (ctypes.c_uint32, ctypes.c_void_p, ctypes.POINTER(Range), ctypes.c_uint,
                            ctypes.c_uint64, ctypes.c_void_p, Error),
    "plan_alloc_count_free": (ctypes.c_uint64, ctypes.c_void_p, ctypes.c_uint),
    "plan_alloc_reserve": (ctypes.c_bool, ctypes.c_void_p, ctypes.POINTER(Request),
                           ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint64), Error),
    "plan_address_format": (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint64),
    "plan_controller_pool": (ctypes.c_bool, ctypes.c_char_p, ctypes.c_uint,
                             ctypes.POINTER(ctypes.c_void_p), ctypes.POINTER(Range), Error),
    "plan_request_init": (None, ctypes.POINTER(Request), ctypes.c_void_p),
}
for name, (result, *arguments) in PROTOTYPES.items():
    function = getattr(plan, name)
    function.restype, function.argtypes = result, arguments
glib.g_free.argtypes = [ctypes.c_void_p]


def call(function, *args):
    """Call a function whose last parameter is a GError; end the program if it fails."""
    error = ctypes.POINTER(GError)()
    done = function(*args, ctypes.byref(error))
    if error:
        sys.exit(error.contents.message.decode())
    return done


def text(address_type, address):
    """Return the text of an address."""
    pointer = plan.plan_address_format(address_type, address)
    result = ctypes.string_at(pointer).decode()
    glib.g_free(pointer)
    return result


def main():
    """Print the address of each disk."""
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    model, number = sys.argv[1].encode(), int(sys.argv[2])
    address_type, pool = ctypes.c_void_p(), Range()
    call(plan.plan_controller_pool, model, 0, ctypes.byref(address_type), ctypes.byref(pool))
    addresses = call(plan.plan_alloc_new, address_type, LIVE, None, 0)
    request, address, controllers = Request(), ctypes.c_uint64(), 0
    plan.plan_request_init(ctypes.byref(request), address_type)
    for disk in range(number):
        if plan.plan_alloc_count_free(addresses, LIVE) == 0:
            call(plan.plan_controller_pool, model, controllers, None, ctypes.byref(pool))
            call(plan.plan_alloc_add_pool, addresses, ctypes.byref(pool), LIVE, 0, None)
            controllers += 1
        call(plan.plan_alloc_reserve, addresses, ctypes.byref(request), b"disk%d" % disk,
             ctypes.byref(address))
        print(f"disk{disk}: {text(address_type, address.value)}")
    plan.plan_alloc_free(addresses)


if __name__ == "__main__":
    main()
