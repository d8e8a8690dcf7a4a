/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fw_cfg as memory-mapped registers: data, selector and DMA (contract in hw/misc/fw_cfg.h).
 *
 * The selector and the DMA address are big-endian. The data register returns the next bytes of the
 * item in their order in memory. A DMA transfer is processed in pieces on the main loop, so that
 * its length does not delay other users of the machine lock; the guest polls the control word of
 * its descriptor, which is written last.
 */
#include "hw/misc/fw_cfg.h"

#include <string.h>

#include "hw/core/bottom_half.h"
#include "util/error.h"
#include "util/log.h"
#include "util/sha256.h"

enum {
    REG_DATA = 0,
    REG_SELECTOR = 8,
    REG_DMA = 16,
    ID_TRADITIONAL = 1 << 0,
    ID_DMA = 1 << 1,
    KEY_NONE = 0xffff,
    KEY_FLAGS = 0xc000, /* write channel, items of the architecture */
    PIECE = 64 << 10,   /* bytes of a DMA transfer that one copy contains */
    BUDGET = 1 << 20,   /* bytes of a DMA transfer in one turn of the main loop */
    DESCRIPTOR_SIZE = 16,
};
#define DMA_SIGNATURE 0x51454d5520434647ull /* "QEMU CFG" */

/* Control word of a DMA descriptor */
enum {
    DMA_ERROR = 1 << 0,
    DMA_READ = 1 << 1,
    DMA_SKIP = 1 << 2,
    DMA_SELECT = 1 << 3,
    DMA_WRITE = 1 << 4,
};

typedef struct FwCfgItem {
    uint8_t *data; /* owned; NULL: empty, or an image */
    const BootImage *image;
    uint64_t len;
} FwCfgItem;

typedef struct FwCfg {
    SysDevice sys;
    FwCfgItem items[FW_CFG_FILE_FIRST + FW_CFG_FILES];
    const char *names[FW_CFG_FILES]; /* of the directory, sorted; borrowed */
    uint16_t n_files;
    uint16_t bootorder; /* key of this file */
    BottomHalf work;
    /* saved state */
    uint16_t key; /* KEY_NONE: an item that does not exist */
    uint64_t offset;
    uint64_t dma_address;    /* of the last descriptor, or its high half */
    bool dma_active;         /* a transfer is in progress: */
    bool dma_read;           /* it copies; otherwise it skips */
    uint32_t dma_left;       /* bytes that remain */
    uint64_t dma_descriptor; /* address of its descriptor */
    uint64_t dma_to;         /* address of the next byte */
} FwCfg;

static FwCfg *fw_cfg_of(Device *dev)
{
    return (FwCfg *)dev;
}

/* --- items --- */

static FwCfgItem *fw_cfg_selected(FwCfg *s)
{
    return s->key == KEY_NONE ? NULL : &s->items[s->key];
}

static void fw_cfg_select(FwCfg *s, uint16_t key)
{
    key &= ~KEY_FLAGS;
    s->key = key < FW_CFG_FILE_FIRST + s->n_files ? key : KEY_NONE;
    s->offset = 0;
}

/* Copy the next bytes of the selected item. Bytes behind its end are zero. */
static void fw_cfg_next(FwCfg *s, uint8_t *to, uint64_t len)
{
    const FwCfgItem *item = fw_cfg_selected(s);
    uint64_t have = item && s->offset < item->len ? MIN(len, item->len - s->offset) : 0;

    memset(to + have, 0, len - have);
    if (have && item->image) {
        if (!boot_image_read(item->image, to, have, s->offset))
            memset(to, 0, have);
    } else if (have) {
        memcpy(to, item->data + s->offset, have);
    }
    s->offset += have;
}

/* --- DMA --- */

/* Write the control word of the descriptor: 0, or an error. */
static void fw_cfg_dma_end(FwCfg *s, uint64_t descriptor, uint32_t control)
{
    uint32_t value = GUINT32_TO_BE(control);

    s->dma_active = false;
    mem_write_buf(&s->sys.dev.machine->memory, descriptor, &value, sizeof(value));
}

/* Perform a part of the transfer. Returns false if the transfer has ended. */
static bool fw_cfg_dma_piece(FwCfg *s)
{
    static const uint64_t max_offset = UINT64_MAX / 2;
    uint32_t n = MIN(s->dma_left, PIECE);
    uint8_t piece[PIECE];

    if (s->dma_read) {
        fw_cfg_next(s, piece, n);
        if (mem_write_buf(&s->sys.dev.machine->memory, s->dma_to, piece, n) != MEM_OK) {
            fw_cfg_dma_end(s, s->dma_descriptor, DMA_ERROR);
            return false;
        }
    } else {
        n = s->dma_left;
        s->offset = MIN(s->offset + n, max_offset);
    }
    s->dma_to += n;
    s->dma_left -= n;
    if (s->dma_left)
        return true;
    fw_cfg_dma_end(s, s->dma_descriptor, 0);
    return false;
}

