/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live migration and snapshots: moving a guest to another process, or into a file.
 *
 * One Migration hangs off each Machine. It does its work from GSources on the default main
 * context, in small turns, with the machine lock held (as everything on the main loop); no call
 * blocks, except where it says so. At most one migration, outgoing or incoming, is under way.
 *
 * A stream begins with the description of the machine; the target judges it before RAM is sent,
 * answers with ACCEPT or with everything that it cannot provide, and builds its machine from it.
 * At the end the source stops its guest, the target answers that it has loaded and checked
 * everything (with a digest), the source gives the guest away, the target runs it and
 * acknowledges. Until it gave the guest away the source keeps it, whatever fails; afterwards it
 * never runs it again unasked. On one-way channels (file:, exec:, pipes) the stream is a copy:
 * the check runs when it is loaded. docs/migration.md has the format and the states.
 *
 * Machine lock for everything in this file.
 */
#ifndef MIGRATION_MIGRATION_H
#define MIGRATION_MIGRATION_H

#include <json-c/json.h>

#include "hw/core/boot_image.h"
#include "hw/core/machine.h"
#include "plan/description.h"

typedef struct Migration Migration;

/* What this process can give an incoming guest. */
typedef struct MigrationOffer {
    const PlanMachine *own; /* the command line's description with its host parts; borrowed */
    const char *machine;    /* -M: only this machine (resolved name); NULL: any */
    bool fixed;             /* the command line says what the guest is: it must be the same */
    bool paused;            /* -S: do not start the guest after the load */
    uint64_t max_ram;       /* bytes; 0: no limit but the host's */
    unsigned max_cpus, max_devices; /* 0: the built-in limits */
    const char *handover;           /* the folder for hand-over records; NULL: none */
    /* What the command line says of booting: an image with `given` set must be the guest's (with
     * fd -1: the guest must have none); others are used if they are. NULL: nothing is said. */
    BootImages *boot;
    const char *append, *uuid; /* NULL: not given */
    /* What the guest sees of a host part's size (a disk's bytes); 0: nothing. NULL: of none. */
    uint64_t (*part_size)(void *opaque, const char *kind, const char *id);
    void *opaque;
} MigrationOffer;

/* What migration asks of system/. All are set, except where NULL is allowed. */
typedef struct MigrationHooks {
    void *opaque;
    const PlanCatalog *catalog;
    /* The complete description of the machine as it stands; NULL if none is built. Borrowed
     * until the next change of the machine. */
    const PlanMachine *(*description)(void *opaque);
    void (*offer)(void *opaque, MigrationOffer *out);
    /* Make the machine what `wanted` (resolved, guest half only) says, with this process's host
     * parts: realized devices, RAM, CPUs, everything reset, nothing booted. If a machine equal
     * to it stands already (offer.fixed), it is reset instead. */
    bool (*build)(void *opaque, const PlanMachine *wanted, GError **err);
    /* Compute the SHA-256 of each image that the machine boots and enter them in the description.
     * 1: done; 0: under way, ask again; -1: failed. Never waits. NULL: there are no images. */
    int (*boot_digests)(void *opaque, GError **err);
    /* build() was called, and RAM comes next: note what a reset loads. images (taken) are the
     * guest's, as `wanted` describes them; NULL: the stream has none, so those of this command
     * line. NULL: nothing to do. */
    bool (*boot)(void *opaque, const PlanMachine *wanted, BootImages *images, GError **err);
    /* Everything is loaded and checked: bring the description up to what the stream changed in
     * it (capabilities that stand elsewhere, or not at all). NULL: nothing to do. */
    void (*loaded)(void *opaque);
    /* A load failed after build() was called (it may be what failed): bring the process back to
     * where it can accept another. */
    void (*discard)(void *opaque);
    /* Whether this guest can run elsewhere; false and *err if its disks cannot go with it. NULL:
     * it can. */
    bool (*may_leave)(void *opaque, GError **err);
    /* Block back ends: drain, flush and unlock, or lock again. NULL: there are none. */
    bool (*disks_release)(void *opaque, GError **err);
    bool (*disks_take)(void *opaque, GError **err);
    /* A descriptor passed with getfd under this name, or one of add-fd's set for "/dev/fdset/N"
     * that can be written, or read; now the caller's; -1 if there is none. NULL: only numbers are
     * known. */
    int (*take_fd)(void *opaque, const char *name, bool write);
} MigrationHooks;

