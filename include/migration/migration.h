/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Live migration and snapshots: transfer of a guest to another process, or into a file.
 *
 * Each Machine has one Migration. A Migration works in short turns from GSources on the default
 * main context, with the machine lock held. No function blocks unless its description states that.
 * At most one migration, outgoing or incoming, is in progress.
 *
 * A stream begins with the description of the machine. The target checks the description before
 * RAM is sent, answers with ACCEPT or with a list of everything that it cannot provide, and builds
 * its machine from the description. At the end the source stops its guest, and the target answers
 * with a digest that it has loaded and checked everything. The source then hands the guest over
 * (GO), and the target runs the guest and acknowledges. If an error occurs before the hand-over,
 * the source keeps the guest. After the hand-over the source runs the guest again only if the
 * target declines it, if the source claims the hand-over record, or on request
 * (migration_resolve()). On one-way channels (file:, exec:, pipes) the stream is a copy: the
 * description is checked when the stream is loaded. docs/migration.md describes the format and the
 * states.
 *
 * All functions in this file require the machine lock.
 */
#ifndef MIGRATION_MIGRATION_H
#define MIGRATION_MIGRATION_H

#include <json-c/json.h>

#include "hw/core/boot_image.h"
#include "hw/core/machine.h"
#include "plan/description.h"

typedef struct Migration Migration;

/* The resources of this process that an incoming guest can use. All pointers are borrowed. */
typedef struct MigrationOffer {
    const PlanMachine *own; /* the command line's description with its host parts */
    const char *machine;    /* -M: only this machine (resolved name); NULL: any */
    bool fixed;             /* the command line describes the guest: it must be equal to `own` */
    bool paused;            /* -S: do not start the guest after the load */
    uint64_t max_ram;       /* bytes; 0: limited by the host only */
    unsigned max_cpus, max_devices; /* 0: the built-in limits */
    const char *handover;           /* the folder for hand-over records; NULL: none */
    /* The boot images of the command line. An image with `given` set must be identical to the
     * guest's; with fd -1 the guest must have none. Other images are used if they are identical.
     * NULL: no image is specified. */
    BootImages *boot;
    const char *append, *uuid; /* NULL: not given */
    /* Return the size that the guest sees of a host part (the bytes of a disk); 0: the part has no
     * size. NULL: no part has a size. */
    uint64_t (*part_size)(void *opaque, const char *kind, const char *id);
    void *opaque;
} MigrationOffer;

/* Functions of system/ that migration calls, with the machine lock held. All are set, except where
 * NULL is allowed. Functions that return false or -1 set *err. */
typedef struct MigrationHooks {
    void *opaque;
    const PlanCatalog *catalog;
    /* Return the complete description of the machine in its present state; NULL if no machine is
     * built. Borrowed until the next change of the machine. */
    const PlanMachine *(*description)(void *opaque);
    /* Fill *out. */
    void (*offer)(void *opaque, MigrationOffer *out);
    /* Build the machine that `wanted` (resolved, guest half only) describes, with the host parts of
     * this process: realized devices, RAM, CPUs, everything reset, nothing booted. If an equal
     * machine exists already (offer.fixed), reset it instead. */
    bool (*build)(void *opaque, const PlanMachine *wanted, GError **err);
    /* Compute the SHA-256 of each image that the machine boots, and store it in the description.
     * Does not block. Returns 1: done; 0: in progress, call again; -1: failed. NULL: there are no
     * images. */
    int (*boot_digests)(void *opaque, GError **err);
    /* Called after build() and before RAM is loaded: store what a reset loads. `images`, which the
     * callee owns, are the guest's as `wanted` describes them. If `images` is NULL, the stream has
     * none, and the images of this command line are used. NULL: nothing to do. */
    bool (*boot)(void *opaque, const PlanMachine *wanted, BootImages *images, GError **err);
    /* Everything is loaded and checked: update the description with what the stream changed in it
     * (capabilities at other offsets, or absent). NULL: nothing to do. */
    void (*loaded)(void *opaque);
    /* A load failed after build() was called (build() itself may have failed): return the process
     * to a state in which it can accept another load. */
    void (*discard)(void *opaque);
    /* A stream could not be loaded, after discard(). `final`: the command line names a source that
     * can be read only once, so that this process cannot receive a guest any more. NULL: nothing to
     * do. */
    void (*load_failed)(void *opaque, const char *why, bool final);
    /* Return whether this guest can be migrated. Fails if the target cannot use the guest's disks.
     * NULL: it can be migrated. */
    bool (*may_leave)(void *opaque, GError **err);
    /* Block back ends: drain, flush and unlock, or lock again. NULL: there are none. */
    bool (*disks_release)(void *opaque, GError **err);
    bool (*disks_take)(void *opaque, GError **err);
    /* Return a descriptor that was passed with getfd under this name, or one of the set N of add-fd
     * for "/dev/fdset/N" that can be written, or read. The caller owns it. -1 if there is none.
     * NULL: only descriptor numbers are supported. */
    int (*take_fd)(void *opaque, const char *name, bool write);
} MigrationHooks;