static void fw_cfg_dma_run(void *opaque)
{
    FwCfg *s = opaque;

    for (unsigned done = 0; done < BUDGET; done += PIECE) {
        if (!s->dma_active || !fw_cfg_dma_piece(s))
            return;
    }
    bottom_half_schedule(&s->work);
}

static void fw_cfg_dma_start(FwCfg *s)
{
    uint32_t control, length;
    uint64_t address, descriptor = s->dma_address;
    uint8_t d[DESCRIPTOR_SIZE];

    s->dma_address = 0;
    if (s->dma_active) {
        guest_error("fw_cfg", "DMA while a transfer is in progress");
        return;
    }
    if (mem_read_buf(&s->sys.dev.machine->memory, descriptor, d, sizeof(d)) != MEM_OK) {
        fw_cfg_dma_end(s, descriptor, DMA_ERROR);
        return;
    }
    memcpy(&control, d, 4);
    memcpy(&length, d + 4, 4);
    memcpy(&address, d + 8, 8);
    control = GUINT32_FROM_BE(control);
    if (control & DMA_SELECT)
        fw_cfg_select(s, control >> 16);
    if (!(control & (DMA_READ | DMA_SKIP))) { /* nothing can be written */
        fw_cfg_dma_end(s, descriptor, control & DMA_WRITE ? DMA_ERROR : 0);
        return;
    }
    s->dma_active = true;
    s->dma_read = control & DMA_READ;
    s->dma_left = GUINT32_FROM_BE(length);
    s->dma_descriptor = descriptor;
    s->dma_to = GUINT64_FROM_BE(address);
    fw_cfg_dma_run(s);
}

/* --- registers --- */

static uint64_t fw_cfg_load(void *opaque, uint64_t offset, unsigned size)
{
    FwCfg *s = opaque;
    uint64_t value = 0;
    uint8_t bytes[8];

    if (offset < REG_SELECTOR) {
        fw_cfg_next(s, bytes, size);
        for (unsigned i = 0; i < size; i++)
            value |= (uint64_t)bytes[i] << i * 8;
    } else if (offset >= REG_DMA) {
        value = GUINT64_SWAP_LE_BE(DMA_SIGNATURE) >> (offset - REG_DMA) * 8;
    }
    return value;
}

static void fw_cfg_store(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    FwCfg *s = opaque;

    if (offset == REG_SELECTOR && size == 2) {
        fw_cfg_select(s, GUINT16_SWAP_LE_BE((uint16_t)value));
    } else if (offset == REG_DMA && size == 8) {
        s->dma_address = GUINT64_SWAP_LE_BE(value);
        fw_cfg_dma_start(s);
    } else if (offset == REG_DMA && size == 4) {
        s->dma_address = (uint64_t)GUINT32_SWAP_LE_BE((uint32_t)value) << 32;
    } else if (offset == REG_DMA + 4 && size == 4) {
        s->dma_address |= GUINT32_SWAP_LE_BE((uint32_t)value);
        fw_cfg_dma_start(s);
    } else {
        guest_error("fw_cfg", "write of %u bytes at 0x%" G_GINT64_MODIFIER "x has no effect", size,
                    offset);
    }
}

static const MemOps fw_cfg_ops = { .read = fw_cfg_load, .write = fw_cfg_store, .impl_max = 8 };

/* --- contents --- */

static void fw_cfg_put(FwCfg *s, uint16_t key, const void *data, size_t len)
{
    FwCfgItem *item = &s->items[key];

    g_free(item->data);
    *item = (FwCfgItem){ .data = g_memdup2(data, len), .len = len };
}

void fw_cfg_set(Device *dev, uint16_t key, const void *data, size_t len)
{
    g_assert(key < FW_CFG_FILE_FIRST);
    fw_cfg_put(fw_cfg_of(dev), key, data, len);
}

void fw_cfg_set_number(Device *dev, uint16_t key, uint64_t value, unsigned size)
{
    value = GUINT64_TO_LE(value);
    fw_cfg_set(dev, key, &value, size);
}

void fw_cfg_set_image(Device *dev, uint16_t key, const BootImage *image)
{
    FwCfg *s = fw_cfg_of(dev);

    fw_cfg_set(dev, key, NULL, 0);
    s->items[key].image = image;
    s->items[key].len = image ? image->size : 0;
}

