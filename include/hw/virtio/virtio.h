/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio devices apart from their transport (virtio 1.2).
 *
 * A device is a VirtioClass: its id, features, number of queues, config space, and what to do
 * when a queue is notified. The PCI transport (hw/virtio/virtio_pci.c) embeds a VirtioDevice and
 * gives it queues, interrupts and DMA. A new device costs its own logic and nothing else.
 *
 * Queue memory is read and written only through the transport's DMA path. Whatever a driver
 * writes there, a device gets whole, checked chains or none: a malformed ring or chain breaks
 * the device (DEVICE_NEEDS_RESET, 2.1.2) until the driver resets it. Machine lock throughout.
 */
#ifndef HW_VIRTIO_VIRTIO_H
#define HW_VIRTIO_VIRTIO_H

#include <sys/uio.h>

#include "hw/core/device.h"

enum {
    VIRTIO_MAX_QUEUES = 64,
    VIRTIO_MAX_QUEUE_SIZE = 1024,
    VIRTIO_MAX_SEGMENTS = 1024, /* descriptors of one chain, indirect ones included */
    VIRTIO_NO_VECTOR = 0xffff,
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
    size_t in_len, out_len;
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
    void (*queue_notified)(VirtioDevice *v, unsigned queue); /* work may be there */
    void (*status_changed)(VirtioDevice *v, uint8_t old);    /* DRIVER_OK came or went */
    /* Stop what is under way for one queue (ring reset) or all; buffers are discarded. */
    void (*queue_reset)(VirtioDevice *v, unsigned queue);
    void (*reset)(VirtioDevice *v);
    const VmState *vmstate; /* of the device's own part, over the structure in v->instance */
} VirtioClass;

/* The transport, as devices see it. */
typedef struct VirtioTransport {
    MemResult (*dma_read)(VirtioDevice *v, uint64_t addr, void *buf, uint64_t len);
    MemResult (*dma_write)(VirtioDevice *v, uint64_t addr, const void *buf, uint64_t len);
    /* host pointer to RAM, pinned; NULL: not plain RAM */
    void *(*dma_map)(VirtioDevice *v, uint64_t addr, uint64_t len, bool write, void **handle);
    void (*dma_unmap)(VirtioDevice *v, void *handle, uint64_t written);
    void (*interrupt)(VirtioDevice *v, uint16_t vector, bool config);
    /* no queue has the vector any more, nor the configuration: nothing waits to be sent for it */
    void (*vector_unused)(VirtioDevice *v, uint16_t vector);
} VirtioTransport;

struct VirtioDevice {
    const VirtioClass *cls;
    const VirtioTransport *transport;
    void *instance; /* the whole device structure */
    Device *device;
    uint8_t status;
    uint64_t host_features, guest_features;
    bool broken;
    uint16_t n_queues;
    VirtQueue *queues; /* n_queues of them */
    uint16_t config_vector;
    uint8_t config_generation;
    uint8_t isr;
};

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
bool virtq_ready(const VirtQueue *vq); /* enabled, DRIVER_OK, not broken */
/* Tell the driver whether notifications are wanted (NO_NOTIFY / avail event). */
void virtq_want_notify(VirtQueue *vq, bool want);
VirtQueue *virtio_queue(VirtioDevice *v, unsigned n);
unsigned virtq_index(const VirtQueue *vq);
unsigned virtq_size(const VirtQueue *vq); /* entries, as the driver chose */

/* The config space changed: bump the generation and interrupt. */
void virtio_config_changed(VirtioDevice *v);
/* The driver broke the rules: DEVICE_NEEDS_RESET and a guest_error(). */
void virtio_broken(VirtioDevice *v, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/* Gather and scatter helpers over buf->in / buf->out; return bytes copied. */
size_t virtq_read(const VirtqBuf *buf, size_t at, void *dst, size_t len);
size_t virtq_write(VirtqBuf *buf, size_t at, const void *src, size_t len);

#endif
