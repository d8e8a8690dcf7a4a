/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operations of semihosting (contract in debug/semihost.h).
 *
 * The parameter is the address of a block of 64-bit words, or a value. A call that waits for the
 * host, or transfers more than one part, is repeated by the CPU; SemihostCall contains its
 * progress.
 */
#include "debug/semihost.h"

#include <errno.h>
#include <string.h>

#include "debug/memory.h"
#include "hw/core/clock.h"
#include "semihost_internal.h"

#define PART_BYTES   65536   /* of one execution of a call */
#define STOPPED_EXIT 0x20026 /* ADP_Stopped_ApplicationExit */
#define TICKS_SECOND 1000000000
#define WORDS_MAX    4

enum { SYS_OPEN = 0x01, SYS_REMOVE = 0x0e, SYS_RENAME = 0x0f };

/* A call of a CPU that is not complete. */
typedef struct SemihostCall {
    bool active;
    uint64_t number, arg;
    uint64_t done; /* bytes transferred */
    bool queued;   /* the main loop carries it out, with the operands: */
    char *name[2];
    uint64_t mode;
    bool answered; /* the main loop has carried it out, with the result: */
    int64_t result;
} SemihostCall;

struct SemihostHost {
    Semihost hook; /* first: the CPUs have a pointer to it */
    Machine *m;
    SemihostFiles files;
    char *cmdline;
    SemihostCall *calls; /* one for each CPU */
    bool exited;
    guint source;
};

/* One execution of a call. */
typedef struct SemihostArgs {
    SemihostHost *h;
    Cpu *cpu;
    SemihostCall *call;
    uint64_t arg;
    uint64_t w[WORDS_MAX]; /* the block */
    SemihostFile *file;    /* of the handle in w[0] */
} SemihostArgs;

typedef int64_t SemihostFn(SemihostArgs *a);

static bool semihost_load(const SemihostArgs *a, uint64_t at, void *buf, uint64_t len)
{
    return debug_read(a->h->m, a->cpu, at, buf, len) == len;
}

static bool semihost_store(const SemihostArgs *a, uint64_t at, const void *buf, uint64_t len)
{
    return debug_write(a->h->m, a->cpu, at, buf, len) == len;
}

/* Copy a name of the guest, of @len bytes without its NUL, to a call. */
static bool semihost_name(SemihostArgs *a, unsigned i, uint64_t at, uint64_t len)
{
    char name[SEMIHOST_NAME];

    if (len >= sizeof(name) || !semihost_load(a, at, name, len)) {
        semihost_fail(&a->h->files, len >= sizeof(name) ? ENAMETOOLONG : EFAULT);
        return false;
    }
    name[len] = '\0';
    if (strlen(name) != len) {
        semihost_fail(&a->h->files, EINVAL);
        return false;
    }
    a->call->name[i] = g_strdup(name);
    return true;
}

static void semihost_call_clear(SemihostCall *call)
{
    g_free(call->name[0]);
    g_free(call->name[1]);
    *call = (SemihostCall){ 0 };
}

/* --- operations on names: the main loop, since the filter of CPU threads opens no files --- */

static int64_t semihost_on_names(SemihostFiles *f, const SemihostCall *call)
{
    switch (call->number) {
    case SYS_OPEN:
        return semihost_open(f, call->name[0], call->mode);
    case SYS_REMOVE:
        return semihost_remove(f, call->name[0]);
    default:
        return semihost_rename(f, call->name[0], call->name[1]);
    }
}

static gboolean semihost_answer(gpointer opaque)
{
    SemihostHost *h = opaque;

    h->source = 0;
    for (unsigned i = 0; i < h->m->cpus->len; i++) {
        SemihostCall *call = &h->calls[i];

        if (call->active && call->queued && !call->answered) {
            call->result = semihost_on_names(&h->files, call);
            call->answered = true;
            cpu_raise_any(g_ptr_array_index(h->m->cpus, i), CPU_PENDING_INTERRUPT);
        }
    }
    return G_SOURCE_REMOVE;
}

static int64_t semihost_queue(SemihostArgs *a)
{
    SemihostHost *h = a->h;

    a->call->queued = true;
    if (!h->source) {
        h->source = g_idle_add_full(G_PRIORITY_HIGH, semihost_answer, h, NULL);
    }
    return SEMIHOST_BUSY;
}

