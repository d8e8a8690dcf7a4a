/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device part of a stream: every object with a saved-state table, as one section each.
 *
 * Sections are named after the place of the object ("0000:00:01.0/edu", "cpu"), so that they are
 * found again whatever the order of creation was. Bridges come before what is behind them.
 * Machine lock; the guest is stopped.
 */
#ifndef MIGRATION_SAVEVM_H
#define MIGRATION_SAVEVM_H

#include "hw/core/cpu.h"
#include "hw/core/state.h"
#include "migration/stream.h"

/* Why the guest cannot be saved: a sentence for each device in the way. An array; owned. */
struct json_object *savevm_blockers(Machine *m);
/* False with a sentence that has all of them. */
bool savevm_possible(Machine *m, GError **err);

/* Append one FULL section for each object, ids from *next_id on. `state` is the run state that
 * the guest shall have after the load. Adds each section to the digest and, unless NULL, its
 * description to `devices`. */
void savevm_save(Machine *m, RunState state, ByteWriter *w, uint32_t *next_id, GChecksum *digest,
                 struct json_object *devices);

/* Estimate what savevm_save() takes on this machine and an equal load on another one, from a
 * sample of the devices; the machine may run. */
typedef struct SavevmCost {
    unsigned devices; /* sections */
    uint64_t bytes;
    int64_t ns; /* of CPU time, both ends together */
} SavevmCost;
SavevmCost savevm_estimate(Machine *m);

/* Loading into a machine that was built from the same description and reset. */
typedef struct Loadvm Loadvm;
Loadvm *loadvm_new(Machine *m);
void loadvm_free(Loadvm *l);
/* One section. Unknown, repeated, too long, too short and illegal ones are refused. */
bool loadvm_section(Loadvm *l, const StreamSection *s, const uint8_t *data, size_t len,
                    GError **err);
/* All came: false with the list of the sections that did not. Then arms all timers. */
bool loadvm_finish(Loadvm *l, GError **err);
/* The run state that the stream asks for. After loadvm_finish(). */
RunState loadvm_run_state(const Loadvm *l);

/* The tables of the machine's own sections, "clock" and "globalstate"; NULL: no such section. */
const VmState *savevm_table(const char *name);

/* Add a section to the digest that both ends compare. */
void digest_section(GChecksum *digest, const StreamSection *s, const void *data, size_t len);

#endif
