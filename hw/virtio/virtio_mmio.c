/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio MMIO transport (virtio 1.2, 4.2): slots, and the registers of the device in a slot, in
 * the layout of version 2 or of version 1 (4.2.4, legacy).
 *
 * The control registers accept 32-bit accesses only (4.2.2.2). A narrower access reads as zero and
 * has no effect.
 */
#include <linux/virtio_mmio.h>
#include <string.h>

#include "hw/virtio/virtio_base.h"
#include "internal.h"
#include "util/error.h"
#include "util/log.h"

#define VIRTIO_MMIO_MAGIC  0x74726976 /* "virt" */
#define VIRTIO_MMIO_VENDOR 0x554d4551 /* "QEMU": drivers and tests of this board expect it */
enum {
    VIRTIO_MMIO_QUEUE_RESET = 0x0c0, /* without a name in the header of older kernels */
    /* Some drivers for QEMU do not write QueueAlign. */
    VIRTIO_MMIO_DEFAULT_ALIGN = 4096
};

struct VirtioMmioSlot {
    SysDevice sys;
    bool force_legacy; /* property */
    Bus bus;
    VirtioMmio *device; /* NULL: the slot is empty */
};

/* --- the transport's operations --- */

static VirtioMmio *virtio_mmio_of(VirtioDevice *v)
{
    return v->instance;
}

/* Return the host address of the start of [addr, addr + *len), and reduce *len to the bytes that
 * are contiguous. NULL: the start is not RAM, or is read-only and `write` is set. */
static uint8_t *virtio_mmio_ram(VirtioDevice *v, uint64_t addr, uint64_t *len, bool write,
                                RamBlock **block, uint64_t *offset)
{
    MemLookup l = mem_lookup(&v->device->machine->memory, addr);

    if (!l.leaf || l.leaf->kind != MEM_RAM || (write && l.leaf->ram->read_only)) {
        return NULL;
    }
    *len = MIN(*len - 1, l.last - addr) + 1;
    *block = l.leaf->ram;
    *offset = l.leaf->ram_offset + l.offset;
    return l.leaf->ram->host + *offset;
}

static MemResult virtio_mmio_transfer(VirtioDevice *v, uint64_t addr, uint8_t *buf, uint64_t len,
                                      bool write)
{
    while (len > 0) {
        uint64_t piece = len, offset;
        RamBlock *block;
        uint8_t *host = virtio_mmio_ram(v, addr, &piece, write, &block, &offset);

        if (!host) {
            return MEM_REFUSED;
        }
        if (write) {
            memcpy(host, buf, piece);
            ram_device_written(block, offset, piece);
        } else {
            memcpy(buf, host, piece);
        }
        addr += piece;
        buf += piece;
        len -= piece;
    }
    return MEM_OK;
}

static MemResult virtio_mmio_dma_read(VirtioDevice *v, uint64_t addr, void *buf, uint64_t len)
{
    return virtio_mmio_transfer(v, addr, buf, len, false);
}

static MemResult virtio_mmio_dma_write(VirtioDevice *v, uint64_t addr, const void *buf,
                                       uint64_t len)
{
    return virtio_mmio_transfer(v, addr, (void *)buf, len, true);
}

typedef struct VirtioMmioMap {
    RamBlock *block;
    uint64_t offset, len;
    bool write;
} VirtioMmioMap;

static void *virtio_mmio_dma_map(VirtioDevice *v, uint64_t addr, uint64_t len, bool write,
                                 void **handle)
{
    VirtioMmioMap map = { .len = len, .write = write };
    uint8_t *host =
        len ? mem_ram_ptr(&v->device->machine->memory, addr, len, &map.block, &map.offset) : NULL;

    if (!host || (write && map.block->read_only)) {
        return NULL;
    }
    ram_block_ref_any(map.block);
    device_pin_any(v->device);
    *handle = g_memdup2(&map, sizeof(map));
    return host;
}

