/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-blk: a disk (virtio 1.2, 5.2).
 */
#include "virtio_blk.h"

#include <string.h>

enum { CONFIG_SIZE = 60 };

/* --- configuration --- */

static void blk_reset(VirtioDevice *v)
{
    VirtioBlk *blk = blk_of(v);

    blk->writeback = blk->write_cache != PLAN_OFF;
    virtio_blk_forget_loaded(blk);
}

static uint64_t blk_features(VirtioDevice *v)
{
    VirtioBlk *blk = blk_of(v);
    bool writable = blk->read_only != PLAN_ON;

    return 1ull << F_SEG_MAX | 1ull << F_BLK_SIZE | 1ull << F_FLUSH | 1ull << F_TOPOLOGY |
           (writable ? 0 : 1ull << F_RO) | (blk->num_queues > 1 ? 1ull << F_MQ : 0) |
           (blk->config_wce ? 1ull << F_CONFIG_WCE : 0) |
           (writable && blk->discard ? 1ull << F_DISCARD : 0) |
           (writable && blk->write_zeroes ? 1ull << F_WRITE_ZEROES : 0);
}

static void put_le(uint8_t *config, size_t at, uint64_t v, size_t len)
{
    memcpy(config + at, &v, len); /* little-endian host: reg.c checks */
}

/* Streams of earlier builds hold the default where the driver can neither flush nor switch. */
bool virtio_blk_writeback(VirtioBlk *blk)
{
    VirtioDevice *v = &blk->vpci.virtio;
    bool fixed =
        (v->status & S_DRIVER_OK) && !virtio_has(v, F_FLUSH) && !virtio_has(v, F_CONFIG_WCE);

    return blk->writeback && !fixed;
}

static void blk_config_read(VirtioDevice *v, uint8_t *c)
{
    VirtioBlk *blk = blk_of(v);
    unsigned exponent = __builtin_ctz(blk->physical / blk->logical);

    put_le(c, 0, block_size(blk->node) / BLOCK_SECTOR, 8);
    put_le(c, 12, SEG_MAX, 4);
    put_le(c, 20, blk->logical, 4);
    put_le(c, 24, exponent, 1);
    put_le(c, 26, blk->physical / blk->logical, 2); /* smallest good request, in blocks */
    put_le(c, 32, virtio_blk_writeback(blk), 1);
    put_le(c, 34, blk->num_queues, 2);
    put_le(c, 36, MAX_RANGE_SECTORS, 4);
    put_le(c, 40, 1, 4);
    put_le(c, 44, blk->physical / BLOCK_SECTOR, 4);
    put_le(c, 48, MAX_RANGE_SECTORS, 4);
    put_le(c, 52, 1, 4);
    put_le(c, 56, 1, 1);
}

/* Without FLUSH the driver cannot write the cache back, so the device must not hold data in it: the
 * cache is off until the driver switches it on, if it can (5.2.5.2, 5.2.6.2). */
static void choose_writeback(VirtioBlk *blk)
{
    blk->writeback = virtio_has(&blk->vpci.virtio, F_FLUSH) && blk->write_cache != PLAN_OFF;
}

static bool blk_set_features(VirtioDevice *v, uint64_t features)
{
    choose_writeback(blk_of(v));
    return true;
}

/* A legacy driver need not write features at all. */
static void blk_status_changed(VirtioDevice *v, uint8_t old)
{
    if ((v->status & ~old & S_DRIVER_OK) && !virtio_has(v, F_CONFIG_WCE)) {
        choose_writeback(blk_of(v));
    }
}

static void blk_config_written(VirtioDevice *v, const uint8_t *c, size_t at, size_t len)
{
    if (virtio_has(v, F_CONFIG_WCE) && at <= 32 && at + len > 32) {
        blk_of(v)->writeback = c[32] & 1;
    }
}

static void blk_resized(void *opaque, uint64_t size)
{
    virtio_config_changed(&((VirtioBlk *)opaque)->vpci.virtio);
}

static const char *blk_path(void *opaque)
{
    return ((VirtioBlk *)opaque)->vpci.pci.dev.path;
}

/* --- life --- */

static bool power_of_two(uint32_t v, uint32_t lo, uint32_t hi)
{
    return v >= lo && v <= hi && !(v & (v - 1));
}

static bool check_props(VirtioBlk *blk, GError **err)
{
    const char *name = device_name(&blk->vpci.pci.dev), *what = NULL;

    if (!power_of_two(blk->queue_size, 4, VIRTIO_MAX_QUEUE_SIZE)) {
        what = "queue-size must be a power of two from 4 to 1024";
    } else if (!power_of_two(blk->logical, 512, 32768)) {
        what = "logical_block_size must be a power of two from 512 to 32768";
    } else if (!power_of_two(blk->physical, blk->logical, 2 << 20)) {
        what = "physical_block_size must be a power of two, at least logical_block_size";
    } else if (!blk->drive) {
        what = "property 'drive' is required: make a back end with -drive "
               "if=none,id=NAME,file=FILE,format=raw (or -blockdev node-name=NAME,...) and add "
               "drive=NAME to -device virtio-blk-pci";
    }
    if (what) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_INVAL, "%s: %s", name, what);
    }
    return what == NULL;
}

