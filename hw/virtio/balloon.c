/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-balloon: the guest returns memory to the host (virtio 1.2, 5.5).
 *
 * The driver inflates the balloon until it contains num_pages pages. The memory of a page in the
 * balloon, and of a free page that the driver reports, is returned to the host and reads as zero.
 * Deflating has no work for the device, because the host provides memory on access.
 *
 * The statistics queue has one buffer with the values of its last report. The device returns it to
 * the driver to request the next report.
 */
#include <linux/virtio_balloon.h>
#include <linux/virtio_ids.h>
#include <string.h>

#include "hw/virtio/balloon.h"
#include "hw/virtio/virtio_base.h"
#include "machine-events.h"
#include "memory/discard.h"
#include "util/error.h"
#include "util/log.h"

enum { INFLATE_QUEUE, DEFLATE_QUEUE, STATS_QUEUE, REPORTING_QUEUE };
enum {
    QUEUE_SIZE = 128,
    REPORTING_SIZE = 32,
    STEP_PFNS = 128,      /* page numbers of one step */
    STEP_BYTES = 1 << 20, /* of a reported range in one step */
    PAGES_UNIT = 8,       /* pages that are returned in one unit of a turn, */
    CALL_UNITS = 3,       /* and units for each call of the host */
    STAT_BYTES = 10,      /* tag and value */
    MAX_STATS = 64,       /* values of one report; the others are ignored */
};
G_STATIC_ASSERT(BALLOON_STATS == VIRTIO_BALLOON_S_HTLB_PGFAIL + 1);
G_STATIC_ASSERT(RAM_PAGE_BITS == VIRTIO_BALLOON_PFN_SHIFT);

struct VirtioBalloon {
    VirtioBase base;
    /* properties */
    bool deflate_on_oom, reporting, page_poison;
    uint32_t interval; /* seconds between requests of statistics; 0: none */
    /* configuration space */
    uint32_t num_pages, actual, poison;
    /* Bytes of the first chain of a queue that earlier turns have processed. Not saved: the chain
     * is processed again from its start, which has no effect on pages that the guest does not use.
     */
    uint64_t done[REPORTING_QUEUE + 1];
    uint64_t stats[BALLOON_STATS];
    int64_t stats_time;
    Timer poll;
};

static VirtioBalloon *balloon_of(VirtioDevice *v)
{
    return v->instance;
}

static Machine *balloon_machine(const VirtioBalloon *b)
{
    return b->base.dev.machine;
}

/* --- memory --- */

/* Return the size in bytes of the main memory, which a board creates before other writable RAM. */
static uint64_t balloon_ram_size(const VirtioBalloon *b)
{
    const GPtrArray *blocks = balloon_machine(b)->ram_blocks;

    for (guint i = 0; i < blocks->len; i++) {
        const RamBlock *block = blocks->pdata[i];

        if (!block->read_only) {
            return block->size;
        }
    }
    return 0;
}

static void balloon_discard(VirtioBalloon *b, RamBlock *block, uint64_t offset, uint64_t len)
{
    virtio_turn_charge(&b->base.virtio, CALL_UNITS + (len >> RAM_PAGE_BITS) / PAGES_UNIT);
    ram_discard(block, offset, len);
}

/* Consecutive pages of one block, which are returned together. */
typedef struct PageRun {
    RamBlock *block;
    uint64_t offset, len;
} PageRun;

static void balloon_end_run(VirtioBalloon *b, PageRun *run)
{
    if (run->len) {
        balloon_discard(b, run->block, run->offset, run->len);
    }
    run->len = 0;
}

/* Add a page to the run. Linux allocates pages in ascending or in descending order. */
static void balloon_add_page(VirtioBalloon *b, PageRun *run, uint32_t pfn)
{
    uint64_t addr = (uint64_t)pfn << VIRTIO_BALLOON_PFN_SHIFT, offset;
    RamBlock *block;

    if (!mem_ram_ptr(&balloon_machine(b)->memory, addr, RAM_PAGE_SIZE, &block, &offset) ||
        block->read_only) {
        guest_error(device_name(&b->base.dev), "virtio-balloon: page 0x%x is not RAM", pfn);
        return;
    }
    if (run->len && block == run->block && offset == run->offset + run->len) {
        run->len += RAM_PAGE_SIZE;
    } else if (run->len && block == run->block && offset + RAM_PAGE_SIZE == run->offset) {
        run->offset = offset;
        run->len += RAM_PAGE_SIZE;
    } else {
        balloon_end_run(b, run);
        *run = (PageRun){ block, offset, RAM_PAGE_SIZE };
    }
}

