/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rng-builtin and rng-random: entropy from the host's kernel, and from a device file of the host.
 * Reading never waits. A file without data is watched until it has data.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "hw/core/host_object.h"
#include "hw/core/random.h"
#include "util/error.h"
#include "util/log.h"

typedef struct HostRng {
    HostObject o;
    char *filename;
    int fd;     /* -1: the kernel's generator */
    bool ended; /* end of file was reached */
    GSource *watch;
    void (*fn)(void *opaque);
    void *opaque;
} HostRng;

static HostRng *rng_backend(HostObject *o)
{
    return (HostRng *)o;
}

HostObject *host_rng_find(Machine *m, const char *id, GError **err)
{
    HostObject *o = host_object_find(m, id);

    if (o && (o->kind == &host_rng_builtin || o->kind == &host_rng_random)) {
        return o;
    }
    error_set(err, ERROR_USER, "rng=%s: %s", id,
              o ? "the object is not an entropy source"
                : "the object does not exist; add -object rng-builtin,id=... or rng-random");
    return NULL;
}

size_t host_rng_read(HostObject *o, void *buf, size_t len)
{
    HostRng *r = rng_backend(o);
    ssize_t n = r->fd < 0 ? (ssize_t)machine_random(o->machine, buf, len) : read(r->fd, buf, len);

    if (n == 0 && len > 0 && !r->ended) {
        r->ended = true;
        guest_error(o->id, "%s has no more bytes", r->filename);
    }
    return n > 0 ? (size_t)n : 0;
}

static gboolean rng_readable(gint fd, GIOCondition cond, gpointer opaque)
{
    HostRng *r = opaque;

    g_clear_pointer(&r->watch, g_source_unref);
    r->fn(r->opaque);
    return G_SOURCE_REMOVE;
}

void host_rng_wait(HostObject *o, void (*fn)(void *opaque), void *opaque)
{
    HostRng *r = rng_backend(o);

    if (r->watch) {
        g_source_destroy(r->watch);
        g_clear_pointer(&r->watch, g_source_unref);
    }
    if (fn && r->fd >= 0 && !r->ended) {
        r->fn = fn;
        r->opaque = opaque;
        r->watch = g_unix_fd_source_new(r->fd, G_IO_IN);
        g_source_set_callback(r->watch, G_SOURCE_FUNC(rng_readable), r, NULL);
        g_source_attach(r->watch, NULL);
    }
}

static bool rng_builtin_open(HostObject *o, GError **err)
{
    rng_backend(o)->fd = -1;
    return true;
}

static bool rng_random_open(HostObject *o, GError **err)
{
    HostRng *r = rng_backend(o);

    r->fd = -1;
    if (o->machine->dry_run) {
        return true;
    }
    r->fd = open(r->filename, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (r->fd < 0) {
        error_set(err, ERROR_USER, "filename=%s cannot be opened: %s", r->filename,
                  g_strerror(errno));
    }
    return r->fd >= 0;
}

static void rng_close(HostObject *o)
{
    HostRng *r = rng_backend(o);

    host_rng_wait(o, NULL, NULL);
    if (o->kind == &host_rng_random && r->fd > 0) {
        close(r->fd);
    }
}

static const PlanProp random_props[] = {
    { .name = "filename",
      .kind = PLAN_PROP_STRING,
      .field = FIELD(HostRng, filename, char *),
      .def_str = "/dev/urandom",
      .doc = "the file to read" },
};
const HostObjectKind host_rng_builtin = {
    .name = "rng-builtin",
    .doc = "entropy from the host's kernel",
    .size = sizeof(HostRng),
    .open = rng_builtin_open,
    .close = rng_close,
};
const HostObjectKind host_rng_random = {
    .name = "rng-random",
    .doc = "entropy from a device file of the host",
    .size = sizeof(HostRng),
    .props = LIST(random_props),
    .open = rng_random_open,
    .close = rng_close,
};
