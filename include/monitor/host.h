/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What monitors ask of the layer above: system/ fills this in before it opens a monitor.
 * Machine lock for every call.
 */
#ifndef MONITOR_HOST_H
#define MONITOR_HOST_H

#include "hw/core/device.h"

typedef struct MonitorHost {
    const char *name; /* -name, or NULL */
    const char *uuid; /* canonical text, or NULL */
    /* --preconfig: the machine waits for x-exit-preconfig, and only commands with QMP_PRECONFIG
     * run. Read with an atomic load: requests out of band hold no lock. */
    bool preconfig;
    /* Build the machine and let it run as the command line says. An error ends the process. */
    bool (*exit_preconfig)(Machine *m, GError **err);
    /* The complete description of the machine as it is now, borrowed; NULL before it is built. */
    const PlanMachine *(*description)(Machine *m);
    const PlanCatalog *(*catalog)(Machine *m);
    /* Complete the boot section of the description with sizes and SHA-256. Releases the lock
     * meanwhile. */
    bool (*boot_digests)(Machine *m, GError **err);
    /* Write the description to a file that -machine-config reads, and beside it the boot images
     * that have no file on this host. Releases the lock meanwhile. */
    bool (*dump_machine)(Machine *m, const char *path, GError **err);
    /* Plan, build and plug one more device. Takes d. NULL and a sentence. */
    Device *(*device_add)(Machine *m, PlanDevice *d, GError **err);
    /* Ask for its removal: at once, or when the guest agrees (DEVICE_DELETED tells). */
    bool (*device_del)(Machine *m, Device *dev, GError **err);
    /* Create a host part of a kind ("blockdev", "netdev", "object") from its options and enter it
     * in the description; and take it out of both. */
    bool (*host_add)(Machine *m, const char *kind, struct json_object *options, GError **err);
    bool (*host_del)(Machine *m, const char *kind, const char *id, GError **err);
    /* Leave the stopped state, and enter it. */
    bool (*cont)(Machine *m, GError **err);
    void (*stop)(Machine *m);
} MonitorHost;

static inline const MonitorHost *monitor_host(const Machine *m)
{
    return m->host;
}

static inline bool monitor_in_preconfig(const Machine *m)
{
    return m->host && __atomic_load_n(&monitor_host(m)->preconfig, __ATOMIC_RELAXED);
}

#endif
