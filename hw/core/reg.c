/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access to the registers of a table (contract in hw/core/reg.h).
 *
 * Members are read and written through their bytes in host order, which is little-endian like the
 * guest's (checked below).
 */
#include "hw/core/reg.h"

#include <inttypes.h>
#include <string.h>

#include "util/log.h"
#include "util/trace.h"

G_STATIC_ASSERT(G_BYTE_ORDER == G_LITTLE_ENDIAN);

/* The row that covers `offset`, or the first one after it; NULL past the last. */
static const RegDesc *reg_row_at(const RegFile *f, uint64_t offset)
{
    size_t lo = 0, hi = f->n;

    while (lo < hi) {
        size_t mid = (lo + hi) / 2;

        if (f->regs[mid].offset + f->regs[mid].width <= offset) {
            lo = mid + 1;
        } else {
            hi = mid;
        }
    }
    return lo < f->n ? &f->regs[lo] : NULL;
}

/* Read a member. A memcpy() of a constant length is one load; of a variable length, a call. */
static uint64_t reg_field_get(const RegDesc *r, const void *dev)
{
    const uint8_t *p;
    uint64_t v = 0;

    if (r->field == REG_NO_FIELD) {
        return r->reset;
    }
    p = (const uint8_t *)dev + r->field;
    switch (r->width) {
    case 4:
        memcpy(&v, p, 4);
        return v;
    case 8:
        memcpy(&v, p, 8);
        return v;
    default:
        memcpy(&v, p, r->width);
        return v;
    }
}

static uint64_t reg_row_get(const RegDesc *r, void *dev)
{
    return r->read ? r->read(dev, r) : reg_field_get(r, dev);
}

static void reg_field_set(const RegDesc *r, void *dev, uint64_t v)
{
    if (r->field != REG_NO_FIELD) {
        memcpy((uint8_t *)dev + r->field, &v, r->width);
    }
}

static uint64_t reg_mask_bytes(unsigned bytes)
{
    return bytes >= 8 ? UINT64_MAX : (1ull << (8 * bytes)) - 1;
}

uint64_t reg_width_mask(const RegDesc *r)
{
    return reg_mask_bytes(r->width);
}

/* The part of an access [offset, offset+size) that falls in a row. */
typedef struct RegPart {
    unsigned reg_shift;    /* bits from the start of the row to the first byte of the part */
    unsigned access_shift; /* bits from the start of the access to that byte */
    uint64_t mask;         /* bits of the part, from bit 0 */
} RegPart;

static RegPart reg_part(const RegDesc *r, uint64_t offset, unsigned size)
{
    uint64_t first = MAX(r->offset, offset), end = MIN(r->offset + r->width, offset + size);

    return (RegPart){ 8 * (first - r->offset), 8 * (first - offset), reg_mask_bytes(end - first) };
}

#define FOR_ROWS(r, f, offset, size)                                                               \
    for (const RegDesc *r = reg_row_at(f, offset), *end_ = (f)->regs + (f)->n;                     \
         r && r < end_ && r->offset < (offset) + (size); r++)

static uint64_t reg_read_parts(const RegFile *f, void *dev, uint64_t offset, unsigned size)
{
    uint64_t value = 0;

    FOR_ROWS(r, f, offset, size)
    {
        RegPart p = reg_part(r, offset, size);

        value |= (reg_row_get(r, dev) >> p.reg_shift & p.mask) << p.access_shift;
    }
    return value;
}

uint64_t reg_read(const RegFile *f, void *dev, uint64_t offset, unsigned size)
{
    const RegDesc *first = reg_row_at(f, offset);
    bool whole = first && first->offset == offset && first->width == size;
    uint64_t value;

    if (first && first->offset >= offset + size) {
        first = NULL;
    }
    value = whole ? reg_row_get(first, dev) & reg_mask_bytes(size)
                  : reg_read_parts(f, dev, offset, size);
    trace(TRACE_REG_READ, "%s 0x%" PRIx64 " (%s), %u bytes -> 0x%" PRIx64, f->name, offset,
          first ? first->name : "no register", size, value);
    if (!first) {
        guest_error(f->name, "read of %u bytes at 0x%" G_GINT64_MODIFIER "x: no register there",
                    size, offset);
    }
    return value;
}

/* A row that an access touches, with its value before and after. */
typedef struct RegChange {
    const RegDesc *row;
    uint64_t old, new; /* new: with the trigger bits that were written */
} RegChange;

static RegChange reg_change(const RegDesc *r, const void *dev, RegPart p, uint64_t value)
{
    uint64_t lane = p.mask << p.reg_shift;
    uint64_t in = (value >> p.access_shift & p.mask) << p.reg_shift;
    uint64_t old = reg_field_get(r, dev), rw = r->rw & lane;

    if (r->field == REG_NO_FIELD) {
        return (RegChange){ r, old, in };
    }
    return (RegChange){ r, old, ((old & ~rw) | (in & (rw | r->trigger))) & ~(in & r->w1c) };
}

