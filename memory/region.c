/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Regions: making them, and placing, moving and removing them in containers.
 */
#include <string.h>

#include "memory/imap_internal.h"

static GRWLock map_lock;

void map_change_begin(void)
{
    g_rw_lock_writer_lock(&map_lock);
}

void map_change_end(void)
{
    g_rw_lock_writer_unlock(&map_lock);
}

uint8_t *mem_ram_ptr_any(MemRegion *root, uint64_t addr, uint64_t len, RamBlock **block,
                         uint64_t *offset)
{
    uint8_t *host;

    g_rw_lock_reader_lock(&map_lock);
    host = mem_ram_ptr(root, addr, len, block, offset);
    g_rw_lock_reader_unlock(&map_lock);
    return host;
}

static void mem_region_init(MemRegion *r, const char *name, MemKind kind, uint64_t size)
{
    g_assert(!r->parent);
    memset(r, 0, sizeof(*r));
    r->name = name;
    r->kind = kind;
    r->size = size;
}

void mem_init_container(MemRegion *r, const char *name, uint64_t size, MemBackground background)
{
    mem_region_init(r, name, MEM_CONTAINER, size);
    r->background = background;
}

void mem_init_window(MemRegion *r, const char *name, MemRegion *target, uint64_t target_offset,
                     uint64_t size)
{
    mem_region_init(r, name, MEM_WINDOW, size);
    r->target = target;
    r->target_offset = target_offset;
    if (!target->viewers) {
        target->viewers = g_ptr_array_new();
    }
    g_ptr_array_add(target->viewers, r);
    r->has_ram = target->has_ram;
}

void mem_init_ram(MemRegion *r, const char *name, RamBlock *ram, uint64_t offset, uint64_t size)
{
    g_assert(offset <= ram->size && size <= ram->size - offset);
    mem_region_init(r, name, MEM_RAM, size);
    r->ram = ram;
    r->ram_offset = offset;
    r->has_ram = true;
}

void mem_init_rom_device(MemRegion *r, const char *name, RamBlock *ram, uint64_t offset,
                         uint64_t size, const MemOps *ops, void *opaque)
{
    mem_init_ram(r, name, ram, offset, size);
    ram->read_only = true;
    ram->device_stores = true;
    r->ops = ops;
    r->opaque = opaque;
}

void mem_init_mmio(MemRegion *r, const char *name, uint64_t size, const MemOps *ops, void *opaque)
{
    mem_region_init(r, name, MEM_MMIO, size);
    r->ops = ops;
    r->opaque = opaque;
}

void mem_set_guard(MemRegion *r, const MemGuard *guard, void *owner)
{
    r->guard = guard;
    r->guard_owner = owner;
}

static bool reaches_ram(const MemRegion *r)
{
    switch (r->kind) {
    case MEM_RAM:
        return true;
    case MEM_CONTAINER:
        return r->n_ram_children > 0;
    case MEM_WINDOW:
        return r->target && r->target->has_ram;
    case MEM_MMIO:
        break;
    }
    return false;
}

/* Ends in a cycle of windows too: every step needs a flag that changes. */
void mem_update_ram(MemRegion *r)
{
    bool now = reaches_ram(r);

    if (now == r->has_ram) {
        return;
    }
    r->has_ram = now;
    if (r->parent) {
        imap_refresh(r);
        r->parent->n_ram_children += now ? 1 : -1;
        mem_update_ram(r->parent);
    }
    for (unsigned i = 0; r->viewers && i < r->viewers->len; i++) {
        mem_update_ram(g_ptr_array_index(r->viewers, i));
    }
}

static void link_region(MemRegion *parent, MemRegion *r)
{
    r->parent = parent;
    imap_insert(parent, r);
    if (r->has_ram) {
        parent->n_ram_children++;
        mem_update_ram(parent);
    }
}

static void unlink_region(MemRegion *parent, MemRegion *r)
{
    imap_remove(parent, r);
    r->parent = NULL; /* before the flags pass through: a cycle leads back here */
    if (r->has_ram) {
        parent->n_ram_children--;
        mem_update_ram(parent);
    }
}

static void notify(MemRegion *parent, uint64_t first, uint64_t last, const MemRegion *r,
                   bool mapped)
{
    if (r->size && first <= region_last(parent)) {
        mem_notify(parent, first, MIN(last, region_last(parent)), r, mapped);
    }
}

void mem_map(MemRegion *parent, uint64_t addr, MemRegion *r, int32_t priority, uint32_t order)
{
    g_assert(!r->parent && parent->kind == MEM_CONTAINER);
    r->addr = addr;
    r->priority = priority;
    r->order = order;
    r->seq = parent->next_seq;
    map_change_begin();
    link_region(parent, r);
    map_change_end();
    notify(parent, addr, node_last(r), r, true);
}

void mem_unmap(MemRegion *r)
{
    MemRegion *parent = r->parent;

    if (!parent) {
        return;
    }
    map_change_begin();
    unlink_region(parent, r);
    map_change_end();
    notify(parent, r->addr, node_last(r), r, false);
}

/* Unmap a region, change it, and map it again; report both ranges afterwards. */
static void region_replace(MemRegion *r, uint64_t addr, uint64_t target_offset, uint64_t size)
{
    MemRegion *parent = r->parent;
    uint64_t first = r->addr, last = node_last(r);
    bool covered = r->size != 0;

    map_change_begin();
    unlink_region(parent, r);
    r->addr = addr;
    r->target_offset = target_offset;
    r->size = size;
    link_region(parent, r);
    map_change_end();
    if (covered && first <= region_last(parent)) {
        mem_notify(parent, first, MIN(last, region_last(parent)), r, false);
    }
    notify(parent, addr, node_last(r), r, true);
}

void mem_move(MemRegion *r, uint64_t addr)
{
    g_assert(r->parent);
    if (addr != r->addr) {
        region_replace(r, addr, r->target_offset, r->size);
    }
}

void mem_window_set(MemRegion *r, uint64_t target_offset, uint64_t size)
{
    g_assert(r->kind == MEM_WINDOW);
    if (r->parent && (target_offset != r->target_offset || size != r->size)) {
        region_replace(r, r->addr, target_offset, size);
    }
    r->target_offset = target_offset;
    r->size = size;
}

void mem_fini(MemRegion *r)
{
    mem_unmap(r);
    while (r->children) {
        mem_unmap(r->children);
    }
    if (r->target) {
        g_ptr_array_remove_fast(r->target->viewers, r);
        r->target = NULL;
    }
    while (r->viewers && r->viewers->len) {
        MemRegion *window = g_ptr_array_steal_index_fast(r->viewers, 0);

        map_change_begin();
        window->target = NULL;
        map_change_end();
        if (window->parent) {
            notify(window->parent, window->addr, node_last(window), window, false);
        }
        map_change_begin();
        mem_update_ram(window);
        map_change_end();
    }
    g_clear_pointer(&r->viewers, g_ptr_array_unref);
    g_clear_pointer(&r->listeners, g_ptr_array_unref);
}