/* Process some page numbers of the chain from byte done[]. False: there are no more. */
static bool balloon_inflate_step(VirtioBalloon *b, const VirtqBuf *buf)
{
    uint64_t *done = &b->done[INFLATE_QUEUE];
    uint32_t pfns[STEP_PFNS];
    size_t n = virtq_read(buf, *done, pfns, sizeof(pfns)) / sizeof(pfns[0]);
    PageRun run = { 0 };

    for (size_t i = 0; i < n; i++) {
        balloon_add_page(b, &run, GUINT32_FROM_LE(pfns[i]));
    }
    balloon_end_run(b, &run);
    virtio_turn_charge(&b->base.virtio, 1 + n / PAGES_UNIT);
    *done += n * sizeof(pfns[0]);
    return n == STEP_PFNS;
}

/* Return the block that contains a mapped address of guest memory, and the offset in it. */
static RamBlock *balloon_find_block(const VirtioBalloon *b, const uint8_t *host, uint64_t *offset)
{
    const GPtrArray *blocks = balloon_machine(b)->ram_blocks;

    for (guint i = 0; i < blocks->len; i++) {
        RamBlock *block = blocks->pdata[i];

        if (host >= block->host && host < block->host + block->size) {
            *offset = (uint64_t)(host - block->host);
            return block;
        }
    }
    return NULL;
}

/* The driver's pages contain the poison value, which a page that the host provides again has not.
 */
static bool balloon_keeps_contents(const VirtioBalloon *b)
{
    return b->poison != 0 && virtio_has(&b->base.virtio, VIRTIO_BALLOON_F_PAGE_POISON);
}

/* Return the full pages of a reported range to the host. */
static void balloon_report_range(VirtioBalloon *b, const uint8_t *host, uint64_t len)
{
    uint64_t offset, first, last;
    RamBlock *block = balloon_find_block(b, host, &offset);

    if (!block || block->read_only || balloon_keeps_contents(b)) {
        return;
    }
    first = (offset + RAM_PAGE_SIZE - 1) & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    last = (offset + len) & ~(uint64_t)(RAM_PAGE_SIZE - 1);
    if (first < last) {
        balloon_discard(b, block, first, last - first);
    }
}

/* Process a part of the reported ranges from byte done[]. False: there are no more. A part ends at
 * a multiple of STEP_BYTES of its range, so that no page is divided. */
static bool balloon_report_step(VirtioBalloon *b, const VirtqBuf *buf)
{
    uint64_t *done = &b->done[REPORTING_QUEUE], skip = *done;

    virtio_turn_charge(&b->base.virtio, 1);
    for (int i = 0; i < buf->n_out; i++) {
        const struct iovec *seg = &buf->out[i];

        if (skip < seg->iov_len) {
            const uint8_t *at = (const uint8_t *)seg->iov_base + skip;
            uint64_t step = STEP_BYTES - (uintptr_t)at % STEP_BYTES;

            step = MIN(step, seg->iov_len - skip);
            balloon_report_range(b, at, step);
            *done += step;
            return *done < buf->out_len;
        }
        skip -= seg->iov_len;
    }
    return false;
}

/* Process the chains of a queue as far as the turn allows. */
static void balloon_serve_pages(VirtioBalloon *b, unsigned queue,
                                bool (*step)(VirtioBalloon *b, const VirtqBuf *buf))
{
    VirtQueue *vq = virtio_queue(&b->base.virtio, queue);
    bool more = false;
    VirtqBuf *buf;

    while (!more && (buf = virtq_next(vq))) {
        do {
            more = step && step(b, buf);
        } while (more && virtio_turn_left(&b->base.virtio) > 0);
        if (more) {
            virtq_unpop(vq, buf);
            virtq_later(vq);
        } else {
            virtq_push(vq, buf, 0);
            b->done[queue] = 0;
        }
    }
    virtq_notify(vq);
}

/* --- statistics --- */

static const char *const balloon_stat_names[BALLOON_STATS] = {
    [VIRTIO_BALLOON_S_SWAP_IN] = "stat-swap-in",
    [VIRTIO_BALLOON_S_SWAP_OUT] = "stat-swap-out",
    [VIRTIO_BALLOON_S_MAJFLT] = "stat-major-faults",
    [VIRTIO_BALLOON_S_MINFLT] = "stat-minor-faults",
    [VIRTIO_BALLOON_S_MEMFREE] = "stat-free-memory",
    [VIRTIO_BALLOON_S_MEMTOT] = "stat-total-memory",
    [VIRTIO_BALLOON_S_AVAIL] = "stat-available-memory",
    [VIRTIO_BALLOON_S_CACHES] = "stat-disk-caches",
    [VIRTIO_BALLOON_S_HTLB_PGALLOC] = "stat-htlb-pgalloc",
    [VIRTIO_BALLOON_S_HTLB_PGFAIL] = "stat-htlb-pgfail",
};

