/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtio devices, independent of their transport (virtio 1.2).
 *
 * A device is a VirtioClass: its id, features, configuration space, and a function that is called
 * when a queue is notified. A transport (hw/virtio/virtio_pci.c) provides registers, interrupts and
 * DMA. hw/virtio/virtio_base.h combines both to device types.
 *
 * Queue memory is accessed through the DMA operations of the transport only, and must be RAM. A
 * device receives complete, checked descriptor chains. A malformed ring or chain breaks the device
 * (DEVICE_NEEDS_RESET, 2.1.2) until the driver resets it.
 *
 * A device works in turns of bounded length, so that a driver cannot hold the machine lock for
 * long. See "turns" below.
 *
 * Locking: the machine lock for every function and every callback.
 */
#ifndef HW_VIRTIO_VIRTIO_H
#define HW_VIRTIO_VIRTIO_H

#include <linux/virtio_pci.h> /* VIRTIO_MSI_NO_VECTOR */
#include <sys/uio.h>

#include "hw/core/bottom_half.h"

enum {
    VIRTIO_MAX_QUEUES = 64,
    VIRTIO_MAX_QUEUE_SIZE = 1024,
    VIRTIO_MAX_SEGMENTS = 1024, /* descriptors of one chain, indirect ones included */
    VIRTIO_TURN = 500,          /* units of work in one turn */
};

/* The last part of the path of a virtio device behind its transport, as in QEMU. Both paths denote
 * the same Device here. */
#define VIRTIO_BACKEND "virtio-backend"

typedef struct VirtioDevice VirtioDevice;
typedef struct VirtQueue VirtQueue;

/*
 * A descriptor chain, mapped for the device. The function that popped it owns it, and returns it
 * with virtq_push() or virtq_unpop(), or drops it with virtq_discard().
 */
typedef struct VirtqBuf {
    VirtQueue *vq;
    uint32_t epoch;         /* of the queue when popped; a push after a reset has no effect */
    uint16_t id;            /* head descriptor, or buffer id of a packed ring */
    uint16_t n_desc;        /* ring slots used (packed) */
    uint16_t slot;          /* ring position for virtq_refetch() */
    struct iovec *in, *out; /* device-readable and device-writable segments */
    int n_in, n_out;
    size_t in_len, out_len; /* bytes in total; may exceed 4 GiB */
    /* Leading bytes of `out` that may have been written, and are marked dirty whichever way the
     * buffer ends. virtq_write() updates it; code that writes through `out` sets it. */
    size_t touched;
    void *map;      /* private: DMA mappings */
    uint64_t *addr; /* guest addresses of the segments, `in` followed by `out` */
} VirtqBuf;

/* A device class. Function pointers may be NULL unless stated otherwise. */
typedef struct VirtioClass {
    const char *name;      /* "virtio-blk" */
    uint16_t device_id;    /* 2 */
    uint16_t pci_class_hi; /* class and subclass of the PCI function: 0x0100 */
    size_t config_size;
    /* Attach back ends and add queues. The device is not visible to the guest yet. False and *err
     * on failure, with nothing attached. Not NULL in a device type. */
    bool (*init)(void *dev, GError **err);
    /* Detach back ends. queue_reset was called for every queue before. */
    void (*exit)(void *dev);
    /* The features of this instance without those of the transport. Called when the device is
     * realized. Not NULL. */
    uint64_t (*features)(VirtioDevice *v);
    /* The driver set FEATURES_OK with these features, or writes them without it (legacy). False
     * rejects them (3.1.1). */
    bool (*set_features)(VirtioDevice *v, uint64_t features);
    /* Fill config_size bytes of configuration space (2.5). */
    void (*config_read)(VirtioDevice *v, uint8_t *config);
    /* The driver wrote len bytes at offset `at`; config is the result. */
    void (*config_written)(VirtioDevice *v, const uint8_t *config, size_t at, size_t len);
    /* A queue may contain buffers. Called for a ready queue: when it is notified, when the machine
     * starts to run, and after virtq_later(). Not NULL. */
    void (*queue_notified)(VirtioDevice *v, unsigned queue);
    /* The status changed from `old` to v->status. */
    void (*status_changed)(VirtioDevice *v, uint8_t old);
    /* Stop the work on one queue, and discard its buffers. A device reset calls it for each queue.
     */
    void (*queue_reset)(VirtioDevice *v, unsigned queue);
    void (*reset)(VirtioDevice *v);
    const VmState *vmstate; /* of the device's own part, over the structure in v->instance */
} VirtioClass;