/**
 * migration_new() - Create the migration object of a machine.
 * @m:     the machine; it must outlive the object
 * @hooks: copied
 *
 * The process ignores SIGPIPE and SIGXFSZ from then on, so that such failures of a channel are
 * reported as errors.
 *
 * Return: the object, for migration_free().
 */
Migration *migration_new(Machine *m, const MigrationHooks *hooks);
/* Free the object after ending the migration or check that is in progress. A source keeps its
 * guest. NULL is allowed. */
void migration_free(Migration *mig);
/* Return the object of a machine, borrowed; NULL if it has none (tools, tests). */
Migration *migration_of(Machine *m);

/* --- the source --- */

/**
 * migration_start() - Start sending the guest.
 * @mig: the migration object
 * @uri: tcp:HOST:PORT, unix:PATH, fd:NAME-OR-NUMBER, exec:COMMAND or file:PATH. file: writes
 *       PATH.part and renames it when all data is on the disk.
 * @err: where to store the error
 *
 * Fails if a migration is in progress, if the guest was handed over, if there is no guest, if a
 * device cannot be saved (the error names each), if the disks cannot be migrated, and for a URI
 * that is malformed, that cannot be opened, or that the sandbox forbids. Later failures (no such
 * host, a target that rejects the guest) end the migration with status "failed" and error-desc. The
 * MIGRATION event "setup", if events are enabled, is emitted before this function returns. A check
 * in progress is cancelled.
 *
 * Return: true if the migration started; false with @err set.
 */
bool migration_start(Migration *mig, const char *uri, GError **err);

typedef void MigrationEndFn(void *opaque, GError *err);
/**
 * migration_on_end() - Call a function when the outgoing migration ends.
 * @mig:    the migration object; a migration was started
 * @fn:     called once from the main loop: immediately if the migration ended already. It consumes
 *          its error, which is NULL if the migration completed.
 * @opaque: passed to @fn
 *
 * Only one function can wait. It is called with an error when migration_free() is called meanwhile.
 */
void migration_on_end(Migration *mig, MigrationEndFn *fn, void *opaque);

/**
 * migration_cancel() - Cancel the outgoing migration, the check and the incoming connection.
 * @mig: the migration object
 * @err: where to store the error
 *
 * The guest of a source stays on the source and returns to the run state that it had. Does nothing
 * if nothing is in progress.
 *
 * Return: true if nothing is in progress any more; false with @err set if the guest was handed
 * over.
 */
bool migration_cancel(Migration *mig, GError **err);

/**
 * migration_hang_up() - Disconnect the socket of the migration that is in progress.
 * @mig: the migration object
 *
 * The migration then ends like one whose network fails: with status "failed", or "undecided" if the
 * guest was handed over. No effect without a connected socket.
 */
void migration_hang_up(Migration *mig);
/* Return true if migration_hang_up() has an effect. */
bool migration_may_hang_up(const Migration *mig);

/**
 * migration_continue() - Leave "pre-switchover" (capability pause-before-switchover).
 * @mig:   the migration object
 * @state: the status to leave; only "pre-switchover" is accepted
 * @err:   where to store the error
 *
 * Return: true if the migration continues; false with @err set if its status is not @state.
 */
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