static void virtio_mmio_dma_unmap(VirtioDevice *v, void *handle, uint64_t written)
{
    VirtioMmioMap *map = handle;

    if (map->write && written > 0) {
        ram_device_written(map->block, map->offset, MIN(written, map->len));
    }
    ram_block_unref_any(map->block);
    g_free(map);
    device_unpin_any(v->device);
}

static void virtio_mmio_update_irq(VirtioMmio *d)
{
    sysdev_irq_set(&d->slot->sys, 0, d->virtio->isr != 0);
}

static void virtio_mmio_interrupt(VirtioDevice *v, uint16_t vector, bool config)
{
    v->isr |= VIRTIO_MMIO_INT_VRING | (config ? VIRTIO_MMIO_INT_CONFIG : 0);
    virtio_mmio_update_irq(virtio_mmio_of(v));
}

/* The transport has no vectors. Called for the vectors of a rejected stream. */
static void virtio_mmio_vector_unused(VirtioDevice *v, uint16_t vector)
{
}

static const VirtioTransport virtio_mmio_transport = { virtio_mmio_dma_read,
                                                       virtio_mmio_dma_write,
                                                       virtio_mmio_dma_map,
                                                       virtio_mmio_dma_unmap,
                                                       virtio_mmio_interrupt,
                                                       virtio_mmio_vector_unused,
                                                       NULL };

/* --- registers of both versions --- */

static VirtQueue *virtio_mmio_selected(VirtioMmio *d)
{
    return virtio_queue(d->virtio, d->queue_select);
}

static uint64_t virtio_mmio_read_device_id(void *dev, const RegDesc *r)
{
    return ((VirtioMmio *)dev)->virtio->cls->device_id;
}

static uint64_t virtio_mmio_read_features(void *dev, const RegDesc *r)
{
    VirtioMmio *d = dev;

    return virtio_features_word(d->virtio->host_features, d->device_feature_select);
}

static uint32_t virtio_mmio_write_select(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioMmio *d = dev;

    switch (r->offset) {
    case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
        d->device_feature_select = new;
        break;
    case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
        d->driver_feature_select = new;
        break;
    default:
        d->queue_select = new;
    }
    return 0;
}

static uint32_t virtio_mmio_write_features(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioMmio *d = dev;

    if (!d->legacy) {
        virtio_set_features_word(d->virtio, d->driver_feature_select, new);
    } else if (d->driver_feature_select == 0) {
        virtio_set_legacy_features(d->virtio, new);
    }
    return 0;
}

static uint64_t virtio_mmio_read_queue_max(void *dev, const RegDesc *r)
{
    VirtQueue *vq = virtio_mmio_selected(dev);

    return vq ? vq->max_size : 0;
}

static uint32_t virtio_mmio_write_queue_num(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = virtio_mmio_selected(dev);

    if (vq) {
        virtq_set_size(vq, MIN(new, UINT16_MAX));
    }
    return 0;
}

static uint32_t virtio_mmio_write_notify(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = virtio_queue(((VirtioMmio *)dev)->virtio, new);

    if (vq) {
        virtq_kick(vq);
    }
    return 0;
}

static uint64_t virtio_mmio_read_interrupt(void *dev, const RegDesc *r)
{
    return ((VirtioMmio *)dev)->virtio->isr;
}

static uint32_t virtio_mmio_write_ack(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioMmio *d = dev;

    d->virtio->isr &= ~new;
    virtio_mmio_update_irq(d);
    return 0;
}

static uint64_t virtio_mmio_read_status(void *dev, const RegDesc *r)
{
    return ((VirtioMmio *)dev)->virtio->status;
}

static uint32_t virtio_mmio_write_status(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioMmio *d = dev;

    virtio_set_status(d->virtio, new);
    virtio_mmio_update_irq(d);
    return 0;
}

/* --- registers of version 1 --- */

static bool virtio_mmio_power_of_two(uint64_t n, uint64_t most)
{
    return n > 0 && n <= most && !(n & (n - 1));
}

static uint32_t virtio_mmio_write_page_size(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioMmio *d = dev;

    if (virtio_mmio_power_of_two(new, UINT32_MAX)) {
        d->guest_page_size = new;
    } else {
        guest_error(device_name(&d->dev), "page size %u is not a power of two: ignored",
                    (unsigned)new);
    }
    return 0;
}

