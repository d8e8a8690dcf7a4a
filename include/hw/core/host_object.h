/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host objects: what -object and object-add create for others to use by id. No guest sees one,
 * and none is part of a stream. A kind is a const HostObjectKind with a table of properties; an
 * instance is one zeroed allocation that starts with a HostObject. Machine lock for everything.
 */
#ifndef HW_CORE_HOST_OBJECT_H
#define HW_CORE_HOST_OBJECT_H

#include "hw/core/device.h"

typedef struct HostObject HostObject;

typedef struct HostObjectKind {
    const char *name, *doc;
    size_t size;
    const PlanProp *props;
    size_t n_props;
    /* The properties are in their members: check them, open what they name. */
    bool (*open)(HostObject *o, GError **err);
    void (*close)(HostObject *o); /* also after an open() that failed */
} HostObjectKind;

struct HostObject {
    const HostObjectKind *kind;
    Machine *machine;
    char *id;
    GPtrArray *users; /* char*: who keeps it from being removed */
};

/* Options of QMP: false and a sentence if a value's JSON type is not that of its property (a string
 * for a number, say). Unknown kinds and properties are left to host_object_new(). */
bool host_object_check_types(struct json_object *options, GError **err);
/* From options with qom-type, id and properties, as text or JSON scalars. NULL and a sentence that
 * names the object; an unknown kind gets the list of those there are. */
HostObject *host_object_new(Machine *m, struct json_object *options, GError **err);
/* Refused, with the names of its users, while it is in use. */
bool host_object_del(Machine *m, const char *id, GError **err);
void host_object_free_all(Machine *m);
HostObject *host_object_find(const Machine *m, const char *id);
/* In order of creation. */
void host_object_foreach(const Machine *m, void (*fn)(void *opaque, HostObject *o), void *opaque);
/* Take it for `user` (named in refusals) and give it back. */
void host_object_use(HostObject *o, const char *user);
void host_object_unuse(HostObject *o, const char *user);
/* Canonical text of a property; g_free. NULL: no such property, or unset. */
char *host_object_prop_text(const HostObject *o, const char *name);

/* `-object help` and `-object KIND,help`; g_free. NULL and a sentence for an unknown kind. */
char *host_object_help(void);
char *host_object_kind_help(const char *name, GError **err);
/* All kinds, NULL-terminated. */
extern const HostObjectKind *const host_object_kinds[];

/* --- memory: host_memory.c --- */

/* NULL: o is no memory back end. */
const RamSource *host_memory_source(const HostObject *o);
uint64_t host_memory_size(const HostObject *o);
bool host_memory_shared(const HostObject *o);
/* A RAM block of the machine from the back end of this id, which must be of the size; user
 * "machine". NULL and a sentence. */
RamBlock *host_memory_ram(Machine *m, const char *backend, const char *block_id, uint64_t size,
                          GError **err);
/* The machine's RAM blocks are gone. */
void host_memory_release(Machine *m);

/* --- entropy: host_rng.c --- */

/* The back end of this id, or NULL and a sentence. */
HostObject *host_rng_find(Machine *m, const char *id, GError **err);
/* Up to len bytes; 0: none now. */
size_t host_rng_read(HostObject *o, void *buf, size_t len);
/* Call fn(opaque) from the main loop once when there may be more; fn NULL gives that up. */
void host_rng_wait(HostObject *o, void (*fn)(void *opaque), void *opaque);

/* --- I/O threads: host_iothread.c --- */

/* The host's thread id; 0: o is no I/O thread. */
int64_t host_iothread_tid(const HostObject *o);

/* --- secrets: host_secret.c --- */

/* The bytes, borrowed; NULL: o is no secret. */
GBytes *host_secret_bytes(const HostObject *o);

extern const HostObjectKind host_memory_file, host_memory_memfd, host_memory_ram_kind,
    host_rng_builtin, host_rng_random, host_iothread, host_secret;

#endif
