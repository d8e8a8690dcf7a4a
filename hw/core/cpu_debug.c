/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Break- and watchpoints of a machine (contract in hw/core/cpu_debug.h).
 */
#include "hw/core/cpu_debug.h"

#include "hw/core/cpu.h"
#include "memory/memory.h"

static bool cpu_point_equal(const CpuPoint *a, const CpuPoint *b)
{
    return a->kind == b->kind && a->addr == b->addr && a->len == b->len;
}

static unsigned cpu_point_index(const CpuPoints *points, const CpuPoint *p)
{
    unsigned i = 0;

    while (i < points->n && !cpu_point_equal(&points->point[i], p)) {
        i++;
    }
    return i;
}

/* --- writes by devices --- */

/* RAM that a watchpoint for writes covers. */
typedef struct CpuRamPoint {
    CpuPoint point;
    uint64_t va; /* the virtual address of the first byte */
    RamBlock *block;
    uint64_t offset, len;
} CpuRamPoint;

static bool cpu_point_writes(const CpuPoint *p)
{
    return p->kind == CPU_POINT_WRITE || p->kind == CPU_POINT_ACCESS;
}

static CpuRamPoint *cpu_ram_point(const GArray *ram, unsigned i)
{
    return &g_array_index(ram, CpuRamPoint, i);
}

/* A RamDeviceWrittenFn. A device that the debugger accesses may write while the machine is stopped.
 */
static void cpu_ram_written(void *opaque, RamBlock *block, uint64_t offset, uint64_t len)
{
    Machine *m = opaque;
    const GArray *ram = m->points->ram;

    for (unsigned i = 0; machine_running(m) && i < ram->len; i++) {
        const CpuRamPoint *p = cpu_ram_point(ram, i);

        if (p->block == block && p->offset < offset + len && offset < p->offset + p->len) {
            cpus_debug_device_stop(m, &p->point, p->va + (MAX(offset, p->offset) - p->offset));
            return;
        }
    }
}

static bool cpu_ram_point_known(const GArray *ram, const CpuRamPoint *p)
{
    for (unsigned i = 0; i < ram->len; i++) {
        const CpuRamPoint *q = cpu_ram_point(ram, i);

        if (q->block == p->block && q->offset == p->offset && q->len == p->len && q->va == p->va &&
            cpu_point_equal(&q->point, &p->point)) {
            return true;
        }
    }
    return false;
}

/* Append the RAM to which a CPU translates the addresses of a point. */
static void cpu_ram_point_add(GArray *ram, Cpu *cpu, const CpuPoint *point)
{
    Machine *m = cpu->machine;

    for (uint64_t done = 0, n; done < point->len; done += n) {
        CpuRamPoint p = { .point = *point, .va = point->addr + done };
        uint64_t pa;

        n = MIN(point->len - done, RAM_PAGE_SIZE - (p.va & (RAM_PAGE_SIZE - 1)));
        p.len = n;
        if (cpu->type->translate && cpu->type->translate(cpu, p.va, &pa) &&
            mem_ram_ptr(&m->memory, pa, n, &p.block, &p.offset) && !cpu_ram_point_known(ram, &p)) {
            ram_block_ref_any(p.block);
            g_array_append_val(ram, p);
        }
    }
}

static void cpu_ram_point_remove(GArray *ram, const CpuPoint *point)
{
    for (unsigned i = ram->len; i-- > 0;) {
        CpuRamPoint *p = cpu_ram_point(ram, i);

        if (cpu_point_equal(&p->point, point)) {
            p->block->device_written = NULL;
            ram_block_unref_any(p->block);
            g_array_remove_index_fast(ram, i);
        }
    }
}

static void cpu_ram_points_changed(Machine *m, GArray *ram, const CpuPoint *point, bool add)
{
    for (unsigned i = 0; add && cpu_point_writes(point) && i < m->cpus->len; i++) {
        cpu_ram_point_add(ram, g_ptr_array_index(m->cpus, i), point);
    }
    if (!add) {
        cpu_ram_point_remove(ram, point);
    }
    for (unsigned i = 0; i < ram->len; i++) {
        cpu_ram_point(ram, i)->block->device_written = cpu_ram_written;
        cpu_ram_point(ram, i)->block->device_opaque = m;
    }
}

/* --- changes --- */

typedef struct CpuPointChange {
    Machine *m;
    CpuPoint point;
    bool add;
} CpuPointChange;

/* Called while every CPU is parked. */
static void cpu_point_apply(void *opaque)
{
    const CpuPointChange *change = opaque;
    Machine *m = change->m;
    CpuPoints *points = m->points;

    if (change->add) {
        if (!points) {
            points = g_new0(CpuPoints, 1);
            points->ram = g_array_new(FALSE, FALSE, sizeof(CpuRamPoint));
        }
        points->point[points->n++] = change->point;
    } else {
        points->point[cpu_point_index(points, &change->point)] = points->point[--points->n];
    }
    cpu_ram_points_changed(m, points->ram, &change->point, change->add);
    if (points->n == 0) {
        g_array_free(points->ram, TRUE);
        g_clear_pointer(&points, g_free);
    }
    m->points = points;
    for (unsigned i = 0; i < m->cpus->len; i++) {
        Cpu *cpu = g_ptr_array_index(m->cpus, i);

        if (cpu->type->debug) {
            cpu->type->debug->point_changed(cpu, &change->point);
        }
    }
}

bool cpu_point_add(Machine *m, const CpuPoint *p)
{
    const CpuPoints *points = m->points;

    if (p->kind >= CPU_POINT_KINDS || p->len == 0 || p->addr + p->len - 1 < p->addr ||
        (cpu_point_writes(p) && p->len > CPU_POINT_WRITE_MAX)) {
        return false;
    }
    if (points && cpu_point_index(points, p) < points->n) {
        return true;
    }
    if (points && points->n == CPU_POINTS_MAX) {
        return false;
    }
    cpus_exclusive(m, cpu_point_apply, &(CpuPointChange){ m, *p, true });
    return true;
}

bool cpu_point_remove(Machine *m, const CpuPoint *p)
{
    const CpuPoints *points = m->points;

    if (!points || cpu_point_index(points, p) == points->n) {
        return false;
    }
    cpus_exclusive(m, cpu_point_apply, &(CpuPointChange){ m, *p, false });
    return true;
}

void cpu_points_clear(Machine *m)
{
    while (m->points) {
        CpuPoint last = m->points->point[m->points->n - 1];

        cpu_point_remove(m, &last);
    }
}

const CpuPoint *cpu_point_at(const CpuPoints *points, uint64_t addr)
{
    for (unsigned i = 0; i < points->n; i++) {
        const CpuPoint *p = &points->point[i];

        if (p->kind <= CPU_POINT_HW_BREAK && p->addr == addr) {
            return p;
        }
    }
    return NULL;
}

const CpuPoint *cpu_point_watch(const CpuPoints *points, uint64_t addr, uint64_t size, bool read,
                                bool write)
{
    for (unsigned i = 0; i < points->n; i++) {
        const CpuPoint *p = &points->point[i];
        bool kind = p->kind == CPU_POINT_ACCESS || (p->kind == CPU_POINT_READ && read) ||
                    (p->kind == CPU_POINT_WRITE && write);

        if (kind && addr <= p->addr + (p->len - 1) && p->addr <= addr + (size - 1)) {
            return p;
        }
    }
    return NULL;
}