static uint32_t virtio_mmio_write_align(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioMmio *d = dev;
    VirtQueue *vq = virtio_mmio_selected(d);

    if (vq && virtio_mmio_power_of_two(new, VIRTIO_MMIO_MAX_ALIGN)) {
        d->queue_align[vq->index] = new;
    } else if (vq) {
        guest_error(device_name(&d->dev),
                    "queue %u: alignment %u is not a power of two up to %u: ignored", vq->index,
                    (unsigned)new, VIRTIO_MMIO_MAX_ALIGN);
    }
    return 0;
}

static uint64_t virtio_mmio_read_page(void *dev, const RegDesc *r)
{
    VirtioMmio *d = dev;
    VirtQueue *vq = virtio_mmio_selected(d);

    return vq && vq->enabled && d->guest_page_size ? vq->desc / d->guest_page_size : 0;
}

static uint32_t virtio_mmio_write_page(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtioMmio *d = dev;
    VirtQueue *vq = virtio_mmio_selected(d);

    if (!vq) {
        return 0;
    }
    if (new && !d->guest_page_size) {
        guest_error(device_name(&d->dev), "queue %u: page number before GuestPageSize: ignored",
                    vq->index);
        return 0;
    }
    virtq_set_legacy_area(vq, new * d->guest_page_size,
                          d->queue_align[vq->index] ? d->queue_align[vq->index]
                                                    : VIRTIO_MMIO_DEFAULT_ALIGN);
    return 0;
}

/* --- registers of version 2 --- */

static uint64_t virtio_mmio_read_ready(void *dev, const RegDesc *r)
{
    VirtQueue *vq = virtio_mmio_selected(dev);

    return vq && vq->enabled;
}

/* Zero stops the queue (4.2.2.2); the driver then owns its buffers again. */
static uint32_t virtio_mmio_write_ready(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = virtio_mmio_selected(dev);

    if (vq && new == 1 && !vq->enabled) {
        virtq_enable(vq);
    } else if (vq && new == 0 && vq->enabled) {
        virtq_driver_reset(vq);
    } else if (vq && new > 1) {
        guest_error(device_name(vq->v->device), "queue %u: %u written to QueueReady: ignored",
                    vq->index, (unsigned)new);
    }
    return 0;
}

static uint32_t virtio_mmio_write_area(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    VirtQueue *vq = virtio_mmio_selected(dev);
    unsigned shift = r->offset & 4 ? 32 : 0;

    if (vq) {
        uint64_t *area = r->offset < VIRTIO_MMIO_QUEUE_AVAIL_LOW  ? &vq->desc
                         : r->offset < VIRTIO_MMIO_QUEUE_USED_LOW ? &vq->driver
                                                                  : &vq->device;

        virtq_set_area(vq, area, 0xffffffffull << shift, new << shift);
    }
    return 0;
}

static uint32_t virtio_mmio_write_queue_reset(void *dev, const RegDesc *r, uint64_t old,
                                              uint64_t new)
{
    VirtioMmio *d = dev;
    VirtQueue *vq = virtio_mmio_selected(d);

    if (vq && new == 1 && virtio_has(d->virtio, VIRTIO_F_RING_RESET)) {
        virtq_driver_reset(vq);
    }
    return 0;
}

static uint64_t virtio_mmio_read_generation(void *dev, const RegDesc *r)
{
    return ((VirtioMmio *)dev)->virtio->config_generation;
}

/* --- the tables --- */

#define MMIO_RO(n, off, fn, text)     REG_ROW(n, off, 4, .read = (fn), .doc = (text))
#define MMIO_WO(n, off, fn, text)     REG_ROW(n, off, 4, .wrote = (fn), .doc = (text))
#define MMIO_RW(n, off, rd, wr, text) REG_ROW(n, off, 4, .read = (rd), .wrote = (wr), .doc = (text))