static bool blk_init(void *dev, GError **err)
{
    VirtioBlk *blk = dev;
    Device *device = &blk->vpci.pci.dev;

    if (!check_props(blk, err)) {
        return false;
    }
    blk->node = block_find(device->machine, blk->drive);
    if (!blk->node) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_NOENT,
                    "%s: there is no drive or block node named '%s'", device_name(device),
                    blk->drive);
        return false;
    }
    if (blk->read_only == PLAN_OFF && block_read_only(blk->node)) {
        g_set_error(err, G_FILE_ERROR, G_FILE_ERROR_ROFS,
                    "%s: read-only=off was requested, but block node '%s' is read-only",
                    device_name(device), blk->drive);
        blk->node = NULL;
        return false;
    }
    if (blk->read_only == PLAN_AUTO) {
        blk->read_only = block_read_only(blk->node) ? PLAN_ON : PLAN_OFF;
    }
    blk->user = (BlockUser){
        .resized = blk_resized,
        .path = blk_path,
        .opaque = blk,
        .perm = BLOCK_PERM_CONSISTENT_READ | (blk->read_only == PLAN_ON ? 0 : BLOCK_PERM_WRITE),
        .shared = BLOCK_PERM_CONSISTENT_READ | BLOCK_PERM_WRITE_UNCHANGED | BLOCK_PERM_RESIZE |
                  (blk->share_rw ? BLOCK_PERM_WRITE : 0),
    };
    if (!block_attach(blk->node, &blk->user, device_name(device), err)) {
        blk->node = NULL;
        return false;
    }
    for (unsigned i = 0; i < blk->num_queues; i++) {
        virtio_add_queue(&blk->vpci.virtio, blk->queue_size);
    }
    machine_add_run_fn(device->machine, virtio_blk_run_changed, blk);
    return true;
}

static void blk_exit(void *dev)
{
    VirtioBlk *blk = dev;

    machine_remove_run_fn(blk->vpci.pci.dev.machine, virtio_blk_run_changed, blk);
    block_detach(blk->node, &blk->user);
    blk->node = NULL;
}

static const PlanCount blk_auto_vectors = { 1, { "num-queues" }, { 1 } };

static const VmField blk_fields[] = {
    VM_VIRTIO_PCI(VirtioBlk, vpci),
    VM_U8(VirtioBlk, writeback, .mask = 1),
    VM_RECORD(VirtioBlk, kept, BlkReqList, &virtio_blk_kept_ops),
};
static const VmState blk_state = { .name = "virtio-blk", .version = 1, .fields = LIST(blk_fields) };

static const char *const policies[] = { "auto", "report", "ignore", "stop", "enospc", NULL };

#define ERROR_PROP(m, text)                                                                        \
    {                                                                                              \
        .name = #m, .kind = PLAN_PROP_ENUM, .field = FIELD(VirtioBlk, m, uint32_t),                \
        .choices = policies, .flags = PLAN_PROP_HOST, .doc = (text)                                \
    }
static const PlanProp blk_props[] = {
    VIRTIO_PCI_PROPS,
    PROP_BACKEND(VirtioBlk, drive, "drive", "block", "the drive or block node behind it"),
    PROP_STR(VirtioBlk, serial, "serial", "serial number, up to 20 bytes"),
    PROP_U16(VirtioBlk, num_queues, "num-queues", 1, 1, MAX_QUEUES, "request queues"),
    PROP_U16(VirtioBlk, queue_size, "queue-size", 256, 4, VIRTIO_MAX_QUEUE_SIZE,
             "descriptors of each queue"),
    PROP_U32(VirtioBlk, logical, "logical_block_size", 512, 512, 32768, "smallest unit of I/O"),
    PROP_U32(VirtioBlk, physical, "physical_block_size", 512, 512, 2 << 20,
             "unit the disk works in"),
    PROP_BOOL(VirtioBlk, discard, "discard", true, "offer discard"),
    PROP_BOOL(VirtioBlk, write_zeroes, "write-zeroes", true, "offer writing of zeroes"),
    PROP_BOOL(VirtioBlk, config_wce, "config-wce", true, "let the driver switch the write cache"),
    PROP_ONOFF(VirtioBlk, write_cache, "write-cache", PLAN_AUTO, "write cache at reset"),
    { .name = "read-only",
      .kind = PLAN_PROP_ONOFF,
      .flags = PLAN_PROP_DECIDED,
      .field = FIELD(VirtioBlk, read_only, uint32_t),
      .doc = "the guest may not write (auto: as the drive)" },
    { .name = "share-rw",
      .kind = PLAN_PROP_BOOL,
      .flags = PLAN_PROP_HOST,
      .field = FIELD(VirtioBlk, share_rw, bool),
      .doc = "other devices and processes may write to the drive, too" },
    ERROR_PROP(werror, "on a write error (auto: as -drive says, else enospc)"),
    ERROR_PROP(rerror, "on a read error (auto: as -drive says, else report)"),
};
static const VirtioClass blk_class = {
    .name = "virtio-blk",
    .device_id = 2,
    .config_size = CONFIG_SIZE,
    .features = blk_features,
    .set_features = blk_set_features,
    .config_read = blk_config_read,
    .config_written = blk_config_written,
    .queue_notified = virtio_blk_notified,
    .status_changed = blk_status_changed,
    .queue_reset = virtio_blk_queue_reset,
    .reset = blk_reset,
};

VIRTIO_PCI_TYPES(blk, "blk", VirtioBlk, "disk", 0x010000, blk_props, blk_state, blk_class, blk_init,
                 blk_exit, &blk_auto_vectors);
VIRTIO_DEVICE_TYPES(blk);