/* Write the directory: the number of files, and size, key and name of each. */
static void fw_cfg_write_directory(FwCfg *s)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    ByteWriter w = { out };

    put_be32(&w, s->n_files);
    for (unsigned i = 0; i < s->n_files; i++) {
        char name[FW_CFG_NAME_MAX + 1] = { 0 };

        g_strlcpy(name, s->names[i], sizeof(name));
        put_be32(&w, (uint32_t)s->items[FW_CFG_FILE_FIRST + i].len);
        put_be16(&w, FW_CFG_FILE_FIRST + i);
        put_be16(&w, 0);
        put_bytes(&w, name, sizeof(name));
    }
    fw_cfg_put(s, FW_CFG_FILE_DIR, out->data, out->len);
}

void fw_cfg_set_bootorder(Device *dev, const void *data, size_t len)
{
    FwCfg *s = fw_cfg_of(dev);

    fw_cfg_put(s, s->bootorder, data, len);
    fw_cfg_write_directory(s);
}

/* --- life --- */

/* Add a file at the end of the directory. */
static uint16_t fw_cfg_add_file(FwCfg *s, const char *name, const void *data, size_t len)
{
    uint16_t key = FW_CFG_FILE_FIRST + s->n_files;

    s->names[s->n_files++] = name;
    fw_cfg_put(s, key, data, len);
    return key;
}

/* Enter the files of -fw_cfg and "bootorder" in the order of their names. */
static void fw_cfg_add_files(FwCfg *s)
{
    const GPtrArray *files = fw_cfg_files(s->sys.dev.machine);

    for (guint i = 0; files && i < files->len; i++) {
        const FwCfgFile *f = files->pdata[i];

        if (!s->bootorder && strcmp(f->name, FW_CFG_BOOTORDER) > 0)
            s->bootorder = fw_cfg_add_file(s, FW_CFG_BOOTORDER, NULL, 0);
        fw_cfg_add_file(s, f->name, f->data, f->len);
    }
    if (!s->bootorder)
        s->bootorder = fw_cfg_add_file(s, FW_CFG_BOOTORDER, NULL, 0);
    fw_cfg_write_directory(s);
}

