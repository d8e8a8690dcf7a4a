/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Accesses: from an address, a size and a value to the RAM or the device that answers.
 */
#include <string.h>

#include "memory/memory.h"

typedef struct Limits {
    unsigned valid_min, valid_max, impl_min, impl_max;
} Limits;

static Limits limits_of(const MemOps *ops)
{
    return (Limits){
        .valid_min = ops->valid_min ? ops->valid_min : 1,
        .valid_max = ops->valid_max ? ops->valid_max : 8,
        .impl_min = ops->impl_min ? ops->impl_min : 1,
        .impl_max = ops->impl_max ? ops->impl_max : 4,
    };
}

static uint64_t size_mask(unsigned size)
{
    return size == 8 ? UINT64_MAX : (UINT64_C(1) << size * 8) - 1;
}

static bool access_allowed(const MemOps *ops, const Limits *lim, uint64_t off, unsigned size)
{
    return size >= lim->valid_min && size <= lim->valid_max &&
           (ops->unaligned || !(off & (size - 1)));
}

/* --- narrow accesses: inside wide, aligned ones --- */

static uint64_t read_narrow(const MemRegion *r, uint64_t off, unsigned size, unsigned wide)
{
    uint64_t value = 0, base = UINT64_MAX, word = 0;

    for (unsigned i = 0; i < size; i++) {
        uint64_t at = (off + i) & ~(uint64_t)(wide - 1);

        if (at != base) {
            base = at;
            word = r->ops->read(r->opaque, base, wide) & size_mask(wide);
        }
        value |= (word >> (off + i - base) * 8 & 0xff) << i * 8;
    }
    return value;
}

static void write_narrow(const MemRegion *r, uint64_t off, uint64_t value, unsigned size,
                         unsigned wide)
{
    for (unsigned i = 0; i < size;) {
        uint64_t base = (off + i) & ~(uint64_t)(wide - 1);
        uint64_t word = r->ops->narrow_rmw ? r->ops->read(r->opaque, base, wide) : 0;

        word &= size_mask(wide);
        for (; i < size && off + i - base < wide; i++) {
            unsigned shift = (off + i - base) * 8;

            word = (word & ~(UINT64_C(0xff) << shift)) | (value >> i * 8 & 0xff) << shift;
        }
        r->ops->write(r->opaque, base, word, wide);
    }
}

/* --- one access to a device: split or widen to what it implements --- */

static uint64_t split_read(const MemRegion *r, const Limits *lim, uint64_t off, unsigned size)
{
    unsigned piece = MIN(size, lim->impl_max);
    uint64_t value = 0;

    if (!r->ops->read) {
        return 0;
    }
    if (size < lim->impl_min) {
        return read_narrow(r, off, size, lim->impl_min);
    }
    for (unsigned i = 0; i < size; i += piece) {
        value |= (r->ops->read(r->opaque, off + i, piece) & size_mask(piece)) << i * 8;
    }
    return value;
}

static void split_write(const MemRegion *r, const Limits *lim, uint64_t off, uint64_t value,
                        unsigned size)
{
    unsigned piece = MIN(size, lim->impl_max);

    if (!r->ops->write) {
        return;
    }
    if (size < lim->impl_min) {
        write_narrow(r, off, value, size, lim->impl_min);
        return;
    }
    for (unsigned i = 0; i < size; i += piece) {
        r->ops->write(r->opaque, off + i, value >> i * 8 & size_mask(piece), piece);
    }
}

static bool access_enter(const MemRegion *r)
{
    return !r->guard || r->guard->enter(r->guard_owner);
}

static MemResult mmio_read(const MemRegion *r, uint64_t off, unsigned size, uint64_t *value)
{
    const MemGuard *guard = r->guard;
    void *owner = r->guard_owner; /* the callee may take the region apart */
    Limits lim = limits_of(r->ops);

    *value = 0;
    if (!access_allowed(r->ops, &lim, off, size) || !access_enter(r)) {
        return MEM_REFUSED;
    }
    *value = split_read(r, &lim, off, size) & size_mask(size);
    if (guard) {
        guard->leave(owner);
    }
    return MEM_OK;
}

static MemResult mmio_write(const MemRegion *r, uint64_t off, uint64_t value, unsigned size)
{
    const MemGuard *guard = r->guard;
    void *owner = r->guard_owner;
    Limits lim = limits_of(r->ops);

    if (!access_allowed(r->ops, &lim, off, size) || !access_enter(r)) {
        return MEM_REFUSED;
    }
    split_write(r, &lim, off, value & size_mask(size), size);
    if (guard) {
        guard->leave(owner);
    }
    return MEM_OK;
}

