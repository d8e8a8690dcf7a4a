/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Host objects: the objects that -object and object-add create for use by id.
 *
 * A host object is not visible to the guest and not part of a stream. A class is a const
 * HostObjectKind with a table of properties. An instance is one zeroed allocation that starts with
 * a HostObject.
 *
 * Every function requires the machine lock.
 */
#ifndef HW_CORE_HOST_OBJECT_H
#define HW_CORE_HOST_OBJECT_H

#include "hw/core/device.h"
#include "util/io_limits.h"

typedef struct HostObject HostObject;

typedef struct HostObjectKind {
    const char *name, *doc;
    size_t size;
    const PlanProp *props;
    size_t n_props;
    /* Check the properties, which are stored in their members, and open the resources they name. */
    bool (*open)(HostObject *o, GError **err);
    /* Undo open(), also one that failed. */
    void (*close)(HostObject *o);
} HostObjectKind;

struct HostObject {
    const HostObjectKind *kind;
    Machine *machine;
    char *id;
    GPtrArray *users; /* char*: names of the users, which prevent its removal */
};

/**
 * host_object_new() - Create a host object.
 * @options: class (`type`), id and properties (`settings`, as text)
 * @err:     an ERROR_USER or ERROR_HOST that names the object; for an unknown class it lists the
 *           classes
 *
 * Return: the object, owned by the machine, or NULL. host_object_del() removes it.
 */
HostObject *host_object_new(Machine *m, const PlanDevice *options, GError **err);
/* Remove an object. False with an ERROR_USER if it does not exist, or that names its users. */
bool host_object_del(Machine *m, const char *id, GError **err);
/* Free all objects of a machine, in use or not. */
void host_object_free_all(Machine *m);
/* The object with an id; NULL: none. */
HostObject *host_object_find(const Machine *m, const char *id);
/* Call a function for each object in order of creation. */
void host_object_foreach(const Machine *m, void (*fn)(void *opaque, HostObject *o), void *opaque);
/* Prevent the removal of an object in the name of `user`, and allow it again. */
void host_object_use(HostObject *o, const char *user);
void host_object_unuse(HostObject *o, const char *user);
/* Canonical text of a property, to free with g_free(). NULL: unknown property or no value. */
char *host_object_prop_text(const HostObject *o, const char *name);

/* Text of `-object help` and `-object CLASS,help`, to free with g_free(). NULL with an ERROR_USER
 * for an unknown class. */
char *host_object_help(void);
char *host_object_kind_help(const char *name, GError **err);
/* The class with a name. NULL with an ERROR_USER that lists the classes if there is none. */
const HostObjectKind *host_object_find_kind(const char *name, GError **err);
/* All classes, NULL-terminated. */
extern const HostObjectKind *const host_object_kinds[];

/* --- memory: host_memory.c --- */

/* Source and size in bytes of the memory; NULL and 0: the object is not a memory back end. */
const RamSource *host_memory_source(const HostObject *o);
uint64_t host_memory_size(const HostObject *o);
/* Return whether writes reach the file or other processes (share=on). */
bool host_memory_shared(const HostObject *o);
/**
 * host_memory_ram() - Create a RAM block of the machine from a memory back end.
 * @backend:  id of the back end, which gets the user "machine"
 * @block_id: id of the RAM block
 * @size:     bytes; the back end must have this size
 *
 * Return: the block, owned by the machine, or NULL with an error.
 */
RamBlock *host_memory_ram(Machine *m, const char *backend, const char *block_id, uint64_t size,
                          GError **err);
/* As host_memory_ram(), for a block of @n parts (at most RAM_PARTS_MAX): part i consists of
 * sizes[i] bytes from backends[i]. All back ends are different. */
RamBlock *host_memory_ram_parts(Machine *m, const char *const *backends, const uint64_t *sizes,
                                unsigned n, const char *block_id, GError **err);
/* Undo the use of memory back ends by the machine, whose RAM blocks have been freed. */
void host_memory_release(Machine *m);

/* --- entropy: host_rng.c --- */

/* The entropy source with an id, or NULL with an ERROR_USER. */
HostObject *host_rng_find(Machine *m, const char *id, GError **err);
/* Read up to len bytes. Returns the number of bytes; 0: none are available now. */
size_t host_rng_read(HostObject *o, void *buf, size_t len);
/* Call fn(opaque) once from the main loop when bytes may be available. fn NULL cancels the call. */
void host_rng_wait(HostObject *o, void (*fn)(void *opaque), void *opaque);

/* --- I/O threads: host_iothread.c --- */

/* The host's id of the thread; 0: the object is not an I/O thread. */
int64_t host_iothread_tid(const HostObject *o);
/* The context of its event loop, borrowed; NULL: the object is not an I/O thread. */
GMainContext *host_iothread_context(const HostObject *o);
/* Its parameters of polling (hw/core/event_loop.h). */
typedef struct IothreadPolling {
    uint64_t max_ns, grow, shrink;
} IothreadPolling;
IothreadPolling host_iothread_polling(const HostObject *o);

/* --- secrets: host_secret.c --- */

/* The bytes of a secret, borrowed; NULL: the object is not a secret. */
GBytes *host_secret_bytes(const HostObject *o);

/* --- I/O limits: host_throttle.c --- */

/* The limits of a throttle group, borrowed; NULL: the object is not a throttle group. */
const IoLimits *host_throttle_limits(const HostObject *o);

/* --- TLS credentials: host_tls.c --- */

typedef struct HostTls {
    const char *dir;      /* folder with ca-cert.pem, ...; with keys.psk */
    const char *psk_user; /* NULL: certificates */
    bool verify_peer;     /* certificates: check that of the peer */
} HostTls;
/* Read TLS credentials of a client. The texts are borrowed. False: not TLS credentials. */
bool host_tls_read(const HostObject *o, HostTls *out);

extern const HostObjectKind host_memory_file, host_memory_memfd, host_memory_ram_kind,
    host_rng_builtin, host_rng_random, host_iothread, host_secret, host_throttle, host_tls_psk,
    host_tls_x509;

#endif