/* The operations of a transport. */
typedef struct VirtioTransport {
    /* Access ring memory. A result other than MEM_OK, without an access, if it is not RAM. */
    MemResult (*dma_read)(VirtioDevice *v, uint64_t addr, void *buf, uint64_t len);
    MemResult (*dma_write)(VirtioDevice *v, uint64_t addr, const void *buf, uint64_t len);
    /* Pin RAM and return a host pointer to it. NULL: the range is not RAM. */
    void *(*dma_map)(VirtioDevice *v, uint64_t addr, uint64_t len, bool write, void **handle);
    /* End a mapping whose first `written` bytes were written. */
    void (*dma_unmap)(VirtioDevice *v, void *handle, uint64_t written);
    void (*interrupt)(VirtioDevice *v, uint16_t vector, bool config);
    /* Neither a queue nor the configuration uses the vector any more: drop its pending message. */
    void (*vector_unused)(VirtioDevice *v, uint16_t vector);
    /* Return whether DMA is possible now (PCI: Bus Master Enable). NULL: always. */
    bool (*can_dma)(VirtioDevice *v);
} VirtioTransport;

struct VirtioDevice {
    const VirtioClass *cls;
    const VirtioTransport *transport;
    void *instance; /* the device structure */
    Device *device;
    uint8_t status;
    uint64_t host_features, guest_features;
    uint64_t not_offered; /* feature bits that the driver wrote but the device does not offer */
    bool broken;
    uint16_t n_queues;
    VirtQueue *queues; /* n_queues of them */
    uint16_t config_vector;
    uint8_t config_generation;
    uint8_t isr;
    /* turns */
    BottomHalf work;
    uint64_t waiting;            /* bit n: queue n waits for a turn */
    unsigned next_queue;         /* the queue that the next turn begins with */
    unsigned turn_left;          /* units left in this turn */
    unsigned turn_round;         /* the turn of the event loop in which this turn began */
    struct HostObject *iothread; /* processes the queues; NULL: the main loop and CPU threads do */
    char *iothread_user;         /* the name of the device at the object */
    uint64_t kicks_later;        /* bit n: a notification of queue n only schedules a turn */
};
G_STATIC_ASSERT(VIRTIO_MAX_QUEUES <= 64);

/* Return whether a feature was negotiated. bit: the bit number, as VIRTIO_F_VERSION_1. */
static inline bool virtio_has(const VirtioDevice *v, unsigned bit)
{
    return (v->guest_features >> bit & 1) != 0;
}

/* --- queues, for devices --- */

/**
 * virtio_add_queue() - Add the next queue.
 * @max_size: its largest size, in descriptors; at most VIRTIO_MAX_QUEUE_SIZE
 *
 * Called by the init function of the device.
 */
void virtio_add_queue(VirtioDevice *v, uint16_t max_size);

/**
 * virtq_pop() - Take the next available chain.
 *
 * Return: the chain, owned by the caller; NULL if there is none, the queue is not ready, or the
 * ring is malformed (the device is then broken).
 */
VirtqBuf *virtq_pop(VirtQueue *vq);

/**
 * virtq_refetch() - Build a chain again that was popped before the state was saved.
 * @slot: VirtqBuf.slot of the chain
 *
 * Return: the chain, owned by the caller; NULL if the ring does not contain one at this position.
 */
VirtqBuf *virtq_refetch(VirtQueue *vq, uint16_t slot);

/**
 * virtq_push() - Return a chain to the driver.
 * @written: the number of bytes written into VirtqBuf.out
 *
 * Frees @buf. Has no other effect if the queue was reset since the chain was popped. The driver is
 * not interrupted; call virtq_notify() after the last push.
 */
void virtq_push(VirtQueue *vq, VirtqBuf *buf, uint32_t written);

/** virtq_unpop() - Undo the last virtq_pop(): the chain is available again. Frees @buf. */
void virtq_unpop(VirtQueue *vq, VirtqBuf *buf);

/** virtq_discard() - Free a chain without returning it to the driver. */
void virtq_discard(VirtqBuf *buf);

