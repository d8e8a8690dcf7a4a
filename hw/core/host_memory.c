/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory-backend-ram, -memfd and -file: where guest RAM comes from.
 *
 * A back end says how memory is made; it is made when the machine is built, and again if a load
 * fails and the machine is built anew. Beside a private file all kinds are shared memory.
 */
#include <errno.h>
#include <unistd.h>

#include "hw/core/host_object.h"

#define BAD     G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE
#define MACHINE "machine" /* the user of RAM */

typedef struct HostMemory {
    HostObject o;
    uint64_t size;
    char *path;
    bool share, dump, reserve;
    RamSource source;
} HostMemory;

static HostMemory *memory_of(const HostObject *o)
{
    bool memory = o->kind == &host_memory_file || o->kind == &host_memory_memfd ||
                  o->kind == &host_memory_ram_kind;

    return memory ? (HostMemory *)o : NULL;
}

/* The file is made when the machine is built: it or its folder must allow that. */
static bool check_path(const char *path, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    bool there = g_file_test(path, G_FILE_TEST_EXISTS);

    if (access(there ? path : folder, there ? R_OK | W_OK : W_OK | X_OK) < 0) {
        g_set_error(err, BAD, "mem-path=%s cannot be %s: %s", path,
                    there ? "read and written" : "created", g_strerror(errno));
        return false;
    }
    return true;
}

static bool memory_open(HostObject *o, GError **err)
{
    HostMemory *h = memory_of(o);
    uint64_t huge = h->source.hugetlb_size;

    if (huge && (!h->source.hugetlb || (huge & (huge - 1)))) {
        g_set_error(err, BAD, "hugetlbsize=%" G_GUINT64_FORMAT " %s", huge,
                    h->source.hugetlb ? "is no power of two" : "needs hugetlb=on");
        return false;
    }
    h->source.path = h->path;
    h->source.private_file = !h->share;
    h->source.no_dump = !h->dump;
    h->source.no_reserve = !h->reserve;
    if (h->path && !check_path(h->path, err)) {
        return false;
    }
    return ram_check_host(o->id, h->size, &h->source, err);
}

static void memory_close(HostObject *o)
{
}

const RamSource *host_memory_source(const HostObject *o)
{
    HostMemory *h = memory_of(o);

    return h ? &h->source : NULL;
}

uint64_t host_memory_size(const HostObject *o)
{
    HostMemory *h = memory_of(o);

    return h ? h->size : 0;
}

bool host_memory_shared(const HostObject *o)
{
    HostMemory *h = memory_of(o);

    return h && h->share;
}

RamBlock *host_memory_ram(Machine *m, const char *backend, const char *block_id, uint64_t size,
                          GError **err)
{
    HostObject *o = host_object_find(m, backend);
    HostMemory *h = o ? memory_of(o) : NULL;
    const RamSource anonymous = { .no_reserve = true };
    RamBlock *block;

    if (!h) {
        g_set_error(err, BAD, "memory-backend=%s: %s", backend,
                    o ? "that object is no memory back end"
                      : "there is no such object: add -object memory-backend-ram,id=...");
        return NULL;
    }
    if (h->size != size) {
        g_set_error(err, BAD,
                    "memory-backend=%s has %" G_GUINT64_FORMAT
                    " bytes, the machine %" G_GUINT64_FORMAT
                    ": give both the same size, or leave -m out",
                    backend, h->size, size);
        return NULL;
    }
    block = machine_ram_new_from(m, block_id, size, m->dry_run ? &anonymous : &h->source, err);
    if (block) {
        host_object_use(o, MACHINE);
    }
    return block;
}

static void release(void *opaque, HostObject *o)
{
    if (memory_of(o)) {
        host_object_unuse(o, MACHINE);
    }
}

void host_memory_release(Machine *m)
{
    host_object_foreach(m, release, NULL);
}

/* --- the kinds --- */

#define SIZE_PROP                                                                                  \
    {                                                                                              \
        .name = "size", .kind = PLAN_PROP_SIZE, .flags = PLAN_PROP_REQUIRED,                       \
        .field = FIELD(HostMemory, size, uint64_t), .min = 1, .max = 1ull << 52,                   \
        .doc = "bytes (suffixes k M G T)"                                                          \
    }
#define COMMON_PROPS(shared, text)                                                                 \
    SIZE_PROP, PROP_BOOL(HostMemory, share, "share", shared, text),                                \
        PROP_BOOL(HostMemory, source.prealloc, "prealloc", false,                                  \
                  "have the host provide all of it at once"),                                      \
        PROP_BOOL(HostMemory, source.merge, "merge", true, "let the host merge equal pages"),      \
        PROP_BOOL(HostMemory, dump, "dump", true, "in core files of the emulator"),                \
        PROP_BOOL(HostMemory, reserve, "reserve", true,                                            \
                  "refuse more memory than the host has, and reserve huge pages")

static const PlanProp ram_props[] = {
    COMMON_PROPS(false, "accepted: the memory can be shared either way"),
};
static const PlanProp memfd_props[] = {
    COMMON_PROPS(true, "accepted: the memory can be shared either way"),
    PROP_BOOL(HostMemory, source.hugetlb, "hugetlb", false, "of huge pages"),
    PROP_SIZE(HostMemory, source.hugetlb_size, "hugetlbsize", 0, 0, UINT64_MAX,
              "their size (0: the host's default)"),
    PROP_BOOL(HostMemory, source.seal, "seal", true, "fix its size for whoever shares it"),
};
static const PlanProp file_props[] = {
    COMMON_PROPS(false, "what the guest writes goes into the file"),
    { .name = "mem-path",
      .kind = PLAN_PROP_STRING,
      .flags = PLAN_PROP_REQUIRED,
      .field = FIELD(HostMemory, path, char *),
      .doc = "the file, made if it is not there; or a folder for an unnamed one (hugetlbfs)" },
};

#define MEMORY_KIND(n, text, props_)                                                               \
    {                                                                                              \
        .name = (n), .doc = (text), .size = sizeof(HostMemory), .props = LIST(props_),             \
        .open = memory_open, .close = memory_close                                                 \
    }
const HostObjectKind host_memory_ram_kind =
    MEMORY_KIND("memory-backend-ram", "memory of the host for guest RAM", ram_props);
const HostObjectKind host_memory_memfd =
    MEMORY_KIND("memory-backend-memfd", "the same, with huge pages and seals", memfd_props);
const HostObjectKind host_memory_file =
    MEMORY_KIND("memory-backend-file", "a file of the host as guest RAM", file_props);