#define MMIO_ROWS_IDENTITY(version)                                                                \
    REG32_CONST("MagicValue", VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_MAGIC, .doc = "\"virt\""),      \
        REG32_CONST("Version", VIRTIO_MMIO_VERSION, (version)),                                    \
        MMIO_RO("DeviceID", VIRTIO_MMIO_DEVICE_ID, virtio_mmio_read_device_id, NULL),              \
        REG32_CONST("VendorID", VIRTIO_MMIO_VENDOR_ID, VIRTIO_MMIO_VENDOR, .doc = "\"QEMU\""),     \
        MMIO_RO("DeviceFeatures", VIRTIO_MMIO_DEVICE_FEATURES, virtio_mmio_read_features,          \
                "32 of the offered features"),                                                     \
        MMIO_WO("DeviceFeaturesSel", VIRTIO_MMIO_DEVICE_FEATURES_SEL, virtio_mmio_write_select,    \
                "which of them"),                                                                  \
        MMIO_WO("DriverFeatures", VIRTIO_MMIO_DRIVER_FEATURES, virtio_mmio_write_features,         \
                "32 of the accepted features"),                                                    \
        MMIO_WO("DriverFeaturesSel", VIRTIO_MMIO_DRIVER_FEATURES_SEL, virtio_mmio_write_select,    \
                "which of them")
#define MMIO_ROWS_QUEUE                                                                            \
    MMIO_WO("QueueSel", VIRTIO_MMIO_QUEUE_SEL, virtio_mmio_write_select,                           \
            "the queue of the following registers"),                                               \
        MMIO_RO("QueueNumMax", VIRTIO_MMIO_QUEUE_NUM_MAX, virtio_mmio_read_queue_max,              \
                "0: the queue does not exist"),                                                    \
        MMIO_WO("QueueNum", VIRTIO_MMIO_QUEUE_NUM, virtio_mmio_write_queue_num,                    \
                "size in descriptors")
#define MMIO_ROWS_NOTIFY                                                                           \
    MMIO_WO("QueueNotify", VIRTIO_MMIO_QUEUE_NOTIFY, virtio_mmio_write_notify,                     \
            "number of a queue with new buffers"),                                                 \
        MMIO_RO("InterruptStatus", VIRTIO_MMIO_INTERRUPT_STATUS, virtio_mmio_read_interrupt,       \
                "bit 0: used buffers; bit 1: configuration change"),                               \
        MMIO_WO("InterruptACK", VIRTIO_MMIO_INTERRUPT_ACK, virtio_mmio_write_ack,                  \
                "1 clears the bit of InterruptStatus"),                                            \
        MMIO_RW("Status", VIRTIO_MMIO_STATUS, virtio_mmio_read_status, virtio_mmio_write_status,   \
                "0 resets the device")

