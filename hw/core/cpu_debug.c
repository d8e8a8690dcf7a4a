/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Break- and watchpoints of a machine (contract in hw/core/cpu_debug.h).
 */
#include "hw/core/cpu_debug.h"

#include "hw/core/cpu.h"

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
        points = points ? points : g_new0(CpuPoints, 1);
        points->point[points->n++] = change->point;
    } else {
        points->point[cpu_point_index(points, &change->point)] = points->point[--points->n];
    }
    if (points->n == 0) {
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

    if (p->kind >= CPU_POINT_KINDS || p->len == 0 || p->addr + p->len - 1 < p->addr) {
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