/**
 * migration_resolve() - Decide which host owns a guest that was handed over.
 * @mig:   the migration object
 * @here:  true: the guest belongs to the source, is paused, and can be continued; the status
 *         becomes "failed". false: the source gives it up; the status becomes "completed".
 * @force: permit @here in status "completed", and if the hand-over record shows that the target
 *         claimed the guest
 * @err:   where to store the error
 *
 * For the status "undecided", after the operator found out where the guest runs. Two running copies
 * of the guest may destroy its disks.
 *
 * Return: true if the status was changed; false with @err set if the guest was not handed over, if
 * @force is required, or if the disks cannot be locked.
 */
bool migration_resolve(Migration *mig, bool here, bool force, GError **err);

/**
 * migration_may_run() - Prepare for `cont`.
 * @mig: the migration object
 * @err: where to store the error
 *
 * Locks the disks again if an earlier migration released them.
 *
 * Return: true if the guest may run; false with @err set while it is handed over, undecided, being
 * received, or stopped for the end of a migration, or if the disks cannot be locked.
 */
bool migration_may_run(Migration *mig, GError **err);

/* --- the target --- */

/**
 * migration_incoming() - Wait for a guest.
 * @mig:   the migration object
 * @uri:   tcp: and unix: are listened on until a guest was loaded, also after a load that failed.
 *         fd:, exec: and file: are read once. "defer" (only if @later is false): wait for a call
 *         with @later.
 * @later: false: -incoming; true: migrate-incoming
 * @err:   where to store the error
 *
 * Sets the run state to inmigrate. In a dry run, only the form of @uri is checked. A host name is
 * resolved before this function returns.
 *
 * Return: true if the process waits or reads; false with @err set if a migration is in progress or
 * was already started, if -incoming was not specified (@later), and for a URI that is malformed,
 * that cannot be opened, or that the sandbox forbids.
 */
bool migration_incoming(Migration *mig, const char *uri, bool later, GError **err);

/* --- settings and answers --- */

/**
 * migration_set_capability() - Enable or disable one capability.
 * @mig:  the migration object
 * @name: as in query-migrate-capabilities
 * @on:   the new value
 * @err:  where to store the error
 *
 * Return: true if the capability was set; false with @err set for an unknown name (the error lists
 * the names), and while a migration is in progress.
 */
bool migration_set_capability(Migration *mig, const char *name, bool on, GError **err);
/* Return an array of {capability, state}, for json_object_put(). */
struct json_object *migration_query_capabilities(Migration *mig);

/**
 * migration_set_parameters() - Set all given parameters, or none.
 * @mig:  the migration object
 * @args: an object: the new value of each parameter; borrowed
 * @err:  where to store the error
 *
 * Return: true if all were set; false with @err set for an unknown name, a value outside the limits
 * of its parameter, or a handover-folder while a migration or a check is in progress.
 */
bool migration_set_parameters(Migration *mig, struct json_object *args, GError **err);
/* Return the value of a parameter from text of the human monitor, for json_object_put(). The size
 * of max-bandwidth is in MiB unless it has a suffix. NULL with *err set if the text is not a value
 * of the type of the parameter. The caller passes it to migration_set_parameters(), which checks
 * the name and the range. */
struct json_object *migration_parameter_parse(const char *name, const char *text, GError **err);
/* Return the unit of a parameter for the human monitor, as in " ms"; "" if there is none. */
const char *migration_parameter_unit(const char *name);
/* Return an object with the value of each parameter, for json_object_put(). */
struct json_object *migration_query_parameters(Migration *mig);
/* Return the answer of query-migrate, for json_object_put(). In addition to QEMU's fields:
 * "deficits" (array of {device, property, wanted, have}), "resolve" (the command to use when
 * undecided). */
struct json_object *migration_query(Migration *mig);
/* Return the status as query-migrate spells it; a constant string. */
const char *migration_status(const Migration *mig);

/**
 * migration_machine_diff() - Compare two machines as the guest sees them.
 * @mig: the migration object
 * @a:   a description as a JSON object, complete or without its "host" section; borrowed
 * @b:   another one; borrowed
 * @err: where to store the error
 *
 * Return: an array of {device, property, wanted, have}, for json_object_put(), with the values of
 * @a in `wanted` and those of @b in `have`; NULL with @err set if a description is invalid.
 */
struct json_object *migration_machine_diff(Migration *mig, struct json_object *a,
                                           struct json_object *b, GError **err);

#endif