static const RegDesc virtio_mmio_legacy_regs[] = {
    MMIO_ROWS_IDENTITY(1),
    MMIO_WO("GuestPageSize", VIRTIO_MMIO_GUEST_PAGE_SIZE, virtio_mmio_write_page_size,
            "unit of QueuePFN in bytes"),
    MMIO_ROWS_QUEUE,
    MMIO_WO("QueueAlign", VIRTIO_MMIO_QUEUE_ALIGN, virtio_mmio_write_align,
            "alignment of the used ring in bytes"),
    MMIO_RW("QueuePFN", VIRTIO_MMIO_QUEUE_PFN, virtio_mmio_read_page, virtio_mmio_write_page,
            "page number of the queue; 0 stops it"),
    MMIO_ROWS_NOTIFY,
};
#define MMIO_AREA(n, off) MMIO_WO(n, off, virtio_mmio_write_area, NULL)
#define MMIO_ONES(n, off) REG32_CONST(n, off, 0xffffffff)
static const RegDesc virtio_mmio_modern_regs[] = {
    MMIO_ROWS_IDENTITY(2),
    MMIO_ROWS_QUEUE,
    MMIO_RW("QueueReady", VIRTIO_MMIO_QUEUE_READY, virtio_mmio_read_ready, virtio_mmio_write_ready,
            "1 starts the queue, 0 stops it"),
    MMIO_ROWS_NOTIFY,
    MMIO_AREA("QueueDescLow", VIRTIO_MMIO_QUEUE_DESC_LOW),
    MMIO_AREA("QueueDescHigh", VIRTIO_MMIO_QUEUE_DESC_HIGH),
    MMIO_AREA("QueueDriverLow", VIRTIO_MMIO_QUEUE_AVAIL_LOW),
    MMIO_AREA("QueueDriverHigh", VIRTIO_MMIO_QUEUE_AVAIL_HIGH),
    MMIO_AREA("QueueDeviceLow", VIRTIO_MMIO_QUEUE_USED_LOW),
    MMIO_AREA("QueueDeviceHigh", VIRTIO_MMIO_QUEUE_USED_HIGH),
    /* no shared memory regions: all ones (4.2.2) */
    MMIO_ONES("SHMLenLow", VIRTIO_MMIO_SHM_LEN_LOW),
    MMIO_ONES("SHMLenHigh", VIRTIO_MMIO_SHM_LEN_HIGH),
    MMIO_ONES("SHMBaseLow", VIRTIO_MMIO_SHM_BASE_LOW),
    MMIO_ONES("SHMBaseHigh", VIRTIO_MMIO_SHM_BASE_HIGH),
    MMIO_WO("QueueReset", VIRTIO_MMIO_QUEUE_RESET, virtio_mmio_write_queue_reset,
            "1 resets the queue"),
    MMIO_RO("ConfigGeneration", VIRTIO_MMIO_CONFIG_GENERATION, virtio_mmio_read_generation, NULL),
};
static const RegFile virtio_mmio_files[] = {
    { LIST(virtio_mmio_modern_regs), "virtio-mmio version 2" },
    { LIST(virtio_mmio_legacy_regs), "virtio-mmio version 1" },
};

/* --- the region of a slot --- */

static uint64_t virtio_mmio_read_version(void *dev, const RegDesc *r)
{
    return ((VirtioMmioSlot *)dev)->force_legacy ? 1 : 2;
}

static uint64_t virtio_mmio_read_empty(VirtioMmioSlot *s, uint64_t at, unsigned size)
{
    static const RegDesc regs[] = {
        REG32_CONST("MagicValue", VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_MAGIC),
        REG_ROW("Version", VIRTIO_MMIO_VERSION, 4, .read = virtio_mmio_read_version),
        REG32_CONST("DeviceID", VIRTIO_MMIO_DEVICE_ID, 0),
        REG32_CONST("VendorID", VIRTIO_MMIO_VENDOR_ID, VIRTIO_MMIO_VENDOR),
    };
    static const RegFile file = { regs, G_N_ELEMENTS(regs), "virtio-mmio" };

    return at < 0x10 ? reg_read(&file, s, at, size) : 0;
}

static bool virtio_mmio_narrow(const VirtioMmio *d, uint64_t at, unsigned size)
{
    if (size != 4) {
        guest_error(device_name(&d->dev), "access of %u bytes to the register at 0x%x: ignored",
                    size, (unsigned)at);
    }
    return size != 4;
}

static uint64_t virtio_mmio_slot_read(void *opaque, uint64_t at, unsigned size)
{
    VirtioMmioSlot *s = opaque;
    VirtioMmio *d = s->device;

    if (!d) {
        return virtio_mmio_read_empty(s, at, size);
    }
    if (at >= VIRTIO_MMIO_CONFIG) {
        return virtio_config_read(d->virtio, at - VIRTIO_MMIO_CONFIG, size);
    }
    return virtio_mmio_narrow(d, at, size) ? 0
                                           : reg_read(&virtio_mmio_files[d->legacy], d, at, size);
}

static void virtio_mmio_slot_write(void *opaque, uint64_t at, uint64_t value, unsigned size)
{
    VirtioMmio *d = ((VirtioMmioSlot *)opaque)->device;

    if (!d) { /* probing software may write the page size before it reads the device id */
        return;
    }
    if (at >= VIRTIO_MMIO_CONFIG) {
        virtio_config_write(d->virtio, at - VIRTIO_MMIO_CONFIG, value, size);
    } else if (!virtio_mmio_narrow(d, at, size)) {
        reg_write(&virtio_mmio_files[d->legacy], d, at, value, size);
    }
}

