/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Physical memory protection (contract in pmp_internal.h).
 */
#include "target/riscv/pmp_internal.h"

#include <string.h>

enum { MODE_OFF, MODE_TOR, MODE_NA4, MODE_NAPOT };

static uint8_t cfg_byte(const uint64_t cfg[2], unsigned i)
{
    return cfg[i / 8] >> (i % 8 * 8);
}

static unsigned cfg_mode(uint8_t c)
{
    return c >> 3 & 3;
}

typedef struct Area {
    bool any;
    uint64_t first, last;
} Area;

/* Return the range of an entry. Addresses are 56 bits wide; the registers contain bits 55:2. */
static Area area_of(const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES], unsigned i)
{
    uint64_t a = addr[i], low = i ? addr[i - 1] : 0;

    switch (cfg_mode(cfg_byte(cfg, i))) {
    case MODE_TOR:
        return (Area){ low < a, low << 2, (a << 2) - 1 };
    case MODE_NA4:
        return (Area){ true, a << 2, (a << 2) + 3 };
    case MODE_NAPOT: {
        uint64_t span = a ^ (a + 1); /* the trailing ones and the lowest zero bit */
        uint64_t first = (a & ~span) << 2;
        return (Area){ true, first, first + (((span << 2) | 3)) };
    }
    default:
        return (Area){ false, 0, 0 };
    }
}

/* Return the rights of the lowest entry that contains an address. Entries that are not locked do
 * not apply to M-mode. */
static PmpRange rights_at(const Area *areas, const uint64_t cfg[2], uint64_t at, unsigned *entry)
{
    PmpRange r = { .first = at, .m = PMP_R | PMP_W | PMP_X, .su = 0 };

    *entry = PMP_ENTRIES;
    for (unsigned i = 0; i < PMP_ENTRIES; i++) {
        if (areas[i].any && areas[i].first <= at && at <= areas[i].last) {
            uint8_t c = cfg_byte(cfg, i);
            r.su = c & (PMP_R | PMP_W | PMP_X);
            r.m = c & PMP_L ? r.su : r.m;
            *entry = i;
            break;
        }
    }
    return r;
}

static unsigned add_point(uint64_t *points, unsigned n, uint64_t at)
{
    unsigned i = n;

    while (i > 0 && points[i - 1] > at) {
        i--;
    }
    if (i > 0 && points[i - 1] == at) {
        return n;
    }
    memmove(points + i + 1, points + i, (n - i) * sizeof(*points));
    points[i] = at;
    return n + 1;
}

void pmp_compile(Pmp *pmp, const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES])
{
    Area areas[PMP_ENTRIES];
    uint64_t points[2 * PMP_ENTRIES + 1] = { 0 };
    unsigned n_points = 1, before = PMP_ENTRIES + 1;

    for (unsigned i = 0; i < PMP_ENTRIES; i++) {
        areas[i] = area_of(cfg, addr, i);
        if (areas[i].any) {
            n_points = add_point(points, n_points, areas[i].first);
            n_points = add_point(points, n_points, areas[i].last + 1);
        }
    }
    pmp->n = 0;
    pmp->recent = 0;
    for (unsigned i = 0; i < n_points; i++) {
        unsigned entry;
        PmpRange r = rights_at(areas, cfg, points[i], &entry);
        if (entry != before) {
            pmp->range[pmp->n++] = r;
        }
        before = entry;
    }
    for (unsigned i = 0; i < pmp->n; i++) {
        pmp->range[i].last = i + 1 < pmp->n ? pmp->range[i + 1].first - 1 : UINT64_MAX;
    }
}

const PmpRange *pmp_find(const Pmp *pmp, uint64_t pa)
{
    unsigned low = 0, high = pmp->n;

    while (high - low > 1) {
        unsigned mid = (low + high) / 2;
        if (pmp->range[mid].first <= pa) {
            low = mid;
        } else {
            high = mid;
        }
    }
    return &pmp->range[low];
}

uint64_t pmp_cfg_write(const uint64_t cfg[2], unsigned reg, uint64_t value)
{
    uint64_t result = 0;

    for (unsigned i = 0; i < 8; i++) {
        uint8_t old = cfg[reg] >> (i * 8), c = (value >> (i * 8)) & 0x9f;
        if (old & PMP_L) {
            c = old;
        } else if ((c & (PMP_R | PMP_W)) == PMP_W) {
            c &= ~(PMP_R | PMP_W | PMP_X); /* W without R is reserved */
        }
        result |= (uint64_t)c << (i * 8);
    }
    return result;
}

uint64_t pmp_addr_write(const uint64_t cfg[2], const uint64_t addr[PMP_ENTRIES], unsigned i,
                        uint64_t value)
{
    uint8_t next = i + 1 < PMP_ENTRIES ? cfg_byte(cfg, i + 1) : 0;

    if ((cfg_byte(cfg, i) & PMP_L) || ((next & PMP_L) && cfg_mode(next) == MODE_TOR)) {
        return addr[i];
    }
    return value & PMP_ADDR_MASK;
}
