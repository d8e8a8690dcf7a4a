/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two capability lists: the linked list in 40h to FFh (PCI 6.7) and the extended list from
 * 100h on (PCIe 7.6). Contract in hw/pci/pci.h.
 *
 * The configuration bytes contain the list that a guest reads. PCIConfig.entries has the allocated
 * entries and their sizes. A walk follows the bytes and visits at most as many entries as fit, so
 * that it ends on a list with a loop, which a stream can contain.
 */
#include <errno.h>
#include <string.h>

#include "hw/pci/names.h"
#include "internal.h"
#include "util/error.h"

enum {
    CAP_ALIGN = 4,
    CAP_MAX_ENTRIES = (PCI_CONFIG_SIZE - PCI_HEADER_SIZE) / CAP_ALIGN,
    EXT_CAP_HEADER = 4,
    EXT_CAP_MAX_ENTRIES = (PCIE_CONFIG_SIZE - PCI_EXT_CAP_BASE) / CAP_ALIGN,
};

/* --- space, for both lists --- */

/* Return the number of free bytes at `offset`, at most `size`. */
static unsigned cap_free_run(const PCIConfig *c, unsigned offset, unsigned size)
{
    for (unsigned i = 0; i < size; i++) {
        if (pci_config_mask(c, PCI_USED, offset + i)) {
            return i;
        }
    }
    return size;
}

static bool cap_is_free(const PCIConfig *c, unsigned offset, unsigned size)
{
    return cap_free_run(c, offset, size) == size;
}

/* Return the offset of the first aligned run of `size` free bytes in [first, end), or 0. Reads each
 * byte once. */
static unsigned cap_find_space(const PCIConfig *c, unsigned first, unsigned end, unsigned size)
{
    for (unsigned offset = first; offset + size <= end;) {
        unsigned run = cap_free_run(c, offset, size);

        if (run == size) {
            return offset;
        }
        offset = (offset + run + CAP_ALIGN) & ~(CAP_ALIGN - 1u);
    }
    return 0;
}

static void cap_release(PCIConfig *c, const PCICapEntry *e)
{
    unsigned offset = e->offset, size = e->size; /* e is an element of the array that shrinks */

    pci_config_entry_drop(c, offset);
    pci_config_unclaim(c, offset, size);
    memset(c->bytes + offset, 0, size);
}

/* Report why an entry cannot be at an offset; the message names an overlapping entry. Return false.
 */
static bool cap_place_error(const PCIDevice *d, const char *name, unsigned offset, unsigned size,
                            unsigned first, unsigned end, GError **err)
{
    const char *who = device_name(&d->dev);

    const PCICapEntry *other = NULL;

    if (offset % CAP_ALIGN) {
        return error_set(err, ERROR_USER,
                         "%s: the %s capability cannot be at 0x%x: a multiple of 4 is accepted",
                         who, name, offset);
    }
    if (offset < first || offset + size > end) {
        return error_set(err, ERROR_USER,
                         "%s: the %s capability cannot be at 0x%x: its %u bytes must lie in 0x%x "
                         "to 0x%x",
                         who, name, offset, size, first, end - 1);
    }
    for (unsigned i = 0; !other; i++) {
        other = pci_config_entry_at(&d->config, offset + i);
    }
    return error_set(err, ERROR_USER,
                     "%s: the %s capability cannot be at 0x%x: 0x%x to 0x%x is used by the %s "
                     "capability",
                     who, name, offset, other->offset, other->offset + other->size - 1,
                     pci_cap_name(other->id, other->extended));
}

static int cap_check_range(const PCIConfig *c, unsigned offset, unsigned size, unsigned first,
                           unsigned end)
{
    if (offset < first || offset % CAP_ALIGN || offset + size > end) {
        return -EINVAL;
    }
    return cap_is_free(c, offset, size) ? 0 : -EBUSY;
}

/* --- the conventional list --- */

static uint8_t cap_next_of(const PCIConfig *c, unsigned pointer_at)
{
    uint8_t next = c->bytes[pointer_at] & ~(CAP_ALIGN - 1);

    return next >= PCI_HEADER_SIZE ? next : 0;
}