static const MemOps virtio_mmio_slot_ops = { .read = virtio_mmio_slot_read,
                                             .write = virtio_mmio_slot_write,
                                             .impl_max = 4 };

/* --- slots --- */

bool virtio_mmio_slot_add_bus(Device *slot, const char *name, GError **err)
{
    VirtioMmioSlot *s = (VirtioMmioSlot *)slot;

    if (!bus_init(&s->bus, slot->machine, PLAN_BUS_VIRTIO_MMIO, name, slot, err)) {
        return false;
    }
    slot->child_bus = &s->bus;
    return true;
}

static void virtio_mmio_slot_unrealize(void *dev)
{
    VirtioMmioSlot *s = dev;

    s->sys.dev.child_bus = NULL;
    bus_fini(&s->bus);
}

static const SysRegionDesc virtio_mmio_slot_regions[] = {
    { .name = "virtio-mmio", .size = VIRTIO_MMIO_SLOT_SIZE, .ops = &virtio_mmio_slot_ops },
};
static const PlanProp virtio_mmio_slot_props[] = {
    PROP_BOOL(VirtioMmioSlot, force_legacy, "force-legacy", true,
              "the register layout of version 1 (legacy) in place of version 2"),
};
static const SysDeviceType virtio_mmio_slot_type = {
    .base = {
        .name = "virtio-mmio",
        .doc = "virtio-mmio slot",
        .kind = &sys_device_kind,
        .size = sizeof(VirtioMmioSlot),
        .props = LIST(virtio_mmio_slot_props),
        .internal = true,
        .unrealize = virtio_mmio_slot_unrealize,
    },
    .regions = LIST(virtio_mmio_slot_regions),
    .n_irqs = 1,
};
SYS_DEVICE_TYPE(virtio_mmio_slot_type);

/* --- devices in slots --- */

static bool virtio_mmio_attach(Device *dev, const PlanDevice *plan, GError **err)
{
    VirtioMmio *d = (VirtioMmio *)dev;

    if (!dev->bus || dev->bus->kind != PLAN_BUS_VIRTIO_MMIO) {
        return error_set(err, ERROR_USER, "%s: bus '%s' is not a virtio-mmio bus", device_name(dev),
                         dev->bus ? dev->bus->name : "none");
    }
    if (dev->bus->members->len > 0) {
        return error_set(err, ERROR_USER, "%s: bus '%s' has a device already", device_name(dev),
                         dev->bus->name);
    }
    d->slot = (VirtioMmioSlot *)dev->bus->owner;
    d->legacy = d->slot->force_legacy;
    dev->plan_id = g_strdup(dev->bus->name);
    return true;
}

/* From here on accesses to the slot enter the guard of the device. */
static void virtio_mmio_ready(Device *dev)
{
    VirtioMmioSlot *s = ((VirtioMmio *)dev)->slot;

    s->device = (VirtioMmio *)dev;
    mem_set_guard(&s->sys.region[0].mem, &device_guard, dev);
}

static void virtio_mmio_detach(Device *dev)
{
    VirtioMmioSlot *s = ((VirtioMmio *)dev)->slot;

    s->device = NULL;
    mem_set_guard(&s->sys.region[0].mem, &device_guard, &s->sys.dev);
    sysdev_irq_set(&s->sys, 0, false);
}

static void virtio_mmio_describe(const DeviceType *type, PlanType *out)
{
    out->plugs_into = PLAN_BUS_VIRTIO_MMIO;
    out->provides = ((const VirtioMmioType *)type)->provides;
}

static char *virtio_mmio_registers(const DeviceType *type, GError **err)
{
    GString *out = g_string_new(NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(virtio_mmio_files); i++) {
        const RegFile *f = &virtio_mmio_files[i];

        g_string_append_printf(out, "%s### %s\n\n", i ? "\n" : "", f->name);
        reg_describe_head(out);
        for (size_t n = 0; n < f->n; n++) {
            reg_describe(out, &f->regs[n], f->regs[n].offset);
        }
    }
    return g_string_free(out, FALSE);
}