static bool reg_accepted(const RegFile *f, void *dev, const RegChange *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        const RegDesc *r = c[i].row;

        if (r->accept && !r->accept(dev, r, c[i].new)) {
            trace(TRACE_REG_WRITE, "%s %s: write of 0x%" PRIx64 " refused", f->name, r->name,
                  c[i].new);
            return false;
        }
    }
    return true;
}

static uint32_t reg_store(void *dev, const RegChange *c, unsigned n)
{
    uint32_t effects = 0;

    for (unsigned i = 0; i < n; i++) {
        reg_field_set(c[i].row, dev, c[i].new & ~c[i].row->trigger);
    }
    for (unsigned i = 0; i < n; i++) {
        if (c[i].row->wrote) {
            effects |= c[i].row->wrote(dev, c[i].row, c[i].old, c[i].new);
        }
    }
    return effects;
}

uint32_t reg_write(const RegFile *f, void *dev, uint64_t offset, uint64_t value, unsigned size)
{
    RegChange changes[8];
    unsigned n = 0;

    FOR_ROWS(r, f, offset, size)
    {
        changes[n++] = reg_change(r, dev, reg_part(r, offset, size), value);
    }
    trace(TRACE_REG_WRITE, "%s 0x%" PRIx64 " (%s), %u bytes <- 0x%" PRIx64, f->name, offset,
          n ? changes[0].row->name : "no register", size, value);
    if (n == 0) {
        guest_error(f->name, "write of %u bytes at 0x%" G_GINT64_MODIFIER "x: no register there",
                    size, offset);
    }
    return reg_accepted(f, dev, changes, n) ? reg_store(dev, changes, n) : 0;
}

void reg_reset(const RegFile *f, void *dev, ResetKind kind)
{
    for (size_t i = 0; i < f->n; i++) {
        const RegDesc *r = &f->regs[i];
        uint64_t keep = kind == RESET_COLD ? 0 : r->sticky;

        reg_field_set(r, dev, (reg_field_get(r, dev) & keep) | (r->reset & ~keep));
    }
}

/* --- documentation --- */

/* Append one type of access: only its name if it applies to every bit. */
static void reg_describe_bits(GString *text, const char *kind, uint64_t bits, uint64_t all)
{
    if (!bits) {
        return;
    }
    g_string_append_printf(text, "%s%s", text->len ? ", " : "", kind);
    if (bits != all) {
        g_string_append_printf(text, " %" PRIx64 "h", bits);
    }
}

static char *reg_access_text(const RegDesc *r)
{
    uint64_t all = reg_width_mask(r);
    GString *text = g_string_new(NULL);

    if (r->field == REG_NO_FIELD && !r->rw && !r->w1c && !r->trigger && r->wrote) {
        return g_string_free(g_string_append(text, r->read ? "rw" : "wo"), FALSE);
    }
    reg_describe_bits(text, "rw", r->rw, all);
    reg_describe_bits(text, "w1c", r->w1c, all);
    reg_describe_bits(text, "trigger", r->trigger, all);
    if (!text->len) {
        g_string_append(text, "ro");
    }
    reg_describe_bits(text, "sticky", r->sticky & (r->rw | r->w1c), all);
    return g_string_free(text, FALSE);
}

void reg_describe_head(GString *out)
{
    g_string_append(out, "| offset | bits | access | reset | register |\n|---|---|---|---|---|\n");
}

void reg_describe(GString *out, const RegDesc *r, uint64_t offset)
{
    g_autofree char *access = reg_access_text(r);
    g_autofree char *reset =
        r->read ? g_strdup("-") : g_strdup_printf("%" PRIx64 "h", r->reset & reg_width_mask(r));

    g_string_append_printf(out, "| %02" PRIx64 "h | %u | %s | %s | %s%s%s |\n", offset,
                           8u * r->width, access, reset, r->name, r->doc ? ": " : "",
                           r->doc ? r->doc : "");
}

/* --- validation --- */

static const char *reg_row_fault(const RegDesc *r, const RegDesc *before)
{
    if (!r->name || !*r->name) {
        return "has no name";
    }
    if (r->width != 1 && r->width != 2 && r->width != 4 && r->width != 8) {
        return "has a width other than 1, 2, 4 or 8";
    }
    if ((r->rw & r->w1c) | (r->trigger & (r->rw | r->w1c | r->reset))) {
        return "has a bit with two functions: rw, w1c and trigger are exclusive";
    }
    if ((r->rw | r->w1c | r->trigger | r->reset | r->sticky) & ~reg_mask_bytes(r->width)) {
        return "has bits beyond its width";
    }
    if (before && before->offset + before->width > r->offset) {
        return "overlaps the row before it, or is out of order";
    }
    return NULL;
}

char *reg_table_check(const RegFile *f)
{
    for (size_t i = 0; i < f->n; i++) {
        const char *fault = reg_row_fault(&f->regs[i], i ? &f->regs[i - 1] : NULL);

        if (fault) {
            return g_strdup_printf("%s: register %s (row %zu) %s", f->name,
                                   f->regs[i].name ? f->regs[i].name : "?", i, fault);
        }
    }
    return NULL;
}
