/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Complete emulators inside a test program: they wait for streams, load them, save again, and run
 * hostile accesses of a guest on the loaded machine. Thousands of loads per second instead of tens.
 */
#ifndef TESTS_MIGRATION_RIG_H
#define TESTS_MIGRATION_RIG_H

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "hw/core/clock.h"
#include "hw/core/cpu.h"
#include "hw/core/state.h"
#include "hw/pci/internal.h"
#include "migration/internal.h"
#include "system/internal.h"
#include "tests/lib/wait.h"

/* The host parts that the golden streams refer to. */
#define RIG_HOST                                                                                   \
    "-blockdev", "null-co,node-name=d0,size=1048576", "-blockdev",                                 \
        "null-co,node-name=d1,size=1048576", "-netdev", "hubport,id=n0,hubid=0", "-netdev",        \
        "hubport,id=n1,hubid=0", "-chardev", "null,id=c0", "-chardev", "null,id=c1"

/* Create an emulator that waits for a stream (-incoming defer), or with args an independent
 * machine. */
static Session *rig_open_args(const char *const *args, unsigned n)
{
    g_autoptr(GError) err = NULL;
    Session *s = session_new("rig");
    sigset_t end;

    if (!session_prepare(s, (int)n, (char **)args, &err) || !session_start(s, &err)) {
        g_error("%s", err->message);
    }
    /* SIGTERM must end the test program, not one emulator in it */
    sigemptyset(&end);
    sigaddset(&end, SIGINT);
    sigaddset(&end, SIGTERM);
    sigprocmask(SIG_UNBLOCK, &end, NULL);
    return s;
}

/* accel: "qtest", where harts are stopped, or "interp". */
static inline Session *rig_open(const char *accel)
{
    /* without firmware: rig_save() writes no boot images */
    const char *const args[] = { "rig",
                                 "-rtc",
                                 "base=2026-11-20,clock=vm",
                                 "-nodefaults",
                                 "-accel",
                                 accel,
                                 RIG_HOST,
                                 "-incoming",
                                 "defer",
                                 "-chardev",
                                 "null,id=serial0",
                                 "-bios",
                                 "none" };

    return rig_open_args(args, G_N_ELEMENTS(args));
}

/* Load a stream. Returns NULL if it was accepted, else the message (g_free). */
static inline char *rig_load(Session *s, const void *data, size_t len)
{
    int fd = memfd_create("stream", 0);
    g_autofree char *uri = g_strdup_printf("fd:%d", fd);
    g_autoptr(GError) err = NULL;

    g_assert_cmpint(write(fd, data, len), ==, (ssize_t)len);
    lseek(fd, 0, SEEK_SET);
    if (!migration_incoming(s->migration, uri, true, &err)) {
        g_error("%s", err->message);
    }
    WAIT_MAIN(!s->migration->in, 10);
    if (g_str_equal(migration_status(s->migration), "completed")) {
        return NULL;
    }
    g_assert_cmpint(s->m->state, ==, RUN_INMIGRATE);
    g_assert_false(s->built);
    return g_strdup(s->migration->error ? s->migration->error : "");
}

/* Return what a source would now send over a one-way channel, without the description at the
 * end. */
static inline GByteArray *rig_save(Session *s)
{
    GByteArray *out = g_byte_array_new();
    GChecksum *digest = g_checksum_new(G_CHECKSUM_SHA256);
    ByteWriter w = { out };
    uint32_t id = 3;
    RamSend *ram = ram_send_new(s->m, 2, NULL);

    outgoing_put_head(s->migration, &w, digest, NULL);
    ram_send_start(ram, &w);
    ram_send_begin_pass(ram);
    while (ram_send_some(ram, &w, 1 << 20)) {
    }
    ram_send_end(ram, &w);
    savevm_save(s->m, RUN_PAUSED, &w, &id, digest, NULL);
    stream_put_end(&w, NULL);
    ram_send_free(ram);
    g_checksum_free(digest);
    return out;
}