static void cap_set_list_bit(PCIConfig *c)
{
    if (cap_next_of(c, PCI_CAPABILITY_LIST)) {
        c->bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    } else {
        c->bytes[PCI_STATUS] &= ~PCI_STATUS_CAP_LIST;
    }
}

enum { CAP_ANY_ID = -1, CAP_ANY_PLACE = 0 };

/* Find the first entry, from the pointer at `from` on, with an id and at an offset; CAP_ANY_ID and
 * CAP_ANY_PLACE match all. Return the offset of the byte that points to it, or 0. */
static uint8_t cap_find_pointer(const PCIConfig *c, uint8_t from, int cap_id, unsigned place)
{
    uint8_t pointer = from;

    if (!(c->bytes[PCI_STATUS] & PCI_STATUS_CAP_LIST)) {
        return 0;
    }
    for (unsigned n = 0; n < CAP_MAX_ENTRIES; n++) {
        uint8_t at = cap_next_of(c, pointer);

        if (!at) {
            return 0;
        }
        if ((cap_id == CAP_ANY_ID || c->bytes[at] == cap_id) &&
            (place == CAP_ANY_PLACE || at == place)) {
            return pointer;
        }
        pointer = at + 1;
    }
    return 0;
}

uint8_t pci_find_capability(const PCIDevice *d, uint8_t cap_id)
{
    uint8_t pointer = cap_find_pointer(&d->config, PCI_CAPABILITY_LIST, cap_id, CAP_ANY_PLACE);

    return pointer ? cap_next_of(&d->config, pointer) : 0;
}

uint8_t pci_find_next_capability(const PCIDevice *d, uint8_t after, uint8_t cap_id)
{
    uint8_t pointer;

    if (after < PCI_HEADER_SIZE || after == UINT8_MAX) {
        return 0;
    }
    pointer = cap_find_pointer(&d->config, after + 1, cap_id, CAP_ANY_PLACE);
    return pointer ? cap_next_of(&d->config, pointer) : 0;
}