/* --- RAM: single loads and stores of the access's width, since CPUs look on --- */

static uint64_t ram_load(const uint8_t *p, unsigned size)
{
    uint16_t v16;
    uint32_t v32;
    uint64_t v64;

    switch (size) {
    case 1:
        return *p;
    case 2:
        memcpy(&v16, p, 2);
        return GUINT16_FROM_LE(v16);
    case 4:
        memcpy(&v32, p, 4);
        return GUINT32_FROM_LE(v32);
    default:
        memcpy(&v64, p, 8);
        return GUINT64_FROM_LE(v64);
    }
}

static void ram_store(uint8_t *p, unsigned size, uint64_t value)
{
    uint16_t v16 = GUINT16_TO_LE((uint16_t)value);
    uint32_t v32 = GUINT32_TO_LE((uint32_t)value);
    uint64_t v64 = GUINT64_TO_LE(value);

    switch (size) {
    case 1:
        *p = value;
        break;
    case 2:
        memcpy(p, &v16, 2);
        break;
    case 4:
        memcpy(p, &v32, 4);
        break;
    default:
        memcpy(p, &v64, 8);
        break;
    }
}

static uint8_t *ram_host(const MemLookup *l)
{
    return l->leaf->ram->host + l->leaf->ram_offset + l->offset;
}

static void ram_done(const MemLookup *l, uint64_t len)
{
    ram_device_written(l->leaf->ram, l->leaf->ram_offset + l->offset, len);
}

/* Return whether a store writes memory, and is not performed by a device. */
static bool access_is_memory(const MemRegion *leaf)
{
    return leaf->kind == MEM_RAM && !leaf->ram->device_stores;
}

static uint64_t nothing_value(MemBackground background, unsigned size)
{
    return background == MEM_ONES ? size_mask(size) : 0;
}

/* --- the public ones --- */

static MemResult read_bytes(MemRegion *root, uint64_t addr, unsigned size, uint64_t *value)
{
    MemResult result = MEM_OK;
    uint64_t byte;

    *value = 0;
    for (unsigned i = 0; i < size; i++) {
        if (addr > UINT64_MAX - i) {
            return result | MEM_UNMAPPED;
        }
        result |= mem_read(root, addr + i, 1, &byte);
        *value |= byte << i * 8;
    }
    return result;
}

static MemResult write_bytes(MemRegion *root, uint64_t addr, unsigned size, uint64_t value)
{
    MemResult result = MEM_OK;

    for (unsigned i = 0; i < size; i++) {
        if (addr > UINT64_MAX - i) {
            return result | MEM_UNMAPPED;
        }
        result |= mem_write(root, addr + i, 1, value >> i * 8 & 0xff);
    }
    return result;
}

static MemResult read_found(MemRegion *root, const MemLookup *l, uint64_t addr, unsigned size,
                            uint64_t *value)
{
    if (size - 1 > l->last - addr) {
        return read_bytes(root, addr, size, value);
    }
    if (!l->leaf) {
        *value = nothing_value(l->background, size);
        return MEM_UNMAPPED;
    }
    if (l->leaf->kind == MEM_RAM) {
        *value = ram_load(ram_host(l), size);
        return MEM_OK;
    }
    return mmio_read(l->leaf, l->offset, size, value);
}

static MemResult write_found(MemRegion *root, const MemLookup *l, uint64_t addr, unsigned size,
                             uint64_t value)
{
    if (size - 1 > l->last - addr) {
        return write_bytes(root, addr, size, value);
    }
    if (!l->leaf) {
        return MEM_UNMAPPED;
    }
    if (access_is_memory(l->leaf)) {
        if (!l->leaf->ram->read_only) {
            ram_store(ram_host(l), size, value);
            ram_done(l, size);
        }
        return MEM_OK;
    }
    return mmio_write(l->leaf, l->offset, value, size);
}

MemResult mem_read(MemRegion *root, uint64_t addr, unsigned size, uint64_t *value)
{
    MemLookup l = mem_lookup(root, addr);

    return read_found(root, &l, addr, size, value);
}

MemResult mem_write(MemRegion *root, uint64_t addr, unsigned size, uint64_t value)
{
    MemLookup l = mem_lookup(root, addr);

    return write_found(root, &l, addr, size, value);
}