static int64_t semihost_sys_open(SemihostArgs *a)
{
    a->call->mode = a->w[1];
    return semihost_name(a, 0, a->w[0], a->w[2]) ? semihost_queue(a) : -1;
}

static int64_t semihost_sys_remove(SemihostArgs *a)
{
    return semihost_name(a, 0, a->w[0], a->w[1]) ? semihost_queue(a) : -1;
}

static int64_t semihost_sys_rename(SemihostArgs *a)
{
    return semihost_name(a, 0, a->w[0], a->w[1]) && semihost_name(a, 1, a->w[2], a->w[3])
               ? semihost_queue(a)
               : -1;
}

/* --- transfers --- */

/* Transfer up to @len bytes from or to the file or console. Return the number that remains, or -1
 * for a length that is too large. */
static int64_t semihost_transfer(SemihostArgs *a, uint64_t at, uint64_t len, bool read)
{
    SemihostFiles *f = &a->h->files;
    uint64_t *done = &a->call->done, stop = *done + PART_BYTES;
    uint8_t piece[SEMIHOST_PIECE];

    if (len > INT64_MAX) {
        return semihost_fail(f, EINVAL);
    }
    while (*done < len) {
        size_t n = MIN(len - *done, sizeof(piece));
        int64_t moved;

        if (*done >= stop) {
            return SEMIHOST_BUSY;
        }
        if (!read) {
            n = debug_read(a->h->m, a->cpu, at + *done, piece, n);
        }
        if (!n) {
            semihost_fail(f, EFAULT);
            break;
        }
        moved = read ? semihost_read(f, a->file, piece, n) : semihost_write(f, a->file, piece, n);
        if (moved == SEMIHOST_BUSY) {
            return SEMIHOST_BUSY;
        }
        if (moved <= 0) {
            break;
        }
        if (read && !semihost_store(a, at + *done, piece, (uint64_t)moved)) {
            semihost_fail(f, EFAULT);
            break;
        }
        *done += (uint64_t)moved;
        if (read && a->file->kind == SEMIHOST_CONSOLE) {
            break;
        }
    }
    return (int64_t)(len - *done);
}

static int64_t semihost_sys_write(SemihostArgs *a)
{
    return semihost_transfer(a, a->w[1], a->w[2], false);
}

static int64_t semihost_sys_read(SemihostArgs *a)
{
    return semihost_transfer(a, a->w[1], a->w[2], true);
}

static int64_t semihost_sys_writec(SemihostArgs *a)
{
    char c;

    if (!semihost_load(a, a->arg, &c, 1)) {
        return 0;
    }
    return semihost_console_write(&a->h->files, &c, 1) == SEMIHOST_BUSY ? SEMIHOST_BUSY : 0;
}

static int64_t semihost_sys_write0(SemihostArgs *a)
{
    uint64_t *done = &a->call->done, stop = *done + PART_BYTES;
    char piece[SEMIHOST_PIECE];

    while (*done < stop) {
        size_t n = debug_read(a->h->m, a->cpu, a->arg + *done, piece, sizeof(piece));
        size_t text = strnlen(piece, n);
        int64_t moved = text ? semihost_console_write(&a->h->files, piece, text) : 0;

        if (moved == SEMIHOST_BUSY) {
            return SEMIHOST_BUSY;
        }
        if (moved <= 0 || ((size_t)moved == text && text < sizeof(piece))) {
            return 0;
        }
        *done += (uint64_t)moved;
    }
    return SEMIHOST_BUSY;
}

static int64_t semihost_sys_readc(SemihostArgs *a)
{
    uint8_t c;
    int64_t n = semihost_console_read(&a->h->files, &c, 1);

    return n == SEMIHOST_BUSY ? SEMIHOST_BUSY : n == 1 ? c : -1;
}

/* --- files --- */

static int64_t semihost_sys_close(SemihostArgs *a)
{
    return semihost_close(&a->h->files, a->file);
}

static int64_t semihost_sys_istty(SemihostArgs *a)
{
    return a->file->kind == SEMIHOST_CONSOLE;
}

