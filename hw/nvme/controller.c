/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nvme: an NVM Express 1.4 controller with the registers and the PCI functions of QEMU's.
 *
 * The queues are created by the driver; commands are fetched when it writes a doorbell (queue.c).
 * Disabling the controller and every reset wait for the requests in flight.
 */
#include <string.h>

#include "internal.h"
#include "util/error.h"
#include "util/log.h"

enum { BAR_SIZE = 16384, MSIX_TABLE_AT = 0x2000, MSIX_PBA_AT = 0x3000, MAX_VECTORS = 256 };
enum { SQ_ENTRY_LOG = 6, CQ_ENTRY_LOG = 4, MAX_MPS = 4 };
/* MQES, CQR, TO (7.5 s); CSS: the NVM command set, MPSMAX. */
#define CAP_VALUE                                                                                  \
    ((NVME_QUEUE_ENTRIES - 1) | 1ull << 16 | 15ull << 24 | 1ull << 37 | (uint64_t)MAX_MPS << 52)

static Nvme *nvme_of(void *dev)
{
    return dev;
}

/* --- enable and disable --- */

void nvme_fatal(Nvme *n, const char *what)
{
    guest_error(nvme_name(n), "%s: the controller stops until it is reset", what);
    n->csts |= NVME_CSTS_CFS;
}

/* Undo everything that the driver set up since it enabled the controller. */
static void nvme_clear(Nvme *n)
{
    nvme_drain(n);
    nvme_requests_drop(n);
    nvme_queues_free(n);
    n->csts = 0;
    n->irq_mask = 0;
    n->n_aers = 0;
    memset(n->aers, 0, sizeof(n->aers));
    n->events = n->event_masks = 0;
    memset(n->changed, 0, sizeof(n->changed));
    nvme_features_reset(n);
}

/* Return why the values of the registers do not permit to enable the controller, or NULL. */
static const char *nvme_enable_fault(const Nvme *n)
{
    uint64_t mask = nvme_page_size(n) - 1;

    if ((n->cc & NVME_CC_CSS) || (n->cc & NVME_CC_AMS)) {
        return "CC.CSS or CC.AMS is not supported";
    }
    if ((n->cc >> 7 & 15) > MAX_MPS) {
        return "CC.MPS is larger than CAP.MPSMAX";
    }
    if ((n->cc >> 16 & 15) != SQ_ENTRY_LOG || (n->cc >> 20 & 15) != CQ_ENTRY_LOG) {
        return "CC.IOSQES is not 6 or CC.IOCQES is not 4";
    }
    if ((n->asq & mask) || (n->acq & mask)) {
        return "ASQ or ACQ is not aligned to a page";
    }
    if (!(n->aqa & 0xfff) || !(n->aqa >> 16 & 0xfff)) {
        return "an admin queue has less than two entries";
    }
    return NULL;
}

static void nvme_enable(Nvme *n)
{
    const char *fault = nvme_enable_fault(n);

    if (fault) {
        nvme_fatal(n, fault);
        return;
    }
    nvme_cq_new(n, 0, n->acq, (n->aqa >> 16 & 0xfff) + 1, 0, true);
    nvme_sq_new(n, 0, n->asq, (n->aqa & 0xfff) + 1, n->cqs[0]);
    n->timestamp_at = clock_now_any(n->pci.dev.machine, CLOCK_KIND_VIRTUAL);
    n->csts |= NVME_CSTS_RDY;
}

/* --- shutdown --- */

static void nvme_flushed(BlockRequest *io, int result)
{
    Nvme *n = io->opaque;

    g_free(io);
    if (--n->flushing == 0 && (n->csts & NVME_CSTS_SHST) == NVME_CSTS_SHST_OCCURRING) {
        n->csts = (n->csts & ~NVME_CSTS_SHST) | NVME_CSTS_SHST_COMPLETE;
    }
    device_unpin_any(&n->pci.dev);
}

