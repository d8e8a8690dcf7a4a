/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Orders of addresses: the key of an address in an order, and the ranges of keys of a box.
 */
#include "plan/alloc_internal.h"

bool plan_key_order_init(PlanKeyOrder *o, const PlanAddrType *type, const PlanAllocOrder *order,
                         GError **err)
{
    uint8_t position[PLAN_ADDR_DIMS], at = 0;
    unsigned seen = 0;

    *o = (PlanKeyOrder){ .n = type->n_dims, .plain = true };
    for (unsigned i = type->n_dims; i-- > 0;) {
        position[i] = at;
        at = (uint8_t)(at + type->dim[i].width);
    }
    at = 0;
    for (unsigned i = type->n_dims; i-- > 0;) {
        unsigned dim = order ? order->dim[i] : i;

        if (dim >= type->n_dims || (seen >> dim & 1)) {
            return plan_fail(err,
                             "an order of address type '%s' must contain each of its %u "
                             "dimensions once",
                             type->name, type->n_dims);
        }
        seen |= 1u << dim;
        o->dim[i] = (uint8_t)dim;
        o->from[i] = position[dim];
        o->shift[i] = at;
        o->mask[i] = (1ull << type->dim[dim].width) - 1;
        o->flip[i] = order && (order->down >> dim & 1) ? o->mask[i] : 0;
        o->plain = o->plain && dim == i && !o->flip[i];
        at = (uint8_t)(at + type->dim[dim].width);
    }
    o->top = (1ull << at) - 1;
    return true;
}

static uint64_t order_digit(const PlanKeyOrder *o, uint64_t key, unsigned i)
{
    return key >> o->shift[i] & o->mask[i];
}

uint64_t plan_key_of(const PlanKeyOrder *o, uint64_t addr)
{
    uint64_t key = 0;

    if (o->plain) {
        return addr;
    }
    for (unsigned i = 0; i < o->n; i++) {
        key |= ((addr >> o->from[i] & o->mask[i]) ^ o->flip[i]) << o->shift[i];
    }
    return key;
}

uint64_t plan_key_addr(const PlanKeyOrder *o, uint64_t key)
{
    uint64_t addr = 0;

    if (o->plain) {
        return key;
    }
    for (unsigned i = 0; i < o->n; i++) {
        addr |= (order_digit(o, key, i) ^ o->flip[i]) << o->from[i];
    }
    return addr;
}

void plan_key_box(const PlanKeyOrder *o, const PlanAddrRange *range, PlanKeyBox *box)
{
    for (unsigned i = 0; i < o->n; i++) {
        uint64_t lo = range->lo[o->dim[i]], hi = range->hi[o->dim[i]];

        box->lo[i] = o->flip[i] ? hi ^ o->flip[i] : lo;
        box->hi[i] = o->flip[i] ? lo ^ o->flip[i] : hi;
    }
}

/* Return the key with the digits of @key up to position @n, and the lowest digits of the box
 * behind. */
static uint64_t order_floor(const PlanKeyOrder *o, const PlanKeyBox *box, uint64_t key, unsigned n)
{
    uint64_t out = 0;

    for (unsigned i = 0; i < o->n; i++) {
        out |= (i < n ? order_digit(o, key, i) : box->lo[i]) << o->shift[i];
    }
    return out;
}

bool plan_key_ceil(const PlanKeyOrder *o, const PlanKeyBox *box, uint64_t from, uint64_t *key)
{
    if (from > o->top) {
        return false;
    }
    for (unsigned i = 0; i < o->n; i++) {
        uint64_t digit = order_digit(o, from, i);

        if (digit < box->lo[i]) {
            *key = order_floor(o, box, from, i);
            return true;
        }
        if (digit > box->hi[i]) {
            /* Increase the last digit in front that is below its limit. */
            while (i-- > 0) {
                if (order_digit(o, from, i) < box->hi[i]) {
                    *key = order_floor(o, box, from + (1ull << o->shift[i]), i + 1);
                    return true;
                }
            }
            return false;
        }
    }
    *key = from;
    return true;
}

/* Return the position of the last digit that is not complete. The keys that differ only in this
 * digit and the complete ones behind are consecutive. */
static unsigned order_row_digit(const PlanKeyOrder *o, const PlanKeyBox *box)
{
    unsigned i = o->n - 1;

    while (i > 0 && box->lo[i] == 0 && box->hi[i] == o->mask[i]) {
        i--;
    }
    return i;
}

uint64_t plan_key_rows(const PlanKeyOrder *o, const PlanKeyBox *box, uint64_t max)
{
    uint64_t rows = 1;

    for (unsigned i = 0; i < order_row_digit(o, box) && rows <= max; i++) {
        rows *= box->hi[i] - box->lo[i] + 1; /* no overflow: both are below 2^33 */
    }
    return MIN(rows, max + 1);
}

bool plan_key_row(const PlanKeyOrder *o, const PlanKeyBox *box, uint64_t from, uint64_t *lo,
                  uint64_t *hi)
{
    unsigned i = order_row_digit(o, box);
    uint64_t below = (1ull << o->shift[i]) - 1;

    if (!plan_key_ceil(o, box, from, lo)) {
        return false;
    }
    *hi = (*lo & ~(o->mask[i] << o->shift[i]) & ~below) | box->hi[i] << o->shift[i] | below;
    return true;
}