static int64_t semihost_sys_seek(SemihostArgs *a)
{
    return semihost_seek(&a->h->files, a->file, a->w[1]);
}

static int64_t semihost_sys_flen(SemihostArgs *a)
{
    return semihost_length(&a->h->files, a->file);
}

static int64_t semihost_sys_tmpnam(SemihostArgs *a)
{
    g_autofree char *name = g_strdup_printf("semihosting-%02x.tmp", (unsigned)(a->w[1] & 0xff));

    if (a->w[1] > 255 || a->w[2] <= strlen(name)) {
        return semihost_fail(&a->h->files, EINVAL);
    }
    return semihost_store(a, a->w[0], name, strlen(name) + 1) ? 0
                                                              : semihost_fail(&a->h->files, EFAULT);
}

/* --- the rest --- */

static int64_t semihost_now(const SemihostArgs *a)
{
    return clock_now_any(a->h->m, CLOCK_KIND_VIRTUAL);
}

static int64_t semihost_sys_iserror(SemihostArgs *a)
{
    return (int64_t)a->w[0] < 0;
}

static int64_t semihost_sys_clock(SemihostArgs *a)
{
    return semihost_now(a) / (TICKS_SECOND / 100);
}

static int64_t semihost_sys_time(SemihostArgs *a)
{
    return g_get_real_time() / G_USEC_PER_SEC;
}

static int64_t semihost_sys_elapsed(SemihostArgs *a)
{
    int64_t now = semihost_now(a);

    return semihost_store(a, a->arg, &now, sizeof(now)) ? 0 : semihost_fail(&a->h->files, EFAULT);
}

static int64_t semihost_sys_tickfreq(SemihostArgs *a)
{
    return TICKS_SECOND;
}

static int64_t semihost_sys_errno(SemihostArgs *a)
{
    return a->h->files.error;
}

static int64_t semihost_sys_system(SemihostArgs *a)
{
    return semihost_fail(&a->h->files, ENOSYS);
}

static int64_t semihost_sys_cmdline(SemihostArgs *a)
{
    uint64_t len = strlen(a->h->cmdline);

    if (a->w[1] <= len) {
        return semihost_fail(&a->h->files, E2BIG);
    }
    return semihost_store(a, a->w[0], a->h->cmdline, len + 1) &&
                   semihost_store(a, a->arg + 8, &len, sizeof(len))
               ? 0
               : semihost_fail(&a->h->files, EFAULT);
}

/* All fields are 0: the program uses the addresses of its linker script. */
static int64_t semihost_sys_heapinfo(SemihostArgs *a)
{
    static const uint64_t unknown[4];

    return semihost_store(a, a->w[0], unknown, sizeof(unknown))
               ? 0
               : semihost_fail(&a->h->files, EFAULT);
}

/* The call never returns; a reset ends it. */
static int64_t semihost_sys_exit(SemihostArgs *a)
{
    if (!a->h->exited) {
        a->h->exited = true;
        machine_request(a->h->m, SHUTDOWN_GUEST_SHUTDOWN,
                        a->w[0] == STOPPED_EXIT ? (int)(a->w[1] & 0xff) : 1);
    }
    return SEMIHOST_BUSY;
}

/* --- dispatch --- */

typedef struct SemihostOp {
    SemihostFn *fn;
    unsigned words; /* of the block */
    bool handle;    /* the first word is an open handle */
} SemihostOp;

static const SemihostOp semihost_ops[] = {
    [SYS_OPEN] = { semihost_sys_open, 3, false },
    [0x02] = { semihost_sys_close, 1, true },
    [0x03] = { semihost_sys_writec, 0, false },
    [0x04] = { semihost_sys_write0, 0, false },
    [0x05] = { semihost_sys_write, 3, true },
    [0x06] = { semihost_sys_read, 3, true },
    [0x07] = { semihost_sys_readc, 0, false },
    [0x08] = { semihost_sys_iserror, 1, false },
    [0x09] = { semihost_sys_istty, 1, true },
    [0x0a] = { semihost_sys_seek, 2, true },
    [0x0c] = { semihost_sys_flen, 1, true },
    [0x0d] = { semihost_sys_tmpnam, 3, false },
    [SYS_REMOVE] = { semihost_sys_remove, 2, false },
    [SYS_RENAME] = { semihost_sys_rename, 4, false },
    [0x10] = { semihost_sys_clock, 0, false },
    [0x11] = { semihost_sys_time, 0, false },
    [0x12] = { semihost_sys_system, 2, false },
    [0x13] = { semihost_sys_errno, 0, false },
    [0x15] = { semihost_sys_cmdline, 2, false },
    [0x16] = { semihost_sys_heapinfo, 1, false },
    [0x18] = { semihost_sys_exit, 2, false },
    [0x20] = { semihost_sys_exit, 2, false },
    [0x30] = { semihost_sys_elapsed, 0, false },
    [0x31] = { semihost_sys_tickfreq, 0, false },
};