static void balloon_clear_stats(VirtioBalloon *b)
{
    memset(b->stats, 0xff, sizeof(b->stats));
    b->stats_time = 0;
}

/* Read the values of the driver's buffer, which stays in the queue. */
static void balloon_read_stats(VirtioBalloon *b)
{
    VirtQueue *vq = virtio_queue(&b->base.virtio, STATS_QUEUE);
    uint8_t bytes[MAX_STATS * STAT_BYTES];
    VirtqBuf *buf = virtq_next(vq);
    size_t n;

    if (!buf) {
        return;
    }
    n = virtq_read(buf, 0, bytes, sizeof(bytes)) / STAT_BYTES;
    virtq_unpop(vq, buf);
    balloon_clear_stats(b);
    for (size_t i = 0; i < n; i++) {
        uint16_t tag;
        uint64_t value;

        memcpy(&tag, bytes + i * STAT_BYTES, sizeof(tag));
        memcpy(&value, bytes + i * STAT_BYTES + sizeof(tag), sizeof(value));
        if (GUINT16_FROM_LE(tag) < BALLOON_STATS) {
            b->stats[GUINT16_FROM_LE(tag)] = GUINT64_FROM_LE(value);
        }
    }
    b->stats_time =
        clock_now_any(balloon_machine(b), CLOCK_KIND_HOST) / G_GINT64_CONSTANT(1000000000);
}

/* Return the buffer to the driver, which fills it with new values. */
static void balloon_request_stats(VirtioBalloon *b)
{
    VirtQueue *vq = virtio_queue(&b->base.virtio, STATS_QUEUE);
    VirtqBuf *buf = virtq_ready(vq) && virtio_has(&b->base.virtio, VIRTIO_BALLOON_F_STATS_VQ)
                        ? virtq_next(vq)
                        : NULL;

    if (buf) {
        virtq_push(vq, buf, 0);
        virtq_notify(vq);
    }
}

static void balloon_poll(void *dev)
{
    VirtioBalloon *b = dev;

    if (b->interval) {
        timer_arm_ns(&b->poll, b->interval * G_GUINT64_CONSTANT(1000000000));
        balloon_request_stats(b);
    }
}

/* --- the device --- */

static void balloon_notified(VirtioDevice *v, unsigned queue)
{
    VirtioBalloon *b = balloon_of(v);

    switch (queue) {
    case INFLATE_QUEUE:
        balloon_serve_pages(b, queue, balloon_inflate_step);
        break;
    case DEFLATE_QUEUE:
        balloon_serve_pages(b, queue, NULL);
        break;
    case STATS_QUEUE:
        balloon_read_stats(b);
        break;
    default:
        balloon_serve_pages(b, queue, balloon_report_step);
    }
}

static void balloon_queue_reset(VirtioDevice *v, unsigned queue)
{
    balloon_of(v)->done[queue] = 0;
}

/* num_pages is a request of the host and stays. */
static void balloon_reset(VirtioDevice *v)
{
    VirtioBalloon *b = balloon_of(v);

    b->actual = b->poison = 0;
    balloon_clear_stats(b);
}

static uint64_t balloon_features(VirtioDevice *v)
{
    const VirtioBalloon *b = balloon_of(v);

    return 1ull << VIRTIO_BALLOON_F_STATS_VQ |
           (b->deflate_on_oom ? 1ull << VIRTIO_BALLOON_F_DEFLATE_ON_OOM : 0) |
           (b->page_poison ? 1ull << VIRTIO_BALLOON_F_PAGE_POISON : 0) |
           (b->reporting ? 1ull << VIRTIO_BALLOON_F_REPORTING : 0);
}

static void balloon_config_read(VirtioDevice *v, uint8_t *config)
{
    const VirtioBalloon *b = balloon_of(v);
    const struct virtio_balloon_config c = { .num_pages = GUINT32_TO_LE(b->num_pages),
                                             .actual = GUINT32_TO_LE(b->actual),
                                             .poison_val = GUINT32_TO_LE(b->poison) };

    memcpy(config, &c, sizeof(c));
}

static void balloon_config_written(VirtioDevice *v, const uint8_t *config, size_t at, size_t len)
{
    VirtioBalloon *b = balloon_of(v);
    uint32_t old = b->actual;
    struct virtio_balloon_config c;

    memcpy(&c, config, sizeof(c));
    b->actual = GUINT32_FROM_LE(c.actual);
    if (b->page_poison) {
        b->poison = GUINT32_FROM_LE(c.poison_val);
    }
    if (b->actual != old) {
        event_balloon_change(balloon_machine(b), (int64_t)virtio_balloon_guest_bytes(b));
    }
}