/* Write the caches back, and then report that the shutdown is complete (7.6.2). */
static void nvme_shutdown(Nvme *n)
{
    nvme_drain(n);
    n->csts = (n->csts & ~NVME_CSTS_SHST) | NVME_CSTS_SHST_OCCURRING;
    for (unsigned i = 1; i <= NVME_NAMESPACES; i++) {
        NvmeNs *ns = nvme_ns_find(n, i);
        BlockRequest *io = ns && !ns->read_only ? g_new0(BlockRequest, 1) : NULL;

        if (io) {
            *io = (BlockRequest){ .op = BLOCK_FLUSH, .done = nvme_flushed, .opaque = n };
            n->flushing++;
            device_pin_any(&n->pci.dev);
            block_submit(ns->node, io);
        }
    }
    if (n->flushing == 0) {
        n->csts = (n->csts & ~NVME_CSTS_SHST) | NVME_CSTS_SHST_COMPLETE;
    }
}

/* --- registers --- */

static uint32_t nvme_cc_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    Nvme *n = nvme_of(dev);

    if (!(old & NVME_CC_EN) && (new &NVME_CC_EN)) {
        nvme_enable(n);
    } else if ((old & NVME_CC_EN) && !(new &NVME_CC_EN)) {
        nvme_clear(n);
    }
    if (!(old & NVME_CC_SHN) && (new &NVME_CC_SHN)) {
        nvme_shutdown(n);
    } else if ((old & NVME_CC_SHN) && !(new &NVME_CC_SHN)) {
        n->csts &= ~NVME_CSTS_SHST;
    }
    return PCI_EFFECT_IRQ;
}

static uint64_t nvme_mask_read(void *dev, const RegDesc *r)
{
    return nvme_of(dev)->irq_mask;
}

static uint32_t nvme_intms_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    nvme_of(dev)->irq_mask |= (uint32_t) new;
    return PCI_EFFECT_IRQ;
}

static uint32_t nvme_intmc_wrote(void *dev, const RegDesc *r, uint64_t old, uint64_t new)
{
    nvme_of(dev)->irq_mask &= ~(uint32_t) new;
    return PCI_EFFECT_IRQ;
}

#define CC_BITS                                                                                    \
    (NVME_CC_EN | NVME_CC_CSS | NVME_CC_MPS | NVME_CC_AMS | NVME_CC_SHN | NVME_CC_IOSQES |         \
     NVME_CC_IOCQES)
const RegDesc nvme_regs[NVME_REGS] = {
    REG_ROW("cap", NVME_REG_CAP, 8, .reset = CAP_VALUE, .doc = "controller capabilities"),
    REG32_CONST("vs", NVME_REG_VS, 0x00010400, .doc = "version: NVM Express 1.4"),
    REG_ROW("intms", NVME_REG_INTMS, 4, .read = nvme_mask_read, .wrote = nvme_intms_wrote,
            .doc = "interrupt mask: vectors to mask, without MSI-X"),
    REG_ROW("intmc", NVME_REG_INTMC, 4, .read = nvme_mask_read, .wrote = nvme_intmc_wrote,
            .doc = "interrupt mask: vectors to unmask"),
    REG32(Nvme, cc, NVME_REG_CC, .rw = CC_BITS, .wrote = nvme_cc_wrote,
          .doc = "controller configuration"),
    REG32_RO(Nvme, csts, NVME_REG_CSTS, .doc = "controller status"),
    REG32_CONST("nssr", NVME_REG_NSSR, 0, .doc = "NVM subsystem reset: not supported"),
    REG32(Nvme, aqa, NVME_REG_AQA, .rw = 0x0fff0fff,
          .doc = "entries of the admin queues, 0's based"),
    REG64(Nvme, asq, NVME_REG_ASQ, .rw = ~0xfffull, .doc = "address of the admin submission queue"),
    REG64(Nvme, acq, NVME_REG_ACQ, .rw = ~0xfffull, .doc = "address of the admin completion queue"),
    REG32_CONST("cmbloc", NVME_REG_CMBLOC, 0, .doc = "controller memory buffer: none"),
    REG32_CONST("cmbsz", NVME_REG_CMBSZ, 0, .doc = "size of the controller memory buffer"),
    REG32_CONST("bpinfo", NVME_REG_BPINFO, 0, .doc = "boot partitions: none"),
    REG32_CONST("pmrcap", NVME_REG_PMRCAP, 0, .doc = "persistent memory region: none"),
};

