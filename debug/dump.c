/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing guest memory to a file (contract in debug/dump.h).
 *
 * An ELF core consists of the ELF header, program headers, notes, and the contents of RAM in
 * ascending order of physical addresses. With paging, the segments have virtual addresses and refer
 * to the same contents (System V ABI, "Object Files"; Linux, "struct elf_prstatus").
 */
#include "debug/dump.h"

#include <elf.h>
#include <errno.h>
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>

#include "debug/memory.h"
#include "util/error.h"
#include "util/outfile.h"

#define DUMP_STEP        (4u << 20) /* bytes */
#define DUMP_ALIGN       4096u
#define DUMP_RANGES_MAX  4096u
#define DUMP_MAPS_MAX    32768u
#define DUMP_PTE_MAX     (1u << 24)
#define DUMP_MODE        0600
#define EF_RISCV_DEFAULT 5u /* RVC, double-float ABI */

/* A range of RAM. */
typedef struct DumpRange {
    uint64_t pa, size, offset; /* in the file */
} DumpRange;

struct DebugDump {
    Machine *m;
    Cpu *cpu; /* translates addresses of debug_dump_bytes() */
    OutFile *file;
    int fd;             /* of file, or owned if there is no file */
    GByteArray *header; /* all bytes before the contents */
    GArray *ranges;     /* DumpRange */
    uint64_t done, total;
    uint8_t *buffer; /* DUMP_STEP bytes, from buffer_at to buffer_end not written yet */
    size_t buffer_at, buffer_end;
};

/* --- RAM --- */

static void dump_add_range(DebugDump *d, uint64_t first, uint64_t last)
{
    DumpRange *before =
        d->ranges->len ? &g_array_index(d->ranges, DumpRange, d->ranges->len - 1) : NULL;

    if (before && before->pa + before->size == first) {
        before->size += last - first + 1;
    } else {
        g_array_append_val(d->ranges, ((DumpRange){ .pa = first, .size = last - first + 1 }));
    }
}

/* Find all RAM of the machine in ascending order. ROM is left out. */
static bool dump_find_ram(DebugDump *d, const DebugCoreOptions *o, GError **err)
{
    uint64_t begin = o->limited ? o->begin : 0;
    uint64_t end = o->limited ? o->begin + o->length - 1 : UINT64_MAX;

    for (uint64_t at = begin;;) {
        MemLookup l = mem_lookup(&d->m->memory, at);
        uint64_t last = MIN(l.last, end);

        if (l.leaf && l.leaf->kind == MEM_RAM && !l.leaf->ram->read_only) {
            dump_add_range(d, at, last);
        }
        if (d->ranges->len > DUMP_RANGES_MAX) {
            return error_set(err, ERROR_GUEST, "dump: RAM consists of more than %u ranges",
                             DUMP_RANGES_MAX);
        }
        if (last >= end) {
            break;
        }
        at = last + 1;
    }
    return d->ranges->len > 0 ||
           error_set(err, ERROR_USER, "dump: there is no RAM from 0x%" PRIx64 " to 0x%" PRIx64,
                     begin, end);
}

/* --- ELF --- */

/* Notes: the registers of each CPU, as Linux writes those of a thread on riscv64. */
static void dump_add_note(DebugDump *d, GByteArray *out, Cpu *cpu)
{
    enum { PRSTATUS_SIZE = 376, PID_OFFSET = 32, REGS_OFFSET = 112 };
    static const char name[8] = "CORE";
    const CpuDebugOps *ops = cpu->type->debug;
    Elf64_Nhdr note = { .n_namesz = 5, .n_descsz = PRSTATUS_SIZE, .n_type = NT_PRSTATUS };
    uint8_t status[PRSTATUS_SIZE] = { 0 };
    uint32_t pid = cpu->index + 1;

    memcpy(status + PID_OFFSET, &pid, sizeof(pid));
    for (unsigned i = 0; ops && i < 32; i++) {
        uint64_t value = 0;

        ops->read(cpu, i == 0 ? ops->pc : i, &value, NULL); /* pc is stored in place of x0 */
        memcpy(status + REGS_OFFSET + 8 * i, &value, sizeof(value));
    }
    g_byte_array_append(out, (const guint8 *)&note, sizeof(note));
    g_byte_array_append(out, (const guint8 *)name, sizeof(name));
    g_byte_array_append(out, status, sizeof(status));
}