static bool balloon_init(void *dev, GError **err)
{
    VirtioBalloon *b = dev, *other = virtio_balloon_find(balloon_machine(b));

    if (other && other != b) {
        return error_set(err, ERROR_USER,
                         "%s: the machine has a balloon already, '%s'; use only one",
                         device_name(&b->base.dev), device_name(&other->base.dev));
    }
    for (unsigned i = INFLATE_QUEUE; i <= STATS_QUEUE; i++) {
        virtio_add_queue(&b->base.virtio, QUEUE_SIZE);
    }
    if (b->reporting) {
        virtio_add_queue(&b->base.virtio, REPORTING_SIZE);
    }
    timer_setup(&b->poll, balloon_poll, b);
    balloon_clear_stats(b);
    virtio_balloon_set_interval(b, b->interval);
    return true;
}

static void balloon_exit(void *dev)
{
    timer_cancel(&((VirtioBalloon *)dev)->poll);
}

static const PlanCount balloon_auto_vectors = { 4 };

static const VirtioClass balloon_class = {
    .name = "virtio-balloon",
    .device_id = VIRTIO_ID_BALLOON,
    .config_size = sizeof(struct virtio_balloon_config),
    .init = balloon_init,
    .exit = balloon_exit,
    .features = balloon_features,
    .config_read = balloon_config_read,
    .config_written = balloon_config_written,
    .queue_notified = balloon_notified,
    .queue_reset = balloon_queue_reset,
    .reset = balloon_reset,
};
static const PlanProp balloon_props[] = {
    VIRTIO_PROPS,
    PROP_BOOL(VirtioBalloon, deflate_on_oom, "deflate-on-oom", false,
              "the guest may take pages out of the balloon when it has no other memory"),
    PROP_BOOL(VirtioBalloon, reporting, "free-page-reporting", false,
              "the guest reports free pages, whose memory returns to the host"),
    PROP_BOOL(VirtioBalloon, page_poison, "page-poison", true,
              "keep the contents of reported pages if the guest poisons free pages"),
    PROP_U32(VirtioBalloon, interval, "guest-stats-polling-interval", 0, 0, UINT32_MAX,
             "seconds between requests of statistics; 0: none"),
};

static bool balloon_post_load(void *obj, GError **err)
{
    VirtioBalloon *b = obj;

    memset(b->done, 0, sizeof(b->done));
    return true;
}

VIRTIO_STATES(balloon, "virtio-balloon", VirtioBalloon, 1, NULL, balloon_post_load,
              VM_U32(VirtioBalloon, num_pages), VM_U32(VirtioBalloon, actual),
              VM_U32(VirtioBalloon, poison));

VIRTIO_TYPES(balloon, "balloon", VirtioBalloon, "memory balloon", 0x00ff00, balloon_props,
             balloon_class, &balloon_auto_vectors, PLAN_BUS_NONE);
VIRTIO_DEVICE_TYPES(balloon);

/* --- for monitors --- */

VirtioBalloon *virtio_balloon_of_device(Device *dev)
{
    const DeviceType *t = dev->type;
    bool found = t == &balloon_any.pci.base || t == &balloon_transitional.pci.base ||
                 t == &balloon_modern.pci.base || t == &balloon_mmio.base;

    return found ? (VirtioBalloon *)dev : NULL;
}

static bool balloon_visit(void *opaque, Device *dev)
{
    VirtioBalloon **found = opaque;

    *found = dev->realized && !dev->hidden ? virtio_balloon_of_device(dev) : NULL;
    return !*found;
}

VirtioBalloon *virtio_balloon_find(Machine *m)
{
    VirtioBalloon *found = NULL;

    device_visit(m->root, balloon_visit, &found);
    return found;
}

void virtio_balloon_set_target(VirtioBalloon *b, uint64_t bytes)
{
    uint64_t size = balloon_ram_size(b);

    b->num_pages = (uint32_t)MIN((size - MIN(size, bytes)) >> VIRTIO_BALLOON_PFN_SHIFT, UINT32_MAX);
    virtio_config_changed(&b->base.virtio);
}

uint64_t virtio_balloon_guest_bytes(const VirtioBalloon *b)
{
    uint64_t size = balloon_ram_size(b);

    return size - MIN(size, (uint64_t)b->actual << VIRTIO_BALLOON_PFN_SHIFT);
}

void virtio_balloon_set_interval(VirtioBalloon *b, uint32_t seconds)
{
    b->interval = seconds;
    timer_cancel(&b->poll);
    if (seconds) {
        timer_arm_ns(&b->poll, 0);
    }
}

const char *virtio_balloon_stat_name(unsigned i)
{
    return balloon_stat_names[i];
}

uint64_t virtio_balloon_stat(const VirtioBalloon *b, unsigned i)
{
    return b->stats[i];
}

int64_t virtio_balloon_stats_time(const VirtioBalloon *b)
{
    return b->stats_time;
}