static bool fw_cfg_realize(void *dev, GError **err)
{
    FwCfg *s = dev;

    fw_cfg_add_files(s);
    fw_cfg_set(dev, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_set_number(dev, FW_CFG_ID, ID_TRADITIONAL | ID_DMA, 4);
    bottom_half_setup(&s->work, NULL, &s->sys.dev, fw_cfg_dma_run, s);
    return true;
}

static void fw_cfg_reset(void *dev, ResetKind kind)
{
    FwCfg *s = dev;

    bottom_half_cancel(&s->work);
    fw_cfg_select(s, 0);
    s->dma_address = 0;
    s->dma_active = false;
    s->dma_read = false;
    s->dma_left = 0;
    s->dma_descriptor = s->dma_to = 0;
}

static void fw_cfg_unrealize(void *dev)
{
    bottom_half_cancel(&fw_cfg_of(dev)->work);
}

static void fw_cfg_finalize(void *dev)
{
    FwCfg *s = dev;

    for (size_t i = 0; i < G_N_ELEMENTS(s->items); i++)
        g_free(s->items[i].data);
}

/* --- saved state --- */

/* The files are not sent, because the target has the same options: the stream contains the name and
 * the SHA-256 of each, and the contents of "bootorder". */

enum { DIGEST_TEXT = SHA256_TEXT - 1, BOOTORDER_MAX = 1 << 16 };

static FwCfg *fw_cfg_of_files(void *field)
{
    return (FwCfg *)((uint8_t *)field - offsetof(FwCfg, n_files));
}

static void fw_cfg_digest(const FwCfgItem *item, char text[SHA256_TEXT])
{
    g_autoptr(Sha256) sum = sha256_new();

    sha256_add(sum, item->data, item->len);
    g_strlcpy(text, sha256_text(sum), SHA256_TEXT);
}

static void fw_cfg_files_save(void *field, ByteWriter *w)
{
    const FwCfg *s = fw_cfg_of_files(field);
    const FwCfgItem *order = &s->items[s->bootorder];

    put_be16(w, s->n_files);
    for (unsigned i = 0; i < s->n_files; i++) {
        char digest[SHA256_TEXT] = { 0 };

        if (FW_CFG_FILE_FIRST + i != s->bootorder)
            fw_cfg_digest(&s->items[FW_CFG_FILE_FIRST + i], digest);
        put_u8(w, strlen(s->names[i]));
        put_bytes(w, s->names[i], strlen(s->names[i]));
        put_bytes(w, digest, DIGEST_TEXT);
    }
    put_be32(w, (uint32_t)order->len);
    put_bytes(w, order->data, order->len);
}

/* Compare file i of the stream with that of this machine. */
static bool fw_cfg_file_load(FwCfg *s, unsigned i, ByteReader *r, const char *path, GError **err)
{
    size_t len = get_u8(r);
    const uint8_t *name = get_view(r, len), *digest = get_view(r, DIGEST_TEXT);
    char own[SHA256_TEXT] = { 0 };
    bool known;

    if (!reader_ok(r))
        return error_set(err, ERROR_GUEST, "%s: the list of files is truncated", path);
    known = i < s->n_files && strlen(s->names[i]) == len && memcmp(s->names[i], name, len) == 0;
    if (!known)
        return error_set(err, ERROR_GUEST,
                         "%s: the source has the file '%.*s', and this machine '%s': give the same "
                         "-fw_cfg options",
                         path, (int)len,
                         g_utf8_validate((const char *)name, (gssize)len, NULL) ? (const char *)name
                                                                                : "?",
                         i < s->n_files ? s->names[i] : "");
    if (FW_CFG_FILE_FIRST + i != s->bootorder)
        fw_cfg_digest(&s->items[FW_CFG_FILE_FIRST + i], own);
    if (memcmp(own, digest, DIGEST_TEXT) != 0)
        return error_set(err, ERROR_GUEST,
                         "%s: the file '%s' of the source has other contents than that of this "
                         "machine (-fw_cfg)",
                         path, s->names[i]);
    return true;
}

static bool fw_cfg_files_load(void *field, ByteReader *r, const char *path, GError **err)
{
    FwCfg *s = fw_cfg_of_files(field);
    unsigned n = get_be16(r);
    const uint8_t *order;
    uint32_t len;

    for (unsigned i = 0; reader_ok(r) && i < MAX(n, 1); i++) {
        if (!fw_cfg_file_load(s, i, r, path, err))
            return false;
    }
    if (n != s->n_files)
        return error_set(err, ERROR_GUEST,
                         "%s: the source has %u files, and this machine %u: give the same -fw_cfg "
                         "options",
                         path, n, s->n_files);
    len = get_be32(r);
    order = len <= BOOTORDER_MAX ? get_view(r, len) : NULL;
    if (!order && len)
        return error_set(err, ERROR_GUEST, "%s: the boot order has %u bytes", path, len);
    fw_cfg_set_bootorder(&s->sys.dev, order, len);
    return true;
}

static const VmOps fw_cfg_files_ops = { "fw_cfg files", fw_cfg_files_save, fw_cfg_files_load };

static bool fw_cfg_check(void *obj, GError **err)
{
    const FwCfg *s = obj;

    if (s->key != KEY_NONE && s->key >= FW_CFG_FILE_FIRST + s->n_files)
        return error_set(err, ERROR_GUEST, "fw_cfg: the selected item 0x%x does not exist", s->key);
    if (s->dma_active && s->dma_left == 0)
        return error_set(err, ERROR_GUEST, "fw_cfg: a DMA transfer of 0 bytes is in progress");
    return true;
}

static bool fw_cfg_post_load(void *obj, GError **err)
{
    FwCfg *s = obj;

    bottom_half_cancel(&s->work);
    if (s->dma_active)
        bottom_half_schedule(&s->work);
    return true;
}

static const VmField fw_cfg_fields[] = {
    VM_RECORD(FwCfg, n_files, uint16_t, &fw_cfg_files_ops),
    VM_U16(FwCfg, key),
    VM_U64(FwCfg, offset, .max = INT64_MAX),
    VM_U64(FwCfg, dma_address),
    VM_BOOL(FwCfg, dma_active),
    VM_BOOL(FwCfg, dma_read),
    VM_U32(FwCfg, dma_left),
    VM_U64(FwCfg, dma_descriptor),
    VM_U64(FwCfg, dma_to),
};

static const VmState fw_cfg_vmstate = {
    .name = "fw_cfg",
    .version = 1,
    .fields = fw_cfg_fields,
    .n_fields = G_N_ELEMENTS(fw_cfg_fields),
    .check = fw_cfg_check,
    .post_load = fw_cfg_post_load,
};

static const SysRegionDesc fw_cfg_regions[] = {
    { .name = "fwcfg", .size = FW_CFG_MMIO_SIZE, .ops = &fw_cfg_ops },
};

static const SysDeviceType fw_cfg_type = {
    .base = {
        .name = FW_CFG_TYPE,
        .doc = "data for firmware and drivers",
        .kind = &sys_device_kind,
        .size = sizeof(FwCfg),
        .vmstate = &fw_cfg_vmstate,
        .internal = true,
        .realize = fw_cfg_realize,
        .reset = fw_cfg_reset,
        .unrealize = fw_cfg_unrealize,
        .finalize = fw_cfg_finalize,
    },
    .regions = fw_cfg_regions, .n_regions = G_N_ELEMENTS(fw_cfg_regions),
};
SYS_DEVICE_TYPE(fw_cfg_type);
