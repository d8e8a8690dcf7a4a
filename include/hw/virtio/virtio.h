/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio devices apart from their transport (virtio 1.2).
 *
 * A device is a VirtioClass: its id, features, number of queues, config space, and what to do
 * when a queue is notified. The PCI transport (hw/virtio/virtio_pci.c) embeds a VirtioDevice and
 * gives it queues, interrupts and DMA. A new device costs its own logic and nothing else.
 *
 * Queue memory is read and written only through the transport's DMA path, and must be RAM. Whatever
 * a driver writes there, a device gets whole, checked chains or none: a malformed ring or chain
 * breaks the device (DEVICE_NEEDS_RESET, 2.1.2) until the driver resets it.
 *
 * A device works in turns of bounded length, so that no driver can keep the machine lock from the
 * monitors: see "turns" below. Machine lock throughout.
 */
#ifndef HW_VIRTIO_VIRTIO_H
#define HW_VIRTIO_VIRTIO_H

#include <sys/uio.h>

#include "hw/core/bottom_half.h"

enum {
    VIRTIO_MAX_QUEUES = 64,
    VIRTIO_MAX_QUEUE_SIZE = 1024,
    VIRTIO_MAX_SEGMENTS = 1024, /* descriptors of one chain, indirect ones included */
    VIRTIO_NO_VECTOR = 0xffff,
    VIRTIO_TURN = 500, /* units of work that a device does at once: see virtq_next() */
};

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtQueue VirtQueue;

/* One buffer the driver made available, mapped for the device's use: `in` is what the device
 * reads (driver to device), `out` what it writes. Owned by whoever popped it; given back with
 * virtq_push() or virtq_unpop(), or dropped by virtq_discard() after a reset. */
typedef struct VirtqBuf {
    VirtQueue *vq;
    uint32_t epoch;  /* of the queue when popped: pushes after a reset are dropped */
    uint16_t id;     /* head descriptor, or buffer id of a packed ring */
    uint16_t n_desc; /* ring slots it takes (packed) */
    uint16_t slot;   /* where the chain starts: virtq_refetch() */
    struct iovec *in, *out;
    int n_in, n_out;
    size_t in_len, out_len; /* may exceed 4 GiB */
    size_t touched; /* first bytes of `out` that may have changed: dirty however buf ends.
                       virtq_write() keeps it; who writes through `out` sets it */
    void *map;      /* private: DMA mappings to undo */
    uint64_t *addr; /* guest addresses of the segments, in then out (saved with requests) */
} VirtqBuf;

typedef struct VirtioClass {
    const char *name;      /* "virtio-blk" */
    uint16_t device_id;    /* 2 */
    uint16_t pci_class_hi; /* class and subclass of the PCI function: 0x0100 */
    size_t config_size;
    /* Features this instance offers beside the transport's own. Fixed at realize. */
    uint64_t (*features)(VirtioDevice *v);
    /* The driver wrote FEATURES_OK with this set; false refuses it. */
    bool (*set_features)(VirtioDevice *v, uint64_t features);
    void (*config_read)(VirtioDevice *v, uint8_t *config); /* fill config_size bytes */
    void (*config_written)(VirtioDevice *v, const uint8_t *config, size_t at, size_t len);
    /* Buffers may be available. Called for a queue that is ready, at a notification, when the
     * machine runs again, and for each queue given to virtq_later(). */
    void (*queue_notified)(VirtioDevice *v, unsigned queue);
    void (*status_changed)(VirtioDevice *v, uint8_t old);    /* DRIVER_OK came or went */
    /* Stop what is under way for one queue (ring reset) or all; buffers are discarded. */
    void (*queue_reset)(VirtioDevice *v, unsigned queue);
    void (*reset)(VirtioDevice *v);
    const VmState *vmstate; /* of the device's own part, over the structure in v->instance */
} VirtioClass;

/* The transport, as devices see it. */
typedef struct VirtioTransport {
    /* of ring memory: anything but MEM_OK, and no access, if it is not RAM */
    MemResult (*dma_read)(VirtioDevice *v, uint64_t addr, void *buf, uint64_t len);
    MemResult (*dma_write)(VirtioDevice *v, uint64_t addr, const void *buf, uint64_t len);
    /* host pointer to RAM, pinned; NULL: not plain RAM */
    void *(*dma_map)(VirtioDevice *v, uint64_t addr, uint64_t len, bool write, void **handle);
    void (*dma_unmap)(VirtioDevice *v, void *handle, uint64_t written);
    void (*interrupt)(VirtioDevice *v, uint16_t vector, bool config);
    /* no queue has the vector any more, nor the configuration: nothing waits to be sent for it */
    void (*vector_unused)(VirtioDevice *v, uint16_t vector);
    /* The function may do DMA now (PCI: Bus Master Enable). NULL: always. */
    bool (*can_dma)(VirtioDevice *v);
} VirtioTransport;