/* Returns a copy, because the access may change the map and thereby the memo. */
static MemLookup access_recall(MemRegion *root, MemMemo *memo, uint64_t addr)
{
    MemLookup *l = &memo->found;

    if (memo->generation != root->generation + 1 || addr < l->first || addr > l->last) {
        *l = mem_lookup(root, addr);
        memo->generation = root->generation + 1;
        l->offset -= addr - l->first; /* kept for the first address */
    }
    MemLookup here = *l;
    here.offset += addr - l->first;
    return here;
}

MemResult mem_read_memo(MemRegion *root, MemMemo *memo, uint64_t addr, unsigned size,
                        uint64_t *value)
{
    MemLookup l = access_recall(root, memo, addr);

    return read_found(root, &l, addr, size, value);
}

MemResult mem_write_memo(MemRegion *root, MemMemo *memo, uint64_t addr, unsigned size,
                         uint64_t value)
{
    MemLookup l = access_recall(root, memo, addr);

    return write_found(root, &l, addr, size, value);
}

/* Bytes of [off, off + len) that a device accepts in one access. @single: the piece is the first
 * one of a length that could be a single access. */
static unsigned piece_size(const MemRegion *r, uint64_t off, uint64_t len, uint64_t room,
                           bool single)
{
    unsigned max = limits_of(r->ops).valid_max, piece = 8;

    while (piece > len || piece > max || (off & (piece - 1) && !(single && r->ops->unaligned))) {
        piece /= 2;
    }
    return piece - 1 <= room ? piece : 1;
}

static bool one_access(uint64_t len)
{
    return len <= 8 && !(len & (len - 1));
}

MemResult mem_read_buf(MemRegion *root, uint64_t addr, void *buf, uint64_t len)
{
    MemResult result = MEM_OK;
    bool single = one_access(len);
    uint8_t *p = buf;

    while (len) {
        MemLookup l = mem_lookup(root, addr);
        uint64_t room = l.last - addr, n = room < len - 1 ? room + 1 : len, value;

        if (!l.leaf) {
            memset(p, l.background == MEM_ONES ? 0xff : 0, n);
            result |= MEM_UNMAPPED;
        } else if (l.leaf->kind == MEM_RAM) {
            memcpy(p, ram_host(&l), n);
        } else {
            n = piece_size(l.leaf, l.offset, len, room, single);
            result |= mmio_read(l.leaf, l.offset, n, &value);
            value = GUINT64_TO_LE(value);
            memcpy(p, &value, n);
        }
        single = single && n > 1;
        p += n;
        len -= n;
        if (len && addr > UINT64_MAX - n) {
            memset(p, 0, len);
            return result | MEM_UNMAPPED;
        }
        addr += n;
    }
    return result;
}

MemResult mem_write_buf(MemRegion *root, uint64_t addr, const void *buf, uint64_t len)
{
    MemResult result = MEM_OK;
    bool single = one_access(len);
    const uint8_t *p = buf;

    while (len) {
        MemLookup l = mem_lookup(root, addr);
        uint64_t room = l.last - addr, n = room < len - 1 ? room + 1 : len, value = 0;

        if (!l.leaf) {
            result |= MEM_UNMAPPED;
        } else if (access_is_memory(l.leaf)) {
            if (!l.leaf->ram->read_only) {
                memcpy(ram_host(&l), p, n);
                ram_done(&l, n);
            }
        } else {
            n = piece_size(l.leaf, l.offset, len, room, single);
            memcpy(&value, p, n);
            result |= mmio_write(l.leaf, l.offset, GUINT64_FROM_LE(value), n);
        }
        single = single && n > 1;
        p += n;
        len -= n;
        if (len && addr > UINT64_MAX - n) {
            return result | MEM_UNMAPPED;
        }
        addr += n;
    }
    return result;
}

MemResult mem_set(MemRegion *root, uint64_t addr, uint8_t byte, uint64_t len)
{
    MemResult result = MEM_OK;
    uint8_t chunk[4096];

    memset(chunk, byte, sizeof(chunk));
    while (len) {
        /* cut where the addresses are aligned, so that no access of a device is cut */
        uint64_t n = MIN(len, sizeof(chunk) - addr % sizeof(chunk));

        result |= mem_write_buf(root, addr, chunk, n);
        len -= n;
        if (len && addr > UINT64_MAX - n) {
            return result | MEM_UNMAPPED;
        }
        addr += n;
    }
    return result;
}