static GByteArray *dump_notes(DebugDump *d)
{
    GByteArray *out = g_byte_array_new();

    for (unsigned i = 0; i < d->m->cpus->len; i++) {
        dump_add_note(d, out, g_ptr_array_index(d->m->cpus, i));
    }
    return out;
}

static Elf64_Phdr dump_segment(const DumpRange *r, uint64_t va, uint64_t pa, uint64_t size)
{
    return (Elf64_Phdr){
        .p_type = PT_LOAD,
        .p_flags = PF_R | PF_W | PF_X,
        .p_offset = r->offset + (pa - r->pa),
        .p_vaddr = va,
        .p_paddr = pa,
        .p_filesz = size,
        .p_memsz = size,
    };
}

typedef struct DumpMaps {
    GArray *maps; /* CpuMapping, of which contiguous ones are joined */
} DumpMaps;

static bool dump_add_mapping(void *opaque, const CpuMapping *map)
{
    GArray *maps = ((DumpMaps *)opaque)->maps;
    CpuMapping *last = maps->len ? &g_array_index(maps, CpuMapping, maps->len - 1) : NULL;

    if (last && last->va + last->size == map->va && last->pa + last->size == map->pa) {
        last->size += map->size;
    } else {
        g_array_append_val(maps, *map);
    }
    return maps->len <= DUMP_MAPS_MAX;
}

/* Add the segments of a virtual range: its parts that are RAM. */
static void dump_add_mapped(const DebugDump *d, const CpuMapping *map, GArray *segments)
{
    for (unsigned i = 0; i < d->ranges->len; i++) {
        const DumpRange *r = &g_array_index(d->ranges, DumpRange, i);
        uint64_t first = MAX(map->pa, r->pa), end = MIN(map->pa + map->size, r->pa + r->size);

        if (first < end) {
            Elf64_Phdr s = dump_segment(r, map->va + (first - map->pa), first, end - first);
            g_array_append_val(segments, s);
        }
    }
}

/* Without translation, virtual addresses are physical ones. */
static bool dump_virtual_segments(const DebugDump *d, GArray *segments, bool *translated,
                                  GError **err)
{
    Cpu *cpu = g_ptr_array_index(d->m->cpus, 0);
    DumpMaps maps = { g_array_new(FALSE, FALSE, sizeof(CpuMapping)) };
    bool complete = true;

    *translated = cpu->type->debug->mappings(cpu, DUMP_PTE_MAX, &complete, dump_add_mapping, &maps);
    for (unsigned i = 0; i < maps.maps->len && segments->len <= DUMP_MAPS_MAX; i++) {
        dump_add_mapped(d, &g_array_index(maps.maps, CpuMapping, i), segments);
    }
    complete = complete && maps.maps->len <= DUMP_MAPS_MAX && segments->len <= DUMP_MAPS_MAX;
    g_array_free(maps.maps, TRUE);
    return complete ||
           error_set(err, ERROR_GUEST, "dump: the guest maps more than %u ranges; use paging=false",
                     DUMP_MAPS_MAX);
}

static bool dump_segments(const DebugDump *d, bool paging, GArray *segments, GError **err)
{
    bool translated = false;

    if (paging && d->m->cpus->len == 0) {
        return error_set(err, ERROR_USER, "dump: paging=true requires a machine with a CPU");
    }
    if (paging && !dump_virtual_segments(d, segments, &translated, err)) {
        return false;
    }
    for (unsigned i = 0; !translated && i < d->ranges->len; i++) {
        const DumpRange *r = &g_array_index(d->ranges, DumpRange, i);
        Elf64_Phdr s = dump_segment(r, r->pa, r->pa, r->size);
        g_array_append_val(segments, s);
    }
    return true;
}

