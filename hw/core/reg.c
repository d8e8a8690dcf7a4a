/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register tables at work (contract in hw/core/reg.h).
 *
 * A field is read and written through its bytes in host order, which is the guest's: the
 * emulator runs on little-endian hosts (checked below).
 */
#include "hw/core/reg.h"

#include <inttypes.h>
#include <string.h>

#include "util/log.h"
#include "util/trace.h"

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

/* The row that covers `offset`, or the first one after it; NULL past the last. */
static const RegDesc *row_at(const RegFile *f, uint64_t offset)
{
    size_t lo = 0, hi = f->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (f->regs[mid].at + f->regs[mid].width <= offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < f->n ? &f->regs[lo] : NULL;
}

static uint64_t field_get(const RegDesc *r, const void *dev)
{
    uint64_t v = 0;

    if (r->field == REG_NO_FIELD) {
        return r->reset;
    }
    memcpy(&v, (const uint8_t *)dev + r->field, r->width);
    return v;
}

static void field_set(const RegDesc *r, void *dev, uint64_t v)
{
    if (r->field != REG_NO_FIELD) {
        memcpy((uint8_t *)dev + r->field, &v, r->width);
    }
}

static uint64_t mask_bytes(unsigned bytes)
{
    return bytes >= 8 ? UINT64_MAX : (1ull << (8 * bytes)) - 1;
}

/* The part of an access [offset, offset+size) that falls in a row. */
typedef struct Part {
    unsigned reg_shift;    /* bits from the row's start to the part's first byte */
    unsigned access_shift; /* the same from the access's start */
    uint64_t mask;         /* of the part, at bit 0 */
} Part;

static Part part_of(const RegDesc *r, uint64_t offset, unsigned size)
{
    uint64_t first = MAX(r->at, offset), end = MIN(r->at + r->width, offset + size);

    return (Part){ 8 * (first - r->at), 8 * (first - offset), mask_bytes(end - first) };
}

#define FOR_ROWS(r, f, offset, size)                                                               \
    for (const RegDesc *r = row_at(f, offset), *end_ = (f)->regs + (f)->n;                         \
         r && r < end_ && r->at < (offset) + (size); r++)

uint64_t reg_read(const RegFile *f, void *dev, uint64_t offset, unsigned size)
{
    uint64_t value = 0;
    bool hit = false;

    FOR_ROWS(r, f, offset, size)
    {
        Part p = part_of(r, offset, size);
        uint64_t v = r->read ? r->read(dev, r) : field_get(r, dev);

        value |= (v >> p.reg_shift & p.mask) << p.access_shift;
        hit = true;
    }
    trace(TRACE_REG_READ, "%s 0x%" PRIx64 ", %u bytes -> 0x%" PRIx64, f->name, offset, size, value);
    if (!hit) {
        guest_error(f->name, "read of %u bytes at 0x%" G_GINT64_MODIFIER "x: no register there",
                    size, offset);
    }
    return value;
}

void reg_write(const RegFile *f, void *dev, uint64_t offset, uint64_t value, unsigned size)
{
    uint64_t old[8];
    unsigned n = 0;

    trace(TRACE_REG_WRITE, "%s 0x%" PRIx64 ", %u bytes <- 0x%" PRIx64, f->name, offset, size,
          value);
    FOR_ROWS(r, f, offset, size)
    {
        Part p = part_of(r, offset, size);
        uint64_t lane = p.mask << p.reg_shift;
        uint64_t in = (value >> p.access_shift & p.mask) << p.reg_shift;
        uint64_t was = old[n++] = field_get(r, dev);
        uint64_t rw = r->rw & lane;

        field_set(r, dev, ((was & ~rw) | (in & rw)) & ~(in & r->w1c & lane));
    }
    if (n == 0) {
        guest_error(f->name, "write of %u bytes at 0x%" G_GINT64_MODIFIER "x: no register there",
                    size, offset);
    }
    n = 0;
    FOR_ROWS(r, f, offset, size)
    {
        Part p = part_of(r, offset, size);

        if (r->wrote) {
            r->wrote(dev, r, old[n], (value >> p.access_shift & p.mask) << p.reg_shift);
        }
        n++;
    }
}

void reg_reset(const RegFile *f, void *dev, ResetKind kind)
{
    for (size_t i = 0; i < f->n; i++) {
        const RegDesc *r = &f->regs[i];
        uint64_t keep = kind == RESET_COLD ? 0 : r->sticky;

        field_set(r, dev, (field_get(r, dev) & keep) | (r->reset & ~keep));
    }
}

static const char *row_fault(const RegDesc *r, const RegDesc *before)
{
    if (!r->name || !*r->name) {
        return "has no name";
    }
    if (r->width != 1 && r->width != 2 && r->width != 4 && r->width != 8) {
        return "has a width other than 1, 2, 4 or 8";
    }
    if (r->rw & r->w1c) {
        return "has bits both writable and write-1-to-clear";
    }
    if ((r->rw | r->w1c | r->reset | r->sticky) & ~mask_bytes(r->width)) {
        return "has bits beyond its width";
    }
    if (before && before->at + before->width > r->at) {
        return "overlaps the row before it, or is out of order";
    }
    return NULL;
}

char *reg_table_check(const RegFile *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const char *fault = row_fault(&f->regs[i], i ? &f->regs[i - 1] : NULL);

        if (fault) {
            return g_strdup_printf("%s: register %s (row %zu) %s", f->name,
                                   f->regs[i].name ? f->regs[i].name : "?", i, fault);
        }
    }
    return NULL;
}