/* hooks are copied. migration_free() ends what is under way (a source keeps its guest). */
Migration *migration_new(Machine *m, const MigrationHooks *hooks);
void migration_free(Migration *mig);
/* The machine's; NULL if it has none (tools, tests). */
Migration *migration_of(Machine *m);

/* --- the source --- */

/*
 * Start sending the guest to `uri`:
 *   tcp:HOST:PORT  unix:PATH  fd:NAME-OR-NUMBER  exec:COMMAND  file:PATH
 * Refused at once: a migration under way, a guest given away, a machine without a guest, a
 * malformed URI, a device that cannot be saved (named). Everything later (no such host, a target
 * that refuses) ends in status "failed" with error-desc. The MIGRATION event "setup" is emitted
 * before this returns. file: writes PATH.part and renames it when all is on the disk.
 */
bool migration_start(Migration *mig, const char *uri, GError **err);
/* Give up: the guest stays here and runs again if it ran. Refused once it was given away; a
 * no-op when nothing is under way. Ends an incoming connection too. */
bool migration_cancel(Migration *mig, GError **err);
/* Leave "pre-switchover" (capability pause-before-switchover). */
bool migration_continue(Migration *mig, const char *state, GError **err);

typedef struct MigrationCheck MigrationCheck;

/**
 * MigrationCheckFn() - Receive the result of a check.
 * @opaque: as given to migration_check_start()
 * @result: {"accepted": bool, "deficits": [...]}, owned by the callee; NULL if the target could not
 *          be asked
 * @err:    the reason if @result is NULL, owned by the callee
 */
typedef void MigrationCheckFn(void *opaque, struct json_object *result, GError *err);

/**
 * migration_check_new() - Prepare to ask a target whether it accepts the guest.
 * @mig: the migration object
 * @uri: a two-way channel: tcp:HOST:PORT, unix:PATH, or fd:NAME-OR-NUMBER of a socket
 * @err: where to store the error
 *
 * Fails if a migration or another check is in progress, if the guest was handed over, if there is
 * no guest or a device cannot be saved, and for a URI that is malformed or one-way.
 *
 * Return: the check, which migration_check_start() must be called for; NULL with @err set.
 */
MigrationCheck *migration_check_new(Migration *mig, const char *uri, GError **err);

/**
 * migration_check_start() - Ask the target.
 * @c:      from migration_check_new()
 * @done:   called exactly once, from the main loop and after this function returned
 * @opaque: passed to @done
 *
 * The guest is not changed and continues to run; the main loop is not blocked. The check fails
 * when 5 seconds have passed since the digests of the boot images were known,
 * and when migration_start(), migration_cancel() or migration_free() is called meanwhile.
 */
void migration_check_start(MigrationCheck *c, MigrationCheckFn *done, void *opaque);
/* The state "undecided": the operator found out where the guest is. here: take it back (it may
 * be continued); otherwise it is given up for good. After "completed", and where the hand-over
 * record says that the target took the guest, only with force. */
bool migration_resolve(Migration *mig, bool here, bool force, GError **err);

/* For `cont`: false with a sentence while the guest is given away, undecided, or still being
 * received. */
bool migration_may_run(Migration *mig, GError **err);

/* --- the target --- */

/* -incoming URI or "defer"; migrate-incoming URI afterwards (`later`). tcp:, unix: listen and
 * go on listening after a load that failed; fd:, exec:, file: are read once. Sets the run state
 * to inmigrate. */
bool migration_incoming(Migration *mig, const char *uri, bool later, GError **err);

/* --- settings and answers --- */

/* {"capability": bool, ...} changed one by one; unknown names, and those that this build does
 * not have, are refused by name. */
bool migration_set_capability(Migration *mig, const char *name, bool on, GError **err);
struct json_object *migration_query_capabilities(Migration *mig); /* array, owned */
bool migration_set_parameters(Migration *mig, struct json_object *args, GError **err);
struct json_object *migration_query_parameters(Migration *mig); /* owned */
/* query-migrate; owned. Beside QEMU's fields: "deficits" (array of {device, property, wanted,
 * have}), "resolve" (the command to use when undecided). */
struct json_object *migration_query(Migration *mig);
/* Status as query-migrate spells it. */
const char *migration_status(const Migration *mig);

/* What differs for the guest between two descriptions, given as JSON objects (their "guest"
 * halves or whole): an array of {device, property, wanted, have}; owned. */
struct json_object *migration_machine_diff(Migration *mig, struct json_object *a,
                                           struct json_object *b, GError **err);

#endif