static void dump_pad(GByteArray *out, unsigned align)
{
    static const guint8 zeroes[DUMP_ALIGN];

    g_byte_array_append(out, zeroes, (align - out->len % align) % align);
}

/* Build the header for @n_segments segments, with @contents as the offset of RAM. */
static void dump_build_header(DebugDump *d, const GArray *segments, const GByteArray *notes)
{
    uint64_t notes_at = sizeof(Elf64_Ehdr) + (segments->len + 1) * sizeof(Elf64_Phdr);
    Elf64_Ehdr e = {
        .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
        .e_type = ET_CORE,
        .e_machine = EM_RISCV,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(e),
        .e_flags = EF_RISCV_DEFAULT,
        .e_ehsize = sizeof(e),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (Elf64_Half)(segments->len + 1),
    };
    Elf64_Phdr note = { .p_type = PT_NOTE,
                        .p_offset = notes_at,
                        .p_filesz = notes->len,
                        .p_memsz = notes->len,
                        .p_align = 4 };

    g_byte_array_append(d->header, (const guint8 *)&e, sizeof(e));
    g_byte_array_append(d->header, (const guint8 *)&note, sizeof(note));
    g_byte_array_append(d->header, (const guint8 *)segments->data,
                        segments->len * sizeof(Elf64_Phdr));
    g_byte_array_append(d->header, notes->data, notes->len);
    dump_pad(d->header, DUMP_ALIGN);
}

/* The offsets of the segments depend on the size of the header, which depends on their number. */
static bool dump_build_core(DebugDump *d, bool paging, GError **err)
{
    GArray *segments = g_array_new(FALSE, FALSE, sizeof(Elf64_Phdr));
    GByteArray *notes = dump_notes(d);
    bool ok = dump_segments(d, paging, segments, err);

    if (ok) {
        uint64_t size = sizeof(Elf64_Ehdr) + (segments->len + 1) * sizeof(Elf64_Phdr) + notes->len;
        uint64_t at = (size + DUMP_ALIGN - 1) & ~(uint64_t)(DUMP_ALIGN - 1);

        for (unsigned i = 0; i < d->ranges->len; i++) {
            DumpRange *r = &g_array_index(d->ranges, DumpRange, i);
            r->offset = at;
            at += r->size;
        }
        g_array_set_size(segments, 0);
        ok = dump_segments(d, paging, segments, err); /* again, with the offsets */
    }
    if (ok) {
        dump_build_header(d, segments, notes);
    }
    g_array_free(segments, TRUE);
    g_byte_array_unref(notes);
    return ok;
}

/* --- the file --- */

static DebugDump *dump_new(Machine *m, const char *path, int fd, GError **err)
{
    DebugDump *d = g_new0(DebugDump, 1);

    d->m = m;
    d->fd = fd;
    d->header = g_byte_array_new();
    d->ranges = g_array_new(FALSE, FALSE, sizeof(DumpRange));
    d->buffer = g_malloc(DUMP_STEP);
    if (path) {
        d->file = out_file_begin(path, DUMP_MODE, err);
        d->fd = d->file ? out_file_fd(d->file) : -1;
    } else if (!g_unix_set_fd_nonblocking(fd, TRUE, err)) {
        close(fd);
        d->fd = -1;
    }
    if (d->fd < 0) {
        debug_dump_free(d);
        return NULL;
    }
    return d;
}

static void dump_set_total(DebugDump *d)
{
    d->total = d->header->len;
    for (unsigned i = 0; i < d->ranges->len; i++) {
        d->total += g_array_index(d->ranges, DumpRange, i).size;
    }
}