const DeviceKind virtio_mmio_device_kind = {
    .name = "virtio-device",
    .attach = virtio_mmio_attach,
    .ready = virtio_mmio_ready,
    .detach = virtio_mmio_detach,
    .describe = virtio_mmio_describe,
    .registers = virtio_mmio_registers,
};

bool virtio_mmio_realize(void *dev, GError **err)
{
    VirtioMmio *d = dev;
    VirtioBase *b = dev;

    d->virtio = &b->virtio;
    return virtio_base_init(b, ((const VirtioMmioType *)d->dev.type)->cls, &virtio_mmio_transport,
                            d->legacy, !d->legacy, err);
}

void virtio_mmio_unrealize(void *dev)
{
    virtio_base_exit(dev);
}

void virtio_mmio_finalize(void *dev)
{
    virtio_base_fini(dev);
}

void virtio_mmio_reset(void *dev, ResetKind kind)
{
    VirtioMmio *d = dev;

    virtio_reset(d->virtio);
    d->legacy = d->slot->force_legacy; /* a rejected stream may have changed it */
    d->device_feature_select = d->driver_feature_select = d->queue_select = 0;
    d->guest_page_size = 0;
    memset(d->queue_align, 0, sizeof(d->queue_align));
    if (kind == RESET_COLD) {
        d->virtio->config_generation = 0;
    }
    virtio_mmio_update_irq(d);
}

/* --- saved state --- */

static bool virtio_mmio_check(void *obj, GError **err)
{
    VirtioMmio *d = obj;
    const VirtioDevice *v = d->virtio;

    if (d->legacy != d->slot->force_legacy) {
        return error_set(err, ERROR_GUEST, "the register layout is that of version %u, not %u",
                         d->legacy ? 1 : 2, d->slot->force_legacy ? 1 : 2);
    }
    for (unsigned i = 0; i <= v->n_queues; i++) {
        if ((i < v->n_queues ? v->queues[i].vector : v->config_vector) != VIRTIO_MSI_NO_VECTOR) {
            return error_set(err, ERROR_GUEST, "a queue or the configuration has a vector");
        }
    }
    if (d->guest_page_size && !virtio_mmio_power_of_two(d->guest_page_size, UINT32_MAX)) {
        return error_set(err, ERROR_GUEST, "guest_page_size %u is not a power of two",
                         d->guest_page_size);
    }
    for (unsigned i = 0; i < VIRTIO_MAX_QUEUES; i++) {
        if (d->queue_align[i] &&
            (i >= v->n_queues ||
             !virtio_mmio_power_of_two(d->queue_align[i], VIRTIO_MMIO_MAX_ALIGN))) {
            return error_set(err, ERROR_GUEST,
                             "queue_align[%u] %u is not a power of two up to %u of one of the %u "
                             "queues",
                             i, d->queue_align[i], VIRTIO_MMIO_MAX_ALIGN, v->n_queues);
        }
    }
    return true;
}

static bool virtio_mmio_post_load(void *obj, GError **err)
{
    virtio_mmio_update_irq(obj);
    return true;
}

static const VmField virtio_mmio_fields[] = {
    VM_BOOL(VirtioMmio, legacy),
    VM_RECORD(VirtioBase, virtio, VirtioDevice, &virtio_record_ops),
    VM_U32(VirtioMmio, device_feature_select),
    VM_U32(VirtioMmio, driver_feature_select),
    VM_U32(VirtioMmio, queue_select),
    VM_U32(VirtioMmio, guest_page_size),
    VM_U32_ARRAY(VirtioMmio, queue_align),
};
const VmState virtio_mmio_state = {
    .name = "virtio-mmio",
    .version = 1,
    .fields = LIST(virtio_mmio_fields),
    .check = virtio_mmio_check,
    .post_load = virtio_mmio_post_load,
};