/* Return a message without its numbers, which identifies the reason of a rejection. */
static inline char *rig_stem(const char *text)
{
    GString *out = g_string_new("");

    for (const char *p = text; *p; p++) {
        if (g_ascii_isdigit(*p)) {
            p += strspn(p, "0123456789abcdefx") - 1;
            g_string_append_c(out, '#');
        } else {
            g_string_append_c(out, *p);
        }
    }
    return g_string_free(out, FALSE);
}

/* Return the contents of a .gz file. */
static inline GByteArray *rig_read(const char *path)
{
    GByteArray *out = g_byte_array_new();
    gzFile f = gzopen(path, "rb");
    uint8_t buf[65536];
    int n;

    g_assert_nonnull(f);
    while ((n = gzread(f, buf, sizeof(buf))) > 0) {
        g_byte_array_append(out, buf, (guint)n);
    }
    g_assert_cmpint(n, ==, 0);
    gzclose(f);
    return out;
}

/* --- a hostile guest and a hostile client --- */

typedef struct RigCount {
    unsigned replies;
} RigCount;

static size_t rig_count(void *opaque, const char *bytes, size_t len)
{
    for (const char *p = bytes, *end = bytes + len; p < end;) {
        const char *eol = memchr(p, '\n', (size_t)(end - p));

        ((RigCount *)opaque)->replies += !g_str_has_prefix(p, "IRQ ");
        p = eol ? eol + 1 : end;
    }
    return len;
}

static uint64_t rig_address(GRand *r)
{
    /* timers, interrupt controllers, console, clock, port I/O, config space, BARs, RAM */
    static const struct {
        uint64_t base;
        uint32_t size;
    } windows[] = {
        { 0x02000000, 0x10000 },  { 0x0c000000, 0x8000 },   { 0x0d000000, 0x8000 },
        { 0x0c200000, 0x4000 },   { 0x10000000, 0x8 },      { 0x00101000, 0x40 },
        { 0x03000000, 0x10000 },  { 0x24000000, 0x4000 },   { 0x28000000, 0x4000 },
        { 0x30000000, 0x400000 }, { 0x40000000, 0x800000 }, { 0x80000000, 0x80000 },
    };
    unsigned i = g_rand_int_range(r, 0, G_N_ELEMENTS(windows));

    return windows[i].base + g_rand_int_range(r, 0, (gint32)windows[i].size);
}

static void rig_line(GString *out, GRand *r, uint64_t address)
{
    static const char *const op[] = { "b", "w", "l", "q" };
    unsigned size = g_rand_int_range(r, 0, 4);

    address &= ~(((uint64_t)1 << size) - 1);
    if (g_rand_boolean(r)) {
        g_string_append_printf(out, "read%s 0x%" PRIx64 "\n", op[size], address);
    } else {
        static const uint64_t value[] = { 0, 1, UINT64_MAX, 0x80000000 };
        uint64_t v = g_rand_int_range(r, 0, 3) ? g_rand_int(r) : value[g_rand_int_range(r, 0, 4)];

        g_string_append_printf(out, "write%s 0x%" PRIx64 " 0x%" PRIx64 "\n", op[size], address,
                               size == 3 ? v : v & (((uint64_t)1 << (8 << size)) - 1));
    }
}

typedef struct RigDevices {
    GRand *r;
    GString *lines;
} RigDevices;