DebugDump *debug_dump_core(Machine *m, const DebugCoreOptions *options, const char *path, int fd,
                           GError **err)
{
    DebugDump *d = dump_new(m, path, fd, err);

    if (!d) {
        return NULL;
    }
    if (options->limited &&
        (options->length == 0 || options->begin + (options->length - 1) < options->begin)) {
        error_set(err, ERROR_USER,
                  "dump: length 0x%" PRIx64 " from 0x%" PRIx64
                  " is accepted only above 0 and up to the end of the address space",
                  options->length, options->begin);
    } else if (dump_find_ram(d, options, err) && dump_build_core(d, options->paging, err)) {
        dump_set_total(d);
        return d;
    }
    debug_dump_free(d);
    return NULL;
}

DebugDump *debug_dump_bytes(Machine *m, Cpu *cpu, uint64_t addr, uint64_t len, const char *path,
                            GError **err)
{
    DebugDump *d;

    if (len > 0 && addr + (len - 1) < addr) {
        error_set(err, ERROR_USER,
                  "0x%" PRIx64 " bytes from 0x%" PRIx64 " exceed the address space", len, addr);
        return NULL;
    }
    d = dump_new(m, path, -1, err);
    if (d) {
        d->cpu = cpu;
        g_array_append_val(d->ranges, ((DumpRange){ .pa = addr, .size = len }));
        dump_set_total(d);
    }
    return d;
}

/* --- writing --- */

static void dump_read_memory(void *opaque)
{
    DebugDump *d = opaque;
    uint64_t skip = d->done - d->header->len;

    for (unsigned i = 0; i < d->ranges->len; i++) {
        const DumpRange *r = &g_array_index(d->ranges, DumpRange, i);

        if (skip < r->size) {
            uint64_t n = MIN(r->size - skip, DUMP_STEP);
            d->buffer_end = debug_read(d->m, d->cpu, r->pa + skip, d->buffer, n);
            return;
        }
        skip -= r->size;
    }
}

/* Fill the buffer with the bytes at d->done. */
static bool dump_fill(DebugDump *d, GError **err)
{
    d->buffer_at = d->buffer_end = 0;
    if (d->done < d->header->len) {
        d->buffer_end = MIN(d->header->len - d->done, DUMP_STEP);
        memcpy(d->buffer, d->header->data + d->done, d->buffer_end);
    } else {
        cpus_exclusive(d->m, dump_read_memory, d);
    }
    if (d->buffer_end == 0) {
        const DumpRange *r = &g_array_index(d->ranges, DumpRange, 0);

        return error_set(err, ERROR_USER, "memory at 0x%" PRIx64 " cannot be read",
                         r->pa + (d->done - d->header->len));
    }
    return true;
}

static DebugDumpStep dump_complete(DebugDump *d, GError **err)
{
    OutFile *file = g_steal_pointer(&d->file);

    if (!file) {
        return DEBUG_DUMP_DONE;
    }
    d->fd = -1;
    return out_file_commit(file, false, err) ? DEBUG_DUMP_DONE : DEBUG_DUMP_FAILED;
}

DebugDumpStep debug_dump_step(DebugDump *d, GError **err)
{
    ssize_t n;

    if (d->done == d->total) {
        return dump_complete(d, err);
    }
    if (d->buffer_at == d->buffer_end && !dump_fill(d, err)) {
        return DEBUG_DUMP_FAILED;
    }
    n = write(d->fd, d->buffer + d->buffer_at, d->buffer_end - d->buffer_at);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return DEBUG_DUMP_WAIT;
    }
    if (n <= 0) {
        error_set_errno(err, n < 0 ? errno : ENOSPC, "guest memory cannot be written");
        return DEBUG_DUMP_FAILED;
    }
    d->buffer_at += (size_t)n;
    d->done += (uint64_t)n;
    return DEBUG_DUMP_MORE;
}

void debug_dump_progress(const DebugDump *d, uint64_t *done, uint64_t *total)
{
    *done = d->done;
    *total = d->total;
}

void debug_dump_free(DebugDump *d)
{
    if (!d) {
        return;
    }
    if (d->file) {
        out_file_abort(d->file);
    } else if (d->fd >= 0) {
        close(d->fd);
    }
    g_byte_array_unref(d->header);
    g_array_free(d->ranges, TRUE);
    g_free(d->buffer);
    g_free(d);
}
