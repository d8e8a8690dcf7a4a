/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Functions of system/ that monitor commands call. build_fill_host() in system/build.c sets them
 * before the first monitor is opened.
 *
 * Locking: every function requires the machine lock and runs on the main loop. dump_machine and
 * boot_digests release the lock while they wait.
 *
 * Errors: a function with @err returns false or NULL on failure and sets *err to a message for the
 * client.
 */
#ifndef MONITOR_HOST_H
#define MONITOR_HOST_H

#include "hw/core/device.h"

/* Reaction to a panic of the guest, in the order of the schema (PanicAction). */
typedef enum PanicAction {
    PANIC_SHUTDOWN,
    PANIC_PAUSE,
    PANIC_EXIT_FAILURE,
    PANIC_NONE
} PanicAction;

/* Reactions to requests and failures of the guest: -action and set-action. */
typedef struct GuestActions {
    bool reboot_shuts_down; /* a reset ends the process */
    bool shutdown_pauses;   /* a power-off stops the machine */
    uint32_t panic;         /* PanicAction */
    uint32_t watchdog;      /* QmpWatchdogAction of machine-events.h */
} GuestActions;

typedef struct MonitorHost {
    const char *name; /* argument of -name, or NULL */
    const char *uuid; /* UUID of the machine in canonical form, or NULL */
    /* True until x-exit-preconfig if --preconfig was given. Only commands with QMP_PRECONFIG are
     * executed while it is true. Atomic, because out-of-band requests hold no lock. */
    bool preconfig;
    /* Leave the preconfig state: create the machine, and start it unless -S was given. Called at
     * most once. After a failure the process ends with status 1, because the machine exists in
     * part. */
    bool (*exit_preconfig)(Machine *m, GError **err);
    /* Return the current description of the machine; NULL if there is none. Borrowed, valid while
     * the lock is held. With --preconfig or -incoming the machine may not exist yet. */
    const PlanMachine *(*description)(Machine *m);
    /* Return the catalogue of device types. Borrowed, constant until the process ends. */
    const PlanCatalog *(*catalog)(Machine *m);
    /* Store sizes and SHA-256 digests of the boot images in the description. Releases the lock
     * while a thread computes the digests. Fails if an image cannot be read. */
    bool (*boot_digests)(Machine *m, GError **err);
    /* Write the description to the file @path, which -machine-config accepts. Boot images that a
     * migration stream contained are written to files in the same directory. Releases the lock like
     * boot_digests. Fails if a file cannot be written or the machine does not exist yet. */
    bool (*dump_machine)(Machine *m, const char *path, GError **err);
    /* Add @d, which is consumed, to the description, create the device and plug it. Return the
     * device, owned by its bus. Fails during a migration and if @d is not valid for this machine;
     * the description is then unchanged. device_del undoes it. */
    Device *(*device_add)(Machine *m, PlanDevice *d, GError **err);
    /* Unplug @dev. PCI devices of a machine that has been started are removed when the guest
     * agrees; other devices are removed immediately. Each removal raises DEVICE_DELETED. Fails
     * during a migration and for devices that cannot be unplugged. */
    bool (*device_del)(Machine *m, Device *dev, GError **err);
    /* host_add: create a host part of class @kind ("chardev", "object", "blockdev", "drive" or
     * "netdev") from @options, which are borrowed, and add it to the description. host_del: delete
     * the part @id and remove it from the description; fails if it does not exist or is in use. */
    bool (*host_add)(Machine *m, const char *kind, struct json_object *options, GError **err);
    bool (*host_del)(Machine *m, const char *kind, const char *id, GError **err);
    /* Create a drive without a device from @text in the form of -drive; if=none and id= are
     * required. host_del deletes it. */
    bool (*drive_add)(Machine *m, const char *text, GError **err);
    /* cont: run the guest; during an incoming migration, record that it runs after the load. Fails
     * if a migration is finishing or a reset is required first. stop: stop the guest if it runs. */
    bool (*cont)(Machine *m, GError **err);
    void (*stop)(Machine *m);
    /* Replace the gdb server by one on the character device @device, in the form of -gdb; "none":
     * end it. */
    bool (*gdbserver)(Machine *m, const char *device, GError **err);
    /* Return the result of query-command-line-options, owned by the caller. @option: the only
     * option to return, or NULL. Fails if the option does not exist. */
    struct json_object *(*command_line_options)(Machine *m, const char *option, GError **err);
    /* Return the reactions to requests of the guest, which the caller may change. Borrowed. */
    GuestActions *(*actions)(Machine *m);
    /* Add a NUMA node, a distance or the node of a CPU: @options has the keys of -numa, and is
     * borrowed. Only before the machine exists. Fails, and adds nothing, if the options are not
     * valid together with the earlier ones. */
    bool (*numa_node)(Machine *m, struct json_object *options, GError **err);
} MonitorHost;

/* Return the functions of the machine; NULL in a test without system/. Any thread. */
static inline const MonitorHost *monitor_host(const Machine *m)
{
    return m->host;
}

/* Return whether the machine waits for x-exit-preconfig. Any thread, no lock. */
static inline bool monitor_in_preconfig(const Machine *m)
{
    return m->host && __atomic_load_n(&monitor_host(m)->preconfig, __ATOMIC_RELAXED);
}

#endif
