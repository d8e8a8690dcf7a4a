/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device part of a stream: one section for each object that has a saved-state table.
 *
 * A section is named after the place of its object ("0000:00:01.0/edu", "cpu"), so that it can be
 * found independently of the order of creation. Bridges precede the devices behind them.
 *
 * All functions require the machine lock, and except where stated that the guest is stopped.
 */
#ifndef MIGRATION_SAVEVM_H
#define MIGRATION_SAVEVM_H

#include "hw/core/cpu.h"
#include "hw/core/state.h"
#include "migration/stream.h"

/* Return the reasons why the guest cannot be saved: an array with one string for each device that
 * prevents it, for json_object_put(). The guest may run. */
struct json_object *savevm_blockers(Machine *m);
/* Return true if the guest can be saved. Otherwise set *err to one message that contains all
 * reasons, and return false. The guest may run. */
bool savevm_possible(Machine *m, GError **err);

/**
 * savevm_save() - Append one FULL section for each object.
 * @m:       the machine
 * @state:   the run state that the guest shall have after the load
 * @w:       where to append
 * @next_id: the id of the first section; advanced by the number of sections
 * @digest:  updated with each section
 * @devices: an array to which the description of each section is added, or NULL
 */
void savevm_save(Machine *m, RunState state, ByteWriter *w, uint32_t *next_id, GChecksum *digest,
                 struct json_object *devices);

/* An estimate of the cost of savevm_save() and of the load on an equal target. */
typedef struct SavevmCost {
    unsigned devices; /* sections */
    uint64_t bytes;
    int64_t ns; /* CPU time of both ends together */
} SavevmCost;
/* Estimate the cost by saving a sample of the devices into memory. The guest may run. */
SavevmCost savevm_estimate(Machine *m);

typedef struct Loadvm Loadvm;
/* Begin to load into a machine that was built from the same description and reset. Returns an
 * object for loadvm_free(), which must be called before the machine is freed. */
Loadvm *loadvm_new(Machine *m);
void loadvm_free(Loadvm *l); /* NULL is allowed */

/**
 * loadvm_section() - Load one section.
 * @l:    from loadvm_new()
 * @s:    the header of the section
 * @data: its record; borrowed
 * @len:  the number of bytes in @data
 * @err:  where to store the error
 *
 * Return: true if the section was loaded; false with @err set if no object has that name and
 * instance, if the section was loaded before, if the record is shorter or longer than its fields,
 * or if a value is invalid. After an error the state of the object is undefined: the machine must
 * be reset or discarded.
 */
bool loadvm_section(Loadvm *l, const StreamSection *s, const uint8_t *data, size_t len,
                    GError **err);
/* Arm all timers. If sections are missing, return false with *err listing them, and arm none. */
bool loadvm_finish(Loadvm *l, GError **err);
/* Return the run state that the stream requests. Valid after loadvm_finish(). */
RunState loadvm_run_state(const Loadvm *l);

/* Return the table of one of the machine's own sections, "clock" or "globalstate"; NULL for any
 * other name. */
const VmState *savevm_table(const char *name);

/* Add a section, with its name, instance, version and length, to the digest that both ends
 * compare. */
void digest_section(GChecksum *digest, const StreamSection *s, const void *data, size_t len);

#endif
