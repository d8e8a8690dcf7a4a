/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtqueues inside hw/virtio: the state of a queue, and the two ring formats behind one table of
 * operations (virtio 1.2, 2.7 and 2.8).
 */
#ifndef HW_VIRTIO_RING_H
#define HW_VIRTIO_RING_H

#include "hw/virtio/virtio.h"

/* Feature bits of the rings and transports (virtio 1.2, 6). */
enum {
    VIRTIO_F_NOTIFY_ON_EMPTY = 24,
    VIRTIO_F_ANY_LAYOUT = 27,
    VIRTIO_F_RING_INDIRECT_DESC = 28,
    VIRTIO_F_RING_EVENT_IDX = 29,
    VIRTIO_F_VERSION_1 = 32,
    VIRTIO_F_ACCESS_PLATFORM = 33,
    VIRTIO_F_RING_PACKED = 34,
    VIRTIO_F_RING_RESET = 40,
};

/* Bits of the status register (2.1). */
enum {
    VIRTIO_S_ACKNOWLEDGE = 1,
    VIRTIO_S_DRIVER = 2,
    VIRTIO_S_DRIVER_OK = 4,
    VIRTIO_S_FEATURES_OK = 8,
    VIRTIO_S_NEEDS_RESET = 64,
    VIRTIO_S_FAILED = 128,
};

/* Bits of the ISR status (4.1.4.5). A configuration interrupt sets both: drivers that look at their
 * queues only exist. */
enum { VIRTIO_ISR_QUEUE = 1, VIRTIO_ISR_CONFIG = 2 };

enum { VRING_DESC_NEXT = 1, VRING_DESC_WRITE = 2, VRING_DESC_INDIRECT = 4 };

typedef struct VringDesc {
    uint64_t addr;
    uint32_t len;
    uint16_t a, b; /* split: flags, next; packed: id, flags */
} VringDesc;
G_STATIC_ASSERT(sizeof(VringDesc) == 16);

struct VirtQueue {
    VirtioDevice *v;
    uint16_t index;
    uint16_t max_size, size; /* size is the driver's choice, at most max_size */
    bool enabled;
    uint16_t vector;
    uint64_t desc, driver, device;  /* ring areas: guest addresses */
    uint16_t next_avail, next_used; /* split: free-running; packed: slots */
    bool avail_wrap, used_wrap;     /* packed */
    uint16_t signalled;             /* next_used when the driver was last interrupted */
    bool signalled_valid;
    bool unsignalled; /* something was pushed since virtq_notify() */
    bool quiet;       /* the device wants no notifications now */
    uint32_t epoch;   /* changes with each reset: stale buffers are dropped */
    uint32_t in_use;  /* buffers popped and not given back */
};

typedef struct RingOps {
    bool (*available)(VirtQueue *vq);                 /* a chain waits (may break the device) */
    VirtqBuf *(*fetch)(VirtQueue *vq, uint16_t slot); /* build a chain, ring state untouched */
    VirtqBuf *(*pop)(VirtQueue *vq);
    void (*unpop)(VirtQueue *vq, const VirtqBuf *buf);
    void (*push)(VirtQueue *vq, const VirtqBuf *buf, uint32_t written);
    bool (*wants_interrupt)(VirtQueue *vq, uint16_t old, bool old_valid);
    void (*set_notify)(VirtQueue *vq, bool want);
} RingOps;

extern const RingOps ring_split, ring_packed;

/* DMA of ring memory: false (and a broken device) if it is not RAM. */
bool ring_read(VirtQueue *vq, uint64_t addr, void *buf, size_t len);
bool ring_write(VirtQueue *vq, uint64_t addr, const void *buf, size_t len);
bool ring_read16(VirtQueue *vq, uint64_t addr, uint16_t *v);
bool ring_write16(VirtQueue *vq, uint64_t addr, uint16_t v);

/* Building chains: start, append descriptors, then finish; any failure breaks the device and
 * frees the chain. */
VirtqBuf *chain_new(VirtQueue *vq);
bool chain_add(VirtqBuf *buf, uint64_t addr, uint32_t len, bool writable);
/* All entries of an indirect table; `linked` follows next fields (split), else in order. */
bool chain_add_indirect(VirtqBuf *buf, uint64_t addr, uint32_t len, bool linked);
void chain_free(VirtqBuf *buf, size_t written);

/* Had the driver asked to hear of `event` between old and now (2.7.7.2)? */
static inline bool vring_need_event(uint16_t event, uint16_t now, uint16_t old)
{
    return (uint16_t)(now - event - 1) < (uint16_t)(now - old);
}

/* Put a queue back to what it is after a device or queue reset. */
void virtq_reset(VirtQueue *vq);
/* The saved part of queues: a record of live queues only. */
extern const VmOps virtio_record_ops; /* over VirtioDevice */

/* --- virtio.c, for transports --- */
bool virtio_init(VirtioDevice *v, const VirtioClass *cls, const VirtioTransport *t, void *instance,
                 Device *device, uint64_t transport_features);
void virtio_fini(VirtioDevice *v);
void virtio_reset(VirtioDevice *v);
/* Give a queue, or the configuration, the vector: `where` is its member. */
void virtio_set_vector(VirtioDevice *v, uint16_t *where, uint16_t vector);
/* The driver wrote the status register. */
void virtio_set_status(VirtioDevice *v, uint8_t status);
void virtio_set_guest_features(VirtioDevice *v, uint64_t features);
/* Size, addresses and enable of a queue: refused (with a guest_error) while it is enabled. */
void virtq_set_size(VirtQueue *vq, uint16_t size);
void virtq_set_area(VirtQueue *vq, uint64_t *area, uint64_t mask, uint64_t bits);
void virtq_enable(VirtQueue *vq);
/* Legacy: the page number places all areas; 0 disables. */
void virtq_set_legacy_page(VirtQueue *vq, uint32_t pfn);
uint32_t virtq_legacy_page(const VirtQueue *vq);
void virtq_driver_reset(VirtQueue *vq);

/* --- turn.c --- */
void virtio_turn_init(VirtioDevice *v);
void virtio_turn_fini(VirtioDevice *v);
/* The driver notified the queue: work on it for one turn, or mark it if it is waiting for one
 * already. */
void virtq_kick(VirtQueue *vq);
/* The driver set DRIVER_OK: buffers may be available in any queue. */
void virtio_kick_all(VirtioDevice *v);

#endif