/* --- life --- */

static bool nvme_check_props(Nvme *n, GError **err)
{
    const char *name = nvme_name(n);

    if (!n->serial) {
        return error_set(err, ERROR_USER,
                         "%s: property 'serial' is required: a serial number of up to 20 bytes, "
                         "for example -device nvme,drive=NAME,serial=1234",
                         name);
    }
    if (strlen(n->serial) > 20) {
        return error_set(err, ERROR_USER, "%s: serial '%s' must have at most 20 bytes", name,
                         n->serial);
    }
    if (n->num_queues == 1) {
        return error_set(err, ERROR_USER,
                         "%s: num_queues=1 leaves no queue for I/O; use at least 2 (one is the "
                         "admin queue), or max_ioqpairs",
                         name);
    }
    if (n->num_queues) {
        n->max_ioqpairs = n->num_queues - 1;
    }
    return true;
}

static void nvme_run_changed(void *opaque, bool running, RunState state)
{
    Nvme *n = opaque;

    if (!running) {
        nvme_drain(n);
        return;
    }
    for (unsigned i = 1; i <= NVME_NAMESPACES; i++) {
        if (nvme_ns_find(n, i)) {
            block_set_io_status(n->namespaces[i]->node, 0);
        }
    }
    nvme_requests_retry(n);
    nvme_continue_all(n);
}

static bool nvme_init_bus(Nvme *n, GError **err)
{
    Device *dev = &n->pci.dev;
    const char *name = dev->id ? dev->id : dev->place ? dev->place : dev->plan_id;

    if (!bus_init(&n->bus, dev->machine, PLAN_BUS_NVME, name, dev, err)) {
        return false;
    }
    dev->child_bus = &n->bus;
    return true;
}

static void nvme_detach_own(Nvme *n)
{
    if (n->own.node) {
        nvme_ns_detach(&n->own);
    }
}

static bool nvme_realize(void *dev, GError **err)
{
    Nvme *n = nvme_of(dev);

    if (!nvme_check_props(n, err)) {
        return false;
    }
    g_queue_init(&n->ready);
    g_queue_init(&n->stalled);
    g_queue_init(&n->due);
    g_queue_init(&n->kept);
    if (n->own.drive && !nvme_ns_attach(&n->own, n, &n->pci.dev, 1, err)) {
        return false;
    }
    if (!nvme_init_bus(n, err)) {
        nvme_detach_own(n);
        return false;
    }
    mem_init_mmio(&n->doorbells, "nvme-doorbells", NVME_REG_DOORBELLS, &nvme_doorbell_ops, n);
    mem_set_guard(&n->doorbells, &device_guard, &n->pci.dev);
    mem_map(pci_bar_region(&n->pci, 0), NVME_REG_DOORBELLS, &n->doorbells, 1, 0);
    bottom_half_setup(&n->work, NULL, &n->pci.dev, nvme_turn, n);
    machine_add_run_fn(n->pci.dev.machine, nvme_run_changed, n);
    return true;
}

static void nvme_unrealize(void *dev)
{
    Nvme *n = nvme_of(dev);

    machine_remove_run_fn(n->pci.dev.machine, nvme_run_changed, n);
    bottom_half_cancel(&n->work);
    nvme_detach_own(n);
    n->pci.dev.child_bus = NULL;
    bus_fini(&n->bus);
    nvme_drain(n);
    nvme_requests_drop(n);
    nvme_queues_free(n);
    mem_fini(&n->doorbells);
}