/* For each BAR: the first registers, the offsets of doorbells and commands, and random offsets. */
static bool rig_bars(void *opaque, Device *dev)
{
    RigDevices *v = opaque;
    PCIDevice *d = (PCIDevice *)dev;

    if (dev->type->kind != &pci_device_kind) {
        return true;
    }
    for (unsigned i = 0; i < 6; i++) {
        uint64_t at = pci_bar_region(d, i) ? pci_bar_addr(d, i) : PCI_BAR_UNMAPPED;

        for (unsigned k = 0; k < 6 && at != PCI_BAR_UNMAPPED && at < UINT32_MAX; k++) {
            unsigned to = k < 3 ? 0x100 : 0x4000;

            rig_line(v->lines, v->r, at + g_rand_int_range(v->r, 0, (gint32)to));
        }
        for (unsigned q = 0; i == 4 && q < 3 && at < UINT32_MAX; q++) { /* virtio's doorbells */
            g_string_append_printf(v->lines, "writew 0x%" PRIx64 " %u\n", at + 0x3000 + 4 * q, q);
        }
    }
    return true;
}

static bool rig_config(void *opaque, Device *dev)
{
    static const uint8_t sizes[] = { 1, 2, 4 };
    RigDevices *v = opaque;
    PCIDevice *d = (PCIDevice *)dev;

    for (unsigned i = 0; dev->type->kind == &pci_device_kind && i < 12; i++) {
        unsigned reg = g_rand_int_range(v->r, 0, i % 4 ? 0x100 : (gint32)d->config.size);
        unsigned size = sizes[g_rand_int_range(v->r, 0, 3)];

        pci_device_config_read(d, reg & ~(size - 1), size);
        pci_device_config_write(d, reg & ~(size - 1), size, g_rand_int(v->r));
    }
    return true;
}

static void rig_feed(Session *s, GString *lines)
{
    RigCount count = { 0 };
    Qtest *q = qtest_new(s->m, rig_count, &count);
    unsigned want = 0;

    for (const char *p = lines->str; (p = strchr(p, '\n')); p++) {
        want++;
    }
    qtest_feed(q, lines->str, lines->len);
    g_assert_cmpuint(count.replies, ==, want);
    qtest_free(q);
}

/* Access everything, with time passing in between; then write config space, then access again. */
static inline void rig_harm(Session *s, guint32 seed)
{
    g_autoptr(GString) lines = g_string_new(NULL);
    RigDevices v = { g_rand_new_with_seed(seed), lines };

    machine_set_state(s->m, RUN_RUNNING);
    for (unsigned round = 0; round < 2; round++) {
        g_string_truncate(lines, 0);
        g_string_append(lines, "clock_step 1000\n");
        device_visit(s->m->root, rig_bars, &v);
        for (unsigned i = 0; i < 24; i++) {
            rig_line(lines, v.r, rig_address(v.r));
        }
        g_string_append(lines, "clock_step 1000000\n");
        /* to the next timer, unless a load set its deadline to the maximum */
        if (clocks_deadline(s->m->clocks, CLOCK_KIND_VIRTUAL) < INT64_MAX / 4) {
            g_string_append(lines, "clock_step\n");
        }
        g_string_append(lines, "clock_step 20000000\n");
        rig_feed(s, lines);
        device_visit(s->m->root, rig_config, &v);
        for (unsigned i = 0; i < 8; i++) {
            g_main_context_iteration(NULL, FALSE);
        }
    }
    g_rand_free(v.r);
    mem_check(&s->m->memory);
    machine_set_state(s->m, RUN_PAUSED);
}

/* Let the harts run: up to `tries` times 300 us, until one has retired an instruction. Returns true
 * if one has. */
static inline bool rig_run(Session *s, unsigned tries)
{
    Cpu *cpu = g_ptr_array_index(s->m->cpus, 0);
    uint64_t before = cpu->type->retired(cpu);
    bool moved = false;

    machine_set_state(s->m, RUN_RUNNING);
    for (unsigned i = 0; i < tries && !moved; i++) {
        machine_unlock(s->m);
        wait_elapse(300, "the harts run");
        machine_lock(s->m);
        g_main_context_iteration(NULL, FALSE);
        moved = cpu->type->retired(cpu) != before;
    }
    machine_set_state(s->m, RUN_PAUSED);
    return moved || cpu->type->retired(cpu) != before;
}

#endif
