/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine, its lock and its run state (contract in hw/core/machine.h).
 */
#include "hw/core/machine.h"

#include <string.h>

#include <errno.h>

#include "hw/core/board.h"
#include "hw/core/bottom_half.h"
#include "hw/core/clock.h"
#include "hw/core/device_tree.h"
#include "hw/core/host_object.h"
#include "util/error.h"
#include "util/trace.h"

typedef struct RunFn {
    RunStateFn *fn;
    void *opaque;
} RunFn;

const char *run_state_name(RunState s)
{
    static const char *const names[RUN_STATES] = {
        [RUN_PRELAUNCH] = "prelaunch",
        [RUN_RUNNING] = "running",
        [RUN_PAUSED] = "paused",
        [RUN_DEBUG] = "debug",
        [RUN_IO_ERROR] = "io-error",
        [RUN_SHUTDOWN] = "shutdown",
        [RUN_INMIGRATE] = "inmigrate",
        [RUN_POSTMIGRATE] = "postmigrate",
        [RUN_FINISH_MIGRATE] = "finish-migrate",
        [RUN_INTERNAL_ERROR] = "internal-error",
        [RUN_GUEST_PANICKED] = "guest-panicked",
        [RUN_WATCHDOG] = "watchdog",
    };

    return names[s];
}

Machine *machine_new(void)
{
    Machine *m = g_new0(Machine, 1);

    fair_lock_init(&m->lock);
    mem_init_container(&m->memory, "system", UINT64_MAX, MEM_ZEROES);
    mem_init_container(&m->io, "io", 0x10000, MEM_ONES);
    m->clocks = clocks_new(m);
    m->cpus = g_ptr_array_new();
    m->ram_blocks = g_ptr_array_new();
    m->run_fns = g_ptr_array_new_with_free_func(g_free);
    device_tree_init(m);
    return m;
}

void machine_clear(Machine *m)
{
    const BoardType *board = m->board_type;

    device_tree_free(m);
    m->root = NULL;
    for (unsigned i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(m->cpus, i);

        cpu->type->destroy(cpu);
    }
    if (board && board->free) {
        board->free(m);
    }
    mem_fini(&m->memory);
    mem_fini(&m->io);
    for (unsigned i = 0; i < m->ram_blocks->len; i++) {
        ram_block_free(g_ptr_array_index(m->ram_blocks, i));
    }
    g_ptr_array_set_size(m->ram_blocks, 0);
    host_memory_release(m);
    g_ptr_array_set_size(m->cpus, 0);
}

void machine_renew(Machine *m)
{
    m->board = NULL;
    m->board_type = NULL;
    m->anon = 0;
    device_tree_init(m);
}

void machine_free(Machine *m)
{
    if (m->root) {
        machine_clear(m);
    }
    g_ptr_array_free(m->ram_blocks, TRUE);
    g_ptr_array_free(m->cpus, TRUE);
    g_ptr_array_free(m->run_fns, TRUE);
    g_free(m->points);
    clocks_free(m->clocks);
    bottom_halves_free(m);
    if (machine_locked(m)) {
        machine_unlock(m);
    }
    fair_lock_clear(&m->lock);
    g_free(m);
}

/* --- the lock --- */

void machine_lock(Machine *m)
{
    fair_lock_lock(&m->lock);
    g_atomic_pointer_set(&m->lock_holder, g_thread_self());
}

bool machine_trylock(Machine *m)
{
    if (!fair_lock_trylock(&m->lock)) {
        return false;
    }
    g_atomic_pointer_set(&m->lock_holder, g_thread_self());
    return true;
}

void machine_unlock(Machine *m)
{
    struct MachineWake wakes[G_N_ELEMENTS(m->wakes)];
    unsigned n = m->n_wakes;

    if (n > 0) {
        memcpy(wakes, m->wakes, n * sizeof(wakes[0]));
        m->n_wakes = 0;
    }
    g_atomic_pointer_set(&m->lock_holder, NULL);
    fair_lock_unlock(&m->lock);
    for (unsigned i = 0; i < n; i++) {
        wakes[i].fn(wakes[i].opaque);
    }
}

void machine_when_unlocked(Machine *m, void (*fn)(void *opaque), void *opaque)
{
    if (!m->threaded || m->n_wakes == G_N_ELEMENTS(m->wakes)) {
        fn(opaque);
    } else {
        m->wakes[m->n_wakes++] = (struct MachineWake){ fn, opaque };
    }
}

