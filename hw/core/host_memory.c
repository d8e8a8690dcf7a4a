/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * memory-backend-ram, -memfd and -file: sources of guest RAM.
 *
 * A back end describes how memory is allocated. The memory is allocated when the machine is built,
 * and again if a load fails and the machine is rebuilt. All classes use shared memory except a
 * private file.
 */
#include <errno.h>
#include <unistd.h>

#include "hw/core/host_object.h"
#include "util/error.h"

#define MACHINE      "machine" /* the user of RAM */
#define MEMORY_NODES 64

typedef struct HostMemory {
    HostObject o;
    uint64_t size;
    char *path, *nodes;
    uint32_t policy; /* RamPolicy */
    bool share, dump, reserve;
    RamSource source;
} HostMemory;

static const char *const memory_policies[] = { "default", "preferred", "bind", "interleave", NULL };

static HostMemory *memory_of(const HostObject *o)
{
    bool memory = o->kind == &host_memory_file || o->kind == &host_memory_memfd ||
                  o->kind == &host_memory_ram_kind;

    return memory ? (HostMemory *)o : NULL;
}

/* The file is created when the machine is built: check the permissions of it or its directory. */
static bool memory_check_path(const char *path, GError **err)
{
    g_autofree char *folder = g_path_get_dirname(path);
    bool there = g_file_test(path, G_FILE_TEST_EXISTS);

    if (access(there ? path : folder, there ? R_OK | W_OK : W_OK | X_OK) < 0) {
        return error_set(err, ERROR_USER, "mem-path=%s cannot be %s: %s", path,
                         there ? "read and written" : "created", g_strerror(errno));
    }
    return true;
}

/* "0-3,6": nodes of the host, which the kernel numbers from 0. */
static bool memory_read_nodes(HostMemory *h, GError **err)
{
    const char *p = h->nodes ? h->nodes : "";
    bool bad = false;

    h->source.nodes = 0;
    while (*p && !bad) {
        char *end;
        guint64 first = g_ascii_strtoull(p, &end, 10), last = first;

        bad = !g_ascii_isdigit(*p);
        if (*end == '-') {
            p = end + 1;
            bad |= !g_ascii_isdigit(*p);
            last = g_ascii_strtoull(p, &end, 10);
        }
        bad |= last < first || last >= MEMORY_NODES || (*end && (*end != ',' || !end[1]));
        for (guint64 n = first; !bad && n <= last; n++) {
            h->source.nodes |= UINT64_C(1) << n;
        }
        p = *end ? end + 1 : end;
    }
    if (bad) {
        return error_set(err, ERROR_USER,
                         "host-nodes=%s: use numbers and ranges up to %d, as in 0-2,5", h->nodes,
                         MEMORY_NODES - 1);
    }
    return (h->policy != RAM_POLICY_DEFAULT) == (h->source.nodes != 0) ||
           error_set(err, ERROR_USER, "policy=%s %s host-nodes=", memory_policies[h->policy],
                     h->source.nodes ? "excludes" : "requires");
}