struct VirtioDevice {
    const VirtioClass *cls;
    const VirtioTransport *transport;
    void *instance; /* the whole device structure */
    Device *device;
    uint8_t status;
    uint64_t host_features, guest_features;
    uint64_t not_offered; /* feature bits that the driver wrote and that do not exist here */
    bool broken;
    uint16_t n_queues;
    VirtQueue *queues; /* n_queues of them */
    uint16_t config_vector;
    uint8_t config_generation;
    uint8_t isr;
    /* turns */
    BottomHalf work;
    uint64_t waiting;    /* bit n: queue n waits for a turn */
    unsigned next_queue; /* that the next turn begins with */
    unsigned turn_left;  /* units left in this turn */
    unsigned turn_round; /* of the main loop that this turn began in */
};
G_STATIC_ASSERT(VIRTIO_MAX_QUEUES <= 64);

static inline bool virtio_has(const VirtioDevice *v, unsigned bit)
{
    return (v->guest_features >> bit & 1) != 0;
}

/* --- queues, for devices --- */

/* Declare queue n with its greatest size; during realize. */
void virtio_add_queue(VirtioDevice *v, uint16_t max_size);
/* The next available chain, or NULL (none, not running, or the ring is malformed: then the
 * device is broken). */
VirtqBuf *virtq_pop(VirtQueue *vq);
/* Build the chain that starts at `slot` (VirtqBuf.slot) again: for requests that were under way
 * when the machine was saved. NULL if the ring does not hold a chain there any more. */
VirtqBuf *virtq_refetch(VirtQueue *vq, uint16_t slot);
/* Return a chain with the number of bytes written into `out`; frees buf. Does not notify. */
void virtq_push(VirtQueue *vq, VirtqBuf *buf, uint32_t written);
/* Put the chain popped last back as if it had not been taken; frees buf. */
void virtq_unpop(VirtQueue *vq, VirtqBuf *buf);
/* Free a chain without returning it (after a reset). */
void virtq_discard(VirtqBuf *buf);
/* Interrupt the driver if it wants one for what was pushed since the last call. */
void virtq_notify(VirtQueue *vq);
bool virtq_empty(VirtQueue *vq);
/* Enabled, DRIVER_OK, not broken, and DMA is possible. */
bool virtq_ready(const VirtQueue *vq);
/* DMA is possible: while it is not (Bus Master Enable is clear), buffers stay where they are and
 * the driver's next notification after it is continues with them. */
bool virtio_can_dma(VirtioDevice *v);
/* Tell the driver whether notifications are wanted (NO_NOTIFY / avail event). */
void virtq_want_notify(VirtQueue *vq, bool want);
VirtQueue *virtio_queue(VirtioDevice *v, unsigned n);
unsigned virtq_index(const VirtQueue *vq);
unsigned virtq_size(const VirtQueue *vq); /* entries, as the driver chose */

/* --- turns ---
 *
 * A device does at most VIRTIO_TURN units of work per notification, and per turn of the main loop
 * for its back ends; one unit stands for about a microsecond. The queues it did not finish are
 * continued from the main loop, those of one device and the devices in turn. A turn that is over
 * does not undo work that was begun: a device looks at what is left before it begins more.
 * Nothing of this is saved: when the machine runs, every ready queue gets a turn. */

/* virtq_pop(), or NULL when the turn is over; the queue then gets another turn. */
VirtqBuf *virtq_next(VirtQueue *vq);
/* Call queue_notified() for the queue from the main loop. Any time; the call is made only if the
 * queue is ready then. */
void virtq_later(VirtQueue *vq);
/* Units that are left. Popping a chain costs one and one more for 8 segments; what else a device
 * does it charges itself. */
unsigned virtio_turn_left(VirtioDevice *v);
void virtio_turn_charge(VirtioDevice *v, uint64_t units);

/* The config space changed: bump the generation and interrupt. */
void virtio_config_changed(VirtioDevice *v);
/* The driver broke the rules: DEVICE_NEEDS_RESET and a guest_error(). */
void virtio_broken(VirtioDevice *v, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Gather and scatter helpers over buf->in / buf->out; return bytes copied. */
size_t virtq_read(const VirtqBuf *buf, size_t at, void *dst, size_t len);
size_t virtq_write(VirtqBuf *buf, size_t at, const void *src, size_t len);

#endif
