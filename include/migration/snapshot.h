/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snapshots of the machine inside disk images: savevm, loadvm, delvm and the snapshot jobs.
 *
 * One image stores a migration stream as the state of the machine; every image stores its disk.
 * All functions require the machine lock, stop the guest while they work, and block until they are
 * complete. They return false with @err set on failure.
 */
#ifndef MIGRATION_SNAPSHOT_H
#define MIGRATION_SNAPSHOT_H

#include "block/snapshot.h"
#include "migration/migration.h"

/* Which images a snapshot includes. */
typedef struct SnapshotPlace {
    const char *name;
    GPtrArray *disks; /* BlockNode*: the images */
    BlockNode *state; /* the image with the state of the machine */
} SnapshotPlace;

/**
 * migration_snapshot_place() - Choose all images that devices may write.
 * @place: filled in; @place->disks for g_ptr_array_unref(). The state is in the first image that
 * has a snapshot @name with one; otherwise it is stored in the first image
 *
 * Fails if an image cannot store snapshots, or if there is none.
 */
bool migration_snapshot_place(Machine *m, const char *name, SnapshotPlace *place, GError **err);

/**
 * migration_snapshot_save() - Create a snapshot.
 * @replace: delete a snapshot of the same name first; otherwise such a snapshot is an error
 *
 * The guest continues if it ran. Fails during a migration, and if a device cannot be saved.
 */
bool migration_snapshot_save(Migration *mig, const SnapshotPlace *place, bool replace,
                             GError **err);

/**
 * migration_snapshot_load() - Return the machine and its disks to a snapshot.
 *
 * The guest continues if it ran. Fails without an effect if an image lacks the snapshot, or if the
 * machine is another one. After a later failure the run state is internal-error.
 */
bool migration_snapshot_load(Migration *mig, const SnapshotPlace *place, GError **err);

/** migration_snapshot_delete() - Delete a snapshot from the images that have it. */
bool migration_snapshot_delete(Migration *mig, const SnapshotPlace *place, GError **err);

#endif