static bool memory_open(HostObject *o, GError **err)
{
    HostMemory *h = memory_of(o);
    uint64_t huge = h->source.hugetlb_size;

    if (huge && (!h->source.hugetlb || (huge & (huge - 1)))) {
        return error_set(err, ERROR_USER, "hugetlbsize=%" G_GUINT64_FORMAT " %s", huge,
                         h->source.hugetlb ? "is not a power of two" : "requires hugetlb=on");
    }
    if (!memory_read_nodes(h, err)) {
        return false;
    }
    if (h->source.threads > 1 && !h->source.prealloc) {
        return error_set(err, ERROR_USER, "prealloc-threads=%u requires prealloc=on",
                         h->source.threads);
    }
    h->source.policy = (RamPolicy)h->policy;
    h->source.path = h->path;
    h->source.private_file = !h->share;
    h->source.memfd = o->kind == &host_memory_memfd || (!h->path && h->share);
    h->source.no_dump = !h->dump;
    h->source.no_reserve = !h->reserve;
    if (h->path && !memory_check_path(h->path, err)) {
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

/* Return the back end with an id, which has @size bytes; NULL with an error if there is none. */
static HostMemory *memory_find_sized(Machine *m, const char *option, const char *backend,
                                     uint64_t size, GError **err)
{
    HostObject *o = host_object_find(m, backend);
    HostMemory *h = o ? memory_of(o) : NULL;
    bool node = strcmp(option, "memdev") == 0;

    if (!h) {
        error_set(err, ERROR_USER, "%s=%s: %s", option, backend,
                  o ? "the object is not a memory back end"
                    : "the object does not exist; add -object memory-backend-ram,id=...");
    } else if (h->size != size) {
        error_set(err, ERROR_USER,
                  "%s=%s has %" G_GUINT64_FORMAT " bytes, the %s %" G_GUINT64_FORMAT
                  ": use the same size for both%s",
                  option, backend, h->size, node ? "node" : "machine", size,
                  node ? "" : ", or omit -m");
    } else {
        return h;
    }
    return NULL;
}

static RamBlock *memory_block(Machine *m, const char *option, const char *const *backends,
                              const uint64_t *sizes, unsigned n, const char *block_id, GError **err)
{
    const RamSource anonymous = { .no_reserve = true };
    HostMemory *h[RAM_PARTS_MAX];
    RamPart parts[RAM_PARTS_MAX];
    RamBlock *block;

    g_assert(n > 0 && n <= RAM_PARTS_MAX);
    for (unsigned i = 0; i < n; i++) {
        h[i] = memory_find_sized(m, option, backends[i], sizes[i], err);
        if (!h[i]) {
            return NULL;
        }
        parts[i] = (RamPart){ sizes[i], m->dry_run ? &anonymous : &h[i]->source };
    }
    block = machine_ram_new_parts(m, block_id, parts, n, err);
    for (unsigned i = 0; block && i < n; i++) {
        host_object_use(&h[i]->o, MACHINE);
    }
    return block;
}

RamBlock *host_memory_ram(Machine *m, const char *backend, const char *block_id, uint64_t size,
                          GError **err)
{
    return memory_block(m, "memory-backend", &backend, &size, 1, block_id, err);
}

RamBlock *host_memory_ram_parts(Machine *m, const char *const *backends, const uint64_t *sizes,
                                unsigned n, const char *block_id, GError **err)
{
    return memory_block(m, "memdev", backends, sizes, n, block_id, err);
}

static void memory_release_one(void *opaque, HostObject *o)
{
    if (memory_of(o)) {
        host_object_unuse(o, MACHINE);
    }
}

void host_memory_release(Machine *m)
{
    host_object_foreach(m, memory_release_one, NULL);
}

/* --- the classes --- */

#define SIZE_PROP                                                                                  \
    {                                                                                              \
        .name = "size", .kind = PLAN_PROP_SIZE, .flags = PLAN_PROP_REQUIRED,                       \
        .field = FIELD(HostMemory, size, uint64_t), .min = 1, .max = 1ull << 52,                   \
        .doc = "bytes (suffixes k M G T)"                                                          \
    }
#define NODES_PROP                                                                                 \
    {                                                                                              \
        .name = "host-nodes", .kind = PLAN_PROP_STRING, .flags = PLAN_PROP_NUMBERS,                \
        .field = FIELD(HostMemory, nodes, char *),                                                 \
        .doc = "NUMA nodes of the host for policy=, such as 0-1"                                   \
    }
#define COMMON_PROPS(shared, text)                                                                 \
    SIZE_PROP, PROP_BOOL(HostMemory, share, "share", shared, text),                                \
        PROP_BOOL(HostMemory, source.prealloc, "prealloc", false,                                  \
                  "allocate all of the memory when the machine is built"),                         \
        PROP_U32(HostMemory, source.threads, "prealloc-threads", 1, 1, 64,                         \
                 "threads that allocate the memory"),                                              \
        NODES_PROP,                                                                                \
        PROP_ENUM(HostMemory, policy, "policy", RAM_POLICY_DEFAULT, memory_policies,               \
                  "how host-nodes= provide the memory"),                                           \
        PROP_BOOL(HostMemory, source.merge, "merge", true, "let the host merge equal pages"),      \
        PROP_BOOL(HostMemory, dump, "dump", true,                                                  \
                  "include the memory in core files of the emulator"),                             \
        PROP_BOOL(HostMemory, reserve, "reserve", true,                                            \
                  "reject more memory than the host has, and reserve huge pages")

static const PlanProp ram_props[] = {
    COMMON_PROPS(false, "use a memfd, which other processes can map"),
};
static const PlanProp memfd_props[] = {
    COMMON_PROPS(true, "accepted: the memory can be shared either way"),
    PROP_BOOL(HostMemory, source.hugetlb, "hugetlb", false, "use huge pages"),
    PROP_SIZE(HostMemory, source.hugetlb_size, "hugetlbsize", 0, 0, UINT64_MAX,
              "size of the huge pages (0: the host's default)"),
    PROP_BOOL(HostMemory, source.seal, "seal", true,
              "seal the memfd, so that its size cannot change"),
};
static const PlanProp file_props[] = {
    COMMON_PROPS(false, "guest writes are stored in the file"),
    PROP_BOOL(HostMemory, source.discard, "discard-data", false,
              "discard the contents of the file when the emulator ends"),
    { .name = "mem-path",
      .kind = PLAN_PROP_STRING,
      .flags = PLAN_PROP_REQUIRED,
      .field = FIELD(HostMemory, path, char *),
      .doc = "the file, created if it does not exist; or a directory for an unnamed file "
             "(hugetlbfs)" },
};

#define MEMORY_KIND(n, text, props_)                                                               \
    {                                                                                              \
        .name = (n), .doc = (text), .size = sizeof(HostMemory), .props = LIST(props_),             \
        .open = memory_open, .close = memory_close                                                 \
    }
const HostObjectKind host_memory_ram_kind =
    MEMORY_KIND("memory-backend-ram", "memory of the host for guest RAM", ram_props);
const HostObjectKind host_memory_memfd =
    MEMORY_KIND("memory-backend-memfd",
                "memory of the host for guest RAM, with huge pages and seals", memfd_props);
const HostObjectKind host_memory_file =
    MEMORY_KIND("memory-backend-file", "a file of the host as guest RAM", file_props);