static const SemihostOp *semihost_op(uint64_t number)
{
    return number < G_N_ELEMENTS(semihost_ops) && semihost_ops[number].fn ? &semihost_ops[number]
                                                                          : NULL;
}

/* Return the result, -1 with an error, or SEMIHOST_BUSY. */
static int64_t semihost_execute(SemihostHost *h, Cpu *cpu, SemihostCall *call)
{
    const SemihostOp *op = semihost_op(call->number);
    SemihostArgs a = { .h = h, .cpu = cpu, .call = call, .arg = call->arg };

    if (!op) {
        return semihost_fail(&h->files, ENOSYS);
    }
    if (!semihost_load(&a, call->arg, a.w, op->words * sizeof(a.w[0]))) {
        return semihost_fail(&h->files, EFAULT);
    }
    a.file = op->handle ? semihost_file(&h->files, a.w[0]) : NULL;
    return op->handle && !a.file ? -1 : op->fn(&a);
}

/* A CPU has one incomplete call. A call with other operands replaces it, for example one of an
 * interrupt handler: the interrupted call then starts from the beginning. */
static SemihostStep semihost_call(Semihost *s, Cpu *cpu, uint64_t number, uint64_t arg,
                                  uint64_t *result)
{
    SemihostHost *h = (SemihostHost *)s;
    SemihostCall *call = &h->calls[cpu->index];
    int64_t value;

    if (!call->active || call->number != number || call->arg != arg) {
        semihost_call_clear(call);
        *call = (SemihostCall){ .active = true, .number = number, .arg = arg };
    }
    value = call->answered ? call->result
            : call->queued ? SEMIHOST_BUSY
                           : semihost_execute(h, cpu, call);
    if (value == SEMIHOST_BUSY) {
        return SEMIHOST_AGAIN;
    }
    semihost_call_clear(call);
    *result = (uint64_t)value;
    return SEMIHOST_DONE;
}

/* --- life --- */

SemihostHost *semihost_new(Machine *m, const SemihostConfig *config, GError **err)
{
    SemihostHost *h = g_new0(SemihostHost, 1);

    h->m = m;
    h->hook = (Semihost){ .userspace = config->userspace, .call = semihost_call };
    h->cmdline = g_strdup(config->cmdline);
    if (!semihost_files_init(&h->files, config, err)) {
        semihost_free(h);
        return NULL;
    }
    return h;
}

void semihost_start(SemihostHost *h)
{
    g_free(h->calls);
    h->calls = g_new0(SemihostCall, h->m->cpus->len);
    for (unsigned i = 0; i < h->m->cpus->len; i++) {
        ((Cpu *)g_ptr_array_index(h->m->cpus, i))->semihost = &h->hook;
    }
}

void semihost_reset(SemihostHost *h)
{
    if (h && h->calls) {
        semihost_files_close(&h->files);
        for (unsigned i = 0; i < h->m->cpus->len; i++) {
            semihost_call_clear(&h->calls[i]);
        }
        h->exited = false;
    }
}

void semihost_free(SemihostHost *h)
{
    if (!h) {
        return;
    }
    if (h->source) {
        g_source_remove(h->source);
    }
    for (unsigned i = 0; h->calls && i < h->m->cpus->len; i++) {
        ((Cpu *)g_ptr_array_index(h->m->cpus, i))->semihost = NULL;
        semihost_call_clear(&h->calls[i]);
    }
    semihost_files_free(&h->files);
    g_free(h->calls);
    g_free(h->cmdline);
    g_free(h);
}