bool machine_locked(const Machine *m)
{
    return g_atomic_pointer_get(&((Machine *)m)->lock_holder) == g_thread_self();
}

/* --- RAM --- */

RamBlock *machine_ram_find(const Machine *m, const char *id)
{
    for (unsigned i = 0; i < m->ram_blocks->len; i++) {
        RamBlock *block = g_ptr_array_index(m->ram_blocks, i);

        if (g_str_equal(block->id, id)) {
            return block;
        }
    }
    return NULL;
}

RamBlock *machine_ram_new(Machine *m, const char *id, uint64_t size, GError **err)
{
    return machine_ram_new_from(m, id, size, &(RamSource){ 0 }, err);
}

RamBlock *machine_ram_new_from(Machine *m, const char *id, uint64_t size, const RamSource *from,
                               GError **err)
{
    const RamPart all = { size, from };

    return machine_ram_new_parts(m, id, &all, 1, err);
}

RamBlock *machine_ram_new_parts(Machine *m, const char *id, const RamPart *parts, unsigned n,
                                GError **err)
{
    RamBlock *block;

    if (machine_ram_find(m, id)) {
        error_set(err, ERROR_USER, "the machine has a RAM block named '%s' already", id);
        return NULL;
    }
    block = ram_block_new_parts(id, parts, n, err);
    if (block) {
        g_ptr_array_add(m->ram_blocks, block);
    }
    return block;
}

void machine_ram_free(Machine *m, RamBlock *block)
{
    g_ptr_array_remove(m->ram_blocks, block);
    ram_block_free(block);
}

/* --- run state --- */

void machine_add_run_fn(Machine *m, RunStateFn *fn, void *opaque)
{
    RunFn *f = g_new(RunFn, 1);

    *f = (RunFn){ fn, opaque };
    g_ptr_array_add(m->run_fns, f);
}

void machine_remove_run_fn(Machine *m, RunStateFn *fn, void *opaque)
{
    for (unsigned i = 0; i < m->run_fns->len; i++) {
        RunFn *f = g_ptr_array_index(m->run_fns, i);

        if (f->fn == fn && f->opaque == opaque) {
            g_ptr_array_remove_index(m->run_fns, i);
            return;
        }
    }
}

static void machine_call_run_fns(Machine *m, bool running, RunState state)
{
    for (unsigned i = 0; i < m->run_fns->len; i++) {
        RunFn *f = g_ptr_array_index(m->run_fns, running ? i : m->run_fns->len - 1 - i);

        f->fn(f->opaque, running, state);
    }
}

/* Clocks start first and stop last, because back ends and CPUs read them while they run. */
void machine_set_state(Machine *m, RunState state)
{
    RunState from = m->state;
    bool was = from == RUN_RUNNING, now = state == RUN_RUNNING;

    if (from == state) {
        return;
    }
    m->state = state;
    trace(TRACE_RUN_STATE, "%s -> %s", run_state_name(from), run_state_name(state));
    if (now && !was) {
        clocks_run_virtual(m->clocks, true);
        machine_call_run_fns(m, true, state);
    } else if (was && !now) {
        machine_call_run_fns(m, false, state);
        clocks_run_virtual(m->clocks, false);
    }
    if (m->hooks.run_state) {
        m->hooks.run_state(m->hooks.opaque, from, state);
    }
}

void machine_reset(Machine *m, ResetKind kind)
{
    const BoardType *board = m->board_type;

    device_reset_tree(m->root, kind);
    if (board && board->reset) {
        board->reset(m);
    }
}

/* --- hooks --- */

void machine_request(Machine *m, ShutdownCause cause, int exit_status)
{
    if (m->hooks.request) {
        m->hooks.request(m->hooks.opaque, cause, exit_status);
    }
}

void machine_guest_panicked(Machine *m)
{
    if (m->hooks.guest_panicked) {
        m->hooks.guest_panicked(m->hooks.opaque);
    }
}

void machine_watchdog_expired(Machine *m)
{
    if (m->hooks.watchdog_expired) {
        m->hooks.watchdog_expired(m->hooks.opaque);
    }
}

#define FDSET_PREFIX "/dev/fdset/"

bool machine_open_fdset(Machine *m, const char *path, bool write, int *fd)
{
    if (!g_str_has_prefix(path, FDSET_PREFIX)) {
        return false;
    }
    errno = ENOENT;
    *fd = m->hooks.open_fdset ? m->hooks.open_fdset(m->hooks.opaque, path, write) : -1;
    return true;
}