static void cap_link_at(PCIConfig *c, uint8_t cap_id, uint8_t offset, uint8_t size)
{
    memset(c->bytes + offset, 0, size);
    c->bytes[offset] = cap_id;
    c->bytes[offset + 1] = c->bytes[PCI_CAPABILITY_LIST];
    c->bytes[PCI_CAPABILITY_LIST] = offset;
    c->bytes[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
    pci_config_claim(c, &(PCICapEntry){ .offset = offset, .size = size, .id = cap_id });
}

int pci_add_capability(PCIDevice *d, uint8_t cap_id, uint8_t size)
{
    unsigned offset;

    offset = size < 2 ? 0 : cap_find_space(&d->config, PCI_HEADER_SIZE, PCI_CONFIG_SIZE, size);
    if (!offset) {
        return -ENOSPC;
    }
    cap_link_at(&d->config, cap_id, offset, size);
    return offset;
}

int pci_add_capability_at(PCIDevice *d, uint8_t cap_id, uint8_t offset, uint8_t size, GError **err)
{
    const char *name = pci_cap_name(cap_id, false);

    if (size < 2) {
        error_set(err, ERROR_USER, "%s: the %s capability needs at least 2 bytes, not %u",
                  device_name(&d->dev), name, size);
        return -EINVAL;
    }
    if (cap_check_range(&d->config, offset, size, PCI_HEADER_SIZE, PCI_CONFIG_SIZE) < 0) {
        cap_place_error(d, name, offset, size, PCI_HEADER_SIZE, PCI_CONFIG_SIZE, err);
        return -EINVAL;
    }
    cap_link_at(&d->config, cap_id, offset, size);
    return offset;
}

static void cap_unlink_at(PCIConfig *c, uint8_t pointer, const PCICapEntry *e)
{
    c->bytes[pointer] = c->bytes[e->offset + 1];
    cap_release(c, e);
    cap_set_list_bit(c);
}

int pci_del_capability(PCIDevice *d, uint8_t cap_id, uint8_t size)
{
    PCIConfig *c = &d->config;
    uint8_t pointer = cap_find_pointer(c, PCI_CAPABILITY_LIST, cap_id, CAP_ANY_PLACE);
    const PCICapEntry *e;
    uint8_t offset;

    if (!pointer) {
        return 0;
    }
    offset = cap_next_of(c, pointer);
    e = pci_config_entry_at(c, offset);
    if (!e || e->offset != offset || e->size != size) {
        return -EINVAL;
    }
    cap_unlink_at(c, pointer, e);
    return 0;
}

/* Mark the bytes of an entry as used. The caller sets its masks. A range that is reserved already
 * is not an error. */
static int cap_reserve(PCIConfig *c, const PCICapEntry *e, unsigned first, unsigned end)
{
    const PCICapEntry *holder = pci_config_entry_at(c, e->offset);
    int ret = cap_check_range(c, e->offset, e->size, first, end);

    if (ret == -EBUSY && holder && holder->offset == e->offset && holder->size == e->size) {
        return 0;
    }
    if (ret == 0) {
        pci_config_reserve(c, e);
    }
    return ret;
}

int pci_reserve_capability(PCIDevice *d, uint8_t offset, uint8_t size)
{
    PCIConfig *c = &d->config;
    PCICapEntry e = { .offset = offset, .size = size, .id = c->bytes[offset] };

    return size < 2 ? -EINVAL : cap_reserve(c, &e, PCI_HEADER_SIZE, PCI_CONFIG_SIZE);
}

/* --- the extended list: each entry has a header of 4 bytes {id, version, next}; the first entry is
 * at 100h --- */

static bool cap_has_extended(const PCIConfig *c)
{
    return c->size > PCI_EXT_CAP_BASE;
}

static uint32_t ext_cap_header(const PCIConfig *c, unsigned offset)
{
    return pci_config_get(c, offset, EXT_CAP_HEADER);
}

static unsigned ext_cap_next(const PCIConfig *c, unsigned offset)
{
    unsigned next = ext_cap_header(c, offset) >> 20 & ~(CAP_ALIGN - 1u);

    return next > PCI_EXT_CAP_BASE ? next : 0;
}

static void ext_cap_set_next(PCIConfig *c, unsigned offset, unsigned next)
{
    pci_config_set(c, offset, EXT_CAP_HEADER, (ext_cap_header(c, offset) & 0xfffff) | next << 20);
}

static uint16_t ext_cap_find_from(const PCIConfig *c, unsigned at, int cap_id, unsigned place,
                                  unsigned *before)
{
    unsigned prev = 0;

    if (cap_id == 0) { /* the id of the null head, which is not a capability */
        return 0;
    }
    for (unsigned n = 0; at && n < EXT_CAP_MAX_ENTRIES; n++) {
        if ((cap_id == CAP_ANY_ID || (int)(ext_cap_header(c, at) & 0xffff) == cap_id) &&
            (place == CAP_ANY_PLACE || at == place)) {
            if (before) {
                *before = prev;
            }
            return at;
        }
        prev = at;
        at = ext_cap_next(c, at);
    }
    return 0;
}

uint16_t pcie_find_ext_capability(const PCIDevice *d, uint16_t cap_id)
{
    const PCIConfig *c = &d->config;

    return cap_has_extended(c) ? ext_cap_find_from(c, PCI_EXT_CAP_BASE, cap_id, CAP_ANY_PLACE, NULL)
                               : 0;
}

uint16_t pcie_find_next_ext_capability(const PCIDevice *d, uint16_t after, uint16_t cap_id)
{
    const PCIConfig *c = &d->config;

    if (!cap_has_extended(c) || after < PCI_EXT_CAP_BASE ||
        after > PCIE_CONFIG_SIZE - EXT_CAP_HEADER) {
        return 0;
    }
    return ext_cap_find_from(c, ext_cap_next(c, after), cap_id, CAP_ANY_PLACE, NULL);
}

static void ext_cap_link_at(PCIConfig *c, uint16_t cap_id, uint8_t version, unsigned offset,
                            unsigned size)
{
    unsigned next = ext_cap_next(c, PCI_EXT_CAP_BASE);

    memset(c->bytes + offset, 0, size);
    pci_config_set(c, offset, EXT_CAP_HEADER,
                   cap_id | (uint32_t)(version & 0xf) << 16 | (uint32_t)next << 20);
    if (offset != PCI_EXT_CAP_BASE) {
        ext_cap_set_next(c, PCI_EXT_CAP_BASE, offset);
    }
    pci_config_claim(
        c, &(PCICapEntry){ .offset = offset, .size = size, .id = cap_id, .extended = true });
}

int pcie_add_ext_capability(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t size)
{
    unsigned offset = 0;

    if (cap_has_extended(&d->config) && cap_id != 0 && size >= EXT_CAP_HEADER) {
        offset = cap_find_space(&d->config, PCI_EXT_CAP_BASE, PCIE_CONFIG_SIZE, size);
    }
    if (!offset) {
        return -ENOSPC;
    }
    ext_cap_link_at(&d->config, cap_id, version, offset, size);
    return offset;
}

int pcie_add_ext_capability_at(PCIDevice *d, uint16_t cap_id, uint8_t version, uint16_t offset,
                               uint16_t size, GError **err)
{
    const char *name = pci_cap_name(cap_id, true);

    if (!cap_has_extended(&d->config)) {
        error_set(err, ERROR_USER, "%s: the %s capability is an extended one and needs PCI Express",
                  device_name(&d->dev), name);
        return -EINVAL;
    }
    if (cap_id == 0 || size < EXT_CAP_HEADER) {
        error_set(err, ERROR_USER,
                  "%s: an extended capability needs an id and at least 4 bytes, not id 0x%x with "
                  "%u bytes",
                  device_name(&d->dev), cap_id, size);
        return -EINVAL;
    }
    if (cap_check_range(&d->config, offset, size, PCI_EXT_CAP_BASE, PCIE_CONFIG_SIZE) < 0) {
        cap_place_error(d, name, offset, size, PCI_EXT_CAP_BASE, PCIE_CONFIG_SIZE, err);
        return -EINVAL;
    }
    ext_cap_link_at(&d->config, cap_id, version, offset, size);
    return offset;
}

/* Unlink an entry. The entry at 100h is replaced by a null head that points to the rest of the
 * list.
 */
static void ext_cap_unlink(PCIConfig *c, unsigned before, const PCICapEntry *e)
{
    unsigned next = ext_cap_next(c, e->offset);

    cap_release(c, e);
    ext_cap_set_next(c, before ? before : PCI_EXT_CAP_BASE, next);
}

int pcie_del_ext_capability(PCIDevice *d, uint16_t cap_id, uint16_t size)
{
    PCIConfig *c = &d->config;
    unsigned before = 0;
    uint16_t offset = 0;
    const PCICapEntry *e;

    if (cap_has_extended(c)) {
        offset = ext_cap_find_from(c, PCI_EXT_CAP_BASE, cap_id, CAP_ANY_PLACE, &before);
    }
    if (!offset) {
        return 0;
    }
    e = pci_config_entry_at(c, offset);
    if (!e || e->offset != offset || e->size != size) {
        return -EINVAL;
    }
    ext_cap_unlink(c, before, e);
    return 0;
}

int pcie_reserve_ext_capability(PCIDevice *d, uint16_t offset, uint16_t size)
{
    PCIConfig *c = &d->config;
    PCICapEntry e = { .offset = offset, .size = size, .extended = true };

    if (!cap_has_extended(c) || size < EXT_CAP_HEADER ||
        offset > PCIE_CONFIG_SIZE - EXT_CAP_HEADER) {
        return -EINVAL;
    }
    e.id = ext_cap_header(c, offset) & 0xffff;
    return cap_reserve(c, &e, PCI_EXT_CAP_BASE, PCIE_CONFIG_SIZE);
}

/* --- by offset, for the core: several entries may have the same id --- */

void pci_cap_delete_at(PCIDevice *d, uint16_t offset)
{
    PCIConfig *c = &d->config;
    const PCICapEntry *e = pci_config_entry_at(c, offset);
    unsigned before = 0;
    uint8_t pointer;

    g_assert(e && e->offset == offset);
    if (e->extended) {
        if (ext_cap_find_from(c, PCI_EXT_CAP_BASE, CAP_ANY_ID, offset, &before)) {
            ext_cap_unlink(c, before, e);
        }
        return;
    }
    pointer = cap_find_pointer(c, PCI_CAPABILITY_LIST, CAP_ANY_ID, offset);
    if (pointer) {
        cap_unlink_at(c, pointer, e);
    }
}