static void nvme_reset(void *dev, ResetKind kind)
{
    Nvme *n = nvme_of(dev);

    nvme_clear(n);
    if (kind == RESET_COLD) {
        nvme_ns_clear_counters(&n->own);
    }
    n->error_count = 0;
    memset(n->errors, 0, sizeof(n->errors));
    nvme_update_irq(n);
}

/* Bus Master Enable or the power state may have changed: send what waited for it. */
static void nvme_config_written(void *dev, uint32_t addr, unsigned len)
{
    Nvme *n = nvme_of(dev);

    if (nvme_ready(n) && pci_bus_master(&n->pci)) {
        nvme_continue_all(n);
    }
}

/* --- the type --- */

static const PCIBarDesc nvme_bars[] = {
    { .index = 0, .kind = PCI_BAR_MEM64, .size = BAR_SIZE, .regs = nvme_regs, .n_regs = NVME_REGS },
};
static const PCICapDesc nvme_caps[] = {
    { .id = 0x01, .prop = "pm", .at = 0x60, .pm = { .keep_state = true } },
    { .id = 0x10, .prop = "express", .at = 0x80 },
    { .id = 0x11,
      .prop = "msix",
      .at = 0x40,
      .count_prop = "msix_qsize",
      .msix = { 0, 0, MSIX_TABLE_AT, MSIX_PBA_AT } },
};
static const PlanProp nvme_props[] = {
    PROP_BACKEND(Nvme, own.drive, "drive", "block",
                 "the drive or block node of namespace 1 (default: no namespace 1)"),
    PROP_STR(Nvme, serial, "serial", "serial number, up to 20 bytes; required"),
    PROP_BOOTINDEX(Nvme, bootindex),
    PROP_U32(Nvme, max_ioqpairs, "max_ioqpairs", 64, 1, NVME_QUEUES - 1, "pairs of queues for I/O"),
    PROP_U32(Nvme, num_queues, "num_queues", 0, 0, NVME_QUEUES,
             "as max_ioqpairs, with the admin queue; 0: not set"),
    PROP_U32(Nvme, msix_qsize, "msix_qsize", 65, 1, MAX_VECTORS, "MSI-X vectors"),
    PROP_U8(Nvme, mdts, "mdts", 7, 1, NVME_MAX_MDTS,
            "largest transfer: 4 KiB times two to the power of this"),
    PROP_U8(Nvme, aerl, "aerl", 3, 0, 255,
            "Asynchronous Event Requests the driver may send, less 1"),
    PROP_U8(Nvme, smart_critical_warning, "smart_critical_warning", 0, 0, 0x1f,
            "critical warnings of the SMART log page at reset"),
    PROP_ONOFF(Nvme, write_cache, "write-cache", PLAN_AUTO, "volatile write cache at reset"),
    NVME_NS_PROPS(Nvme, own),
};

static const PCIDeviceType nvme_type = {
    .base = { .name = "nvme",
              .doc = "NVM Express controller",
              .kind = &pci_device_kind,
              .size = sizeof(Nvme),
              .props = LIST(nvme_props),
              .vmstate = &nvme_state,
              .hotpluggable = true,
              .realize = nvme_realize,
              .reset = nvme_reset,
              .unrealize = nvme_unrealize },
    .vendor = 0x1b36,
    .device = 0x0010,
    .subsystem_vendor = 0x1af4,
    .subsystem = 0x1100,
    .revision = 2,
    .class_code = 0x010802,
    .slots = PLAN_SLOT_CONVENTIONAL | PLAN_SLOT_EXPRESS,
    .bars = LIST(nvme_bars),
    .caps = LIST(nvme_caps),
    .link_rows = true,
    .provides = PLAN_BUS_NVME,
    .n_irqs = 1,
    .update_irq = nvme_update_irq,
    .config_written = nvme_config_written,
};
PCI_DEVICE_TYPE(nvme_type);