/** virtq_notify() - Interrupt the driver for the chains pushed since the last call, if it requests
 * that (2.7.7, 2.8.10). */
void virtq_notify(VirtQueue *vq);

/** virtq_empty() - Whether virtq_pop() would return NULL. */
bool virtq_empty(VirtQueue *vq);

/** virtq_ready() - Whether the queue is enabled, DRIVER_OK is set, the device is not broken, and
 * DMA is possible. */
bool virtq_ready(const VirtQueue *vq);

/**
 * virtio_can_dma() - Whether the device may access memory.
 *
 * While it may not (PCI: Bus Master Enable is clear), buffers stay in their queues. The queues
 * continue when it is possible again.
 */
bool virtio_can_dma(VirtioDevice *v);

/** virtio_queue() - Get queue n; NULL if it does not exist. Owned by the device. */
VirtQueue *virtio_queue(VirtioDevice *v, unsigned n);
unsigned virtq_index(const VirtQueue *vq);
/** virtq_size() - Get the size in descriptors that the driver chose. */
unsigned virtq_size(const VirtQueue *vq);

/*
 * --- turns ---
 *
 * A device does at most VIRTIO_TURN units of work for one notification, and in one turn of the main
 * loop for its back ends. One unit is about a microsecond. Unfinished queues are continued from the
 * main loop; queues of a device, and devices, take turns. The end of a turn does not interrupt work
 * that has begun: a device checks the units left before it begins more. Turns are not saved: when
 * the machine starts to run, every ready queue gets a turn.
 */

/** virtq_next() - As virtq_pop(); NULL also when the turn is over, and the queue is then continued
 * later. */
VirtqBuf *virtq_next(VirtQueue *vq);

/** virtq_later() - Call VirtioClass.queue_notified for the queue from the main loop, if it is ready
 * then. May be called at any time. */
void virtq_later(VirtQueue *vq);

/**
 * virtio_turn_left() - Get the units left in this turn.
 *
 * virtq_pop() charges one unit, and one more for each 8 segments. The device charges other work
 * with virtio_turn_charge().
 */
unsigned virtio_turn_left(VirtioDevice *v);
void virtio_turn_charge(VirtioDevice *v, uint64_t units);

/*
 * --- I/O threads ---
 *
 * With iothread=ID the turns of a device and the completions of its block requests run in that
 * thread, always with the machine lock held (docs/locking.md). A notification only schedules a
 * turn. Configuration, resets, stops and unplugs run in the thread that requests them.
 */

/**
 * virtio_use_iothread() - Process the queues in an I/O thread.
 * @id:  id of the object; NULL: none, and nothing changes
 * @err: an ERROR_USER that names the device and the object
 *
 * Called by VirtioClass.init. virtio_release_iothread(), which the transports call after
 * VirtioClass.exit, undoes it.
 *
 * Return: false if there is no such object, or if instructions are counted.
 */
bool virtio_use_iothread(VirtioDevice *v, const char *id, GError **err);
void virtio_release_iothread(VirtioDevice *v);
/** virtio_context() - Get the context of the event loop of the device, for its back ends. NULL: the
 * main loop. */
GMainContext *virtio_context(const VirtioDevice *v);

/* --- the device --- */

/** virtio_config_changed() - Report a change of configuration space: a new generation and an
 * interrupt (2.5, 4.1.5.4). */
void virtio_config_changed(VirtioDevice *v);

/**
 * virtio_broken() - Break the device because the driver violated the specification.
 * @fmt: printf() format of the reason, for a guest_error()
 *
 * Sets DEVICE_NEEDS_RESET (2.1.2). Queues are not processed until the driver resets the device.
 */
void virtio_broken(VirtioDevice *v, const char *fmt, ...) G_GNUC_PRINTF(2, 3);

/**
 * virtq_read() - Copy from VirtqBuf.in into a buffer, from byte @at of the segments on.
 *
 * Return: the bytes copied, less than @len if the segments end before.
 */
size_t virtq_read(const VirtqBuf *buf, size_t at, void *dst, size_t len);
/** virtq_write() - Copy a buffer into VirtqBuf.out; as virtq_read(). */
size_t virtq_write(VirtqBuf *buf, size_t at, const void *src, size_t len);

#endif
