/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NVM Express inside hw/nvme/: the controller, its queues and requests.
 *
 *   controller.c  the type, registers, enable, shutdown, reset
 *   queue.c       queues, doorbells, turns, completions, interrupts
 *   request.c     life of requests, the lists of requests that are not in flight
 *   data.c        memory of a command: PRP lists and SGLs
 *   admin.c       the table of admin commands, queues, abort
 *   identify.c    data of Identify
 *   features.c    features
 *   log.c         log pages
 *   event.c       asynchronous events
 *   io.c          the table of I/O commands
 *   namespace.c   namespaces and their back ends
 *   ns_device.c   namespaces as devices: nvme-ns
 *   state.c       saved state
 *
 * Commands are fetched in turns of bounded work, as virtio devices do it (docs/architecture.md). At
 * most NVME_MAX_REQUESTS commands and NVME_MAX_BYTES are in flight, because a reset, a stop and the
 * end of the process wait for them.
 */
#ifndef HW_NVME_INTERNAL_H
#define HW_NVME_INTERNAL_H

#include "block/block.h"
#include "hw/core/bottom_half.h"
#include "hw/pci/pci.h"
#include "spec_internal.h"

enum {
    NVME_QUEUES = 512,         /* numbers of queues, with the admin queue: 4 KiB of doorbells */
    NVME_QUEUE_ENTRIES = 2048, /* CAP.MQES + 1 */
    NVME_NAMESPACES = 256,
    NVME_AERS = 256,            /* aerl is at most 255, which is 0's based */
    NVME_MAX_MDTS = 9,          /* 2 MiB: a transfer is one request to the block node */
    NVME_RANGE_STEP = 32 << 20, /* bytes of one step of a discard or of zeroes */
    NVME_MAX_REQUESTS = 512,
    NVME_MAX_BYTES = 32 << 20,
    NVME_TURN = 500,        /* units of work, each about one microsecond */
    NVME_SUBMIT_UNITS = 4,  /* for a request to a block node */
    NVME_UNIT_BYTES = 4096, /* of data, for one more unit */
    NVME_ERRORS = 4,        /* entries of the error log */
};

typedef struct Nvme Nvme;
typedef struct NvmeRequest NvmeRequest;

typedef struct NvmeCq {
    uint64_t base;
    uint16_t id, vector, size, head, tail;
    uint16_t users; /* submission queues that refer to it */
    uint8_t phase, irq_enabled;
    GQueue pending; /* NvmeCqe *: completions without a free entry */
} NvmeCq;

typedef struct NvmeSq {
    uint64_t base;
    uint16_t id, size, head, tail;
    NvmeCq *cq;
    GQueue *in; /* `ready` or `stalled` of the controller, or NULL */
    GList link; /* in *in */
} NvmeSq;

/* A namespace. Members of a controller or of an nvme-ns device. */
typedef struct NvmeNs {
    /* properties */
    char *drive;
    uint32_t logical, physical;
    bool share_rw;
    char *uuid_text; /* of nvme-ns; NULL or "auto": derived */
    uint64_t eui64;  /* of nvme-ns; 0: none */
    /* back end */
    Nvme *n;
    Device *dev; /* that has the properties */
    BlockNode *node;
    BlockUser user;
    bool read_only;
    uint32_t id;
    unsigned shift; /* log2 of logical */
    uint8_t uuid[16];
    /* SMART: saved */
    uint64_t read_bytes, written_bytes, reads, writes;
} NvmeNs;

/* The host memory of a command. */
typedef struct NvmeData {
    PCIDmaMap *maps;
    struct iovec *iov;
    unsigned n, n_maps, room, map_room;
    uint64_t len;
    uint8_t *bucket;              /* receives the bytes of bit buckets */
    uint64_t next_addr, next_len; /* a contiguous range that is not mapped yet */
    bool write;                   /* the controller writes the memory */
    PCIDmaMap first_map[2];
    struct iovec first_iov[2];
} NvmeData;

typedef struct NvmeRange {
    uint64_t offset, len;
} NvmeRange;

struct NvmeRequest {
    BlockRequest io;
    Nvme *n;
    NvmeSq *sq;
    NvmeNs *ns; /* NULL: an admin command */
    NvmeCommand cmd;
    NvmeData data;
    uint32_t result; /* Dword 0 of the completion */
    uint8_t *bounce; /* data that are compared with those of the host */
    struct iovec bounce_iov;
    NvmeRange *ranges; /* remaining work, from at_range on */
    uint32_t n_ranges, at_range;

    uint64_t done; /* bytes of the current range */
    GList link;    /* in `due` or `kept` */
};

typedef struct NvmeError {
    uint64_t count, lba;
    uint32_t nsid;
    uint16_t sq, cid, status;
} NvmeError;

struct Nvme {
    PCIDevice pci;
    /* properties */
    char *serial;
    uint32_t num_queues, max_ioqpairs, msix_qsize;
    uint8_t mdts, aerl, smart_critical_warning;
    uint32_t write_cache; /* PlanOnOff */
    int32_t bootindex;
    NvmeNs own; /* namespace 1, if `drive` is set */
    /* registers */
    uint32_t irq_mask, cc, csts, aqa;
    uint64_t asq, acq;
    /* state of the driver's making */
    uint8_t in_queues; /* the place of the record with the queues in the saved state */
    NvmeSq *sqs[NVME_QUEUES];
    NvmeCq *cqs[NVME_QUEUES];
    uint32_t features[NVME_FEATURES];
    uint32_t temperature_low; /* the under temperature threshold */
    uint64_t timestamp;       /* ms, as the host set it */
    int64_t timestamp_at;     /* virtual time when it was set, ns */
    uint8_t timestamp_origin;
    uint16_t aers[NVME_AERS]; /* command identifiers of Asynchronous Event Requests */
    uint32_t n_aers;
    uint8_t events, event_masks;            /* event.c */
    uint32_t changed[NVME_NAMESPACES / 32]; /* bit n: namespace n + 1 changed */
    uint8_t critical_warning;
    uint64_t error_count;
    NvmeError errors[NVME_ERRORS]; /* most recent first */
    /* the rest is derived, or not visible */
    NvmeNs *namespaces[NVME_NAMESPACES + 1]; /* by identifier; 0 is unused */
    Bus bus;                                 /* of nvme-ns devices */
    MemRegion doorbells;
    BottomHalf work;
    unsigned turn_left, turn_round;
    GQueue ready, stalled; /* submission queues: with commands; waiting for room */
    GQueue due, kept;      /* NvmeRequest: between two steps; failed, until the machine runs */
    unsigned in_flight, flushing; /* requests to block nodes; those of a shutdown */
    uint64_t bytes_in_flight;
    GArray *loaded; /* NvmeLoaded: commands of a loaded state, until the machine runs */
    guint loaded_at;
};

typedef struct NvmeLoaded {
    uint16_t sq;
    NvmeCommand cmd;
} NvmeLoaded;

/* A row of a command table. `run` returns a status, or NVME_PENDING if the request completes
 * later. */
enum { NVME_PENDING = 0xffff };
typedef struct NvmeOp {
    uint8_t opcode;
    bool any_namespace; /* of I/O commands: accepts NVME_ALL_NAMESPACES */
    bool writes;        /* of I/O commands: changes the contents of the namespace */
    uint32_t effects;   /* in the log page Commands Supported and Effects */
    uint16_t (*run)(NvmeRequest *req);
} NvmeOp;
enum { NVME_EFFECT_SUPPORTED = 1 << 0, NVME_EFFECT_WRITES = 1 << 1 };

#define NVME_FIRMWARE "1.0" /* the revision */

/* controller.c */
enum { NVME_REGS = 14 };
extern const RegDesc nvme_regs[NVME_REGS];
/* Report a condition from which only a reset recovers: CSTS.CFS, and no command is fetched. */
void nvme_fatal(Nvme *n, const char *what);
static inline bool nvme_ready(const Nvme *n)
{
    return (n->csts & (NVME_CSTS_RDY | NVME_CSTS_CFS)) == NVME_CSTS_RDY;
}
static inline uint64_t nvme_page_size(const Nvme *n)
{
    return 4096ull << (n->cc >> 7 & 15);
}
static inline const char *nvme_name(const Nvme *n)
{
    return device_name(&n->pci.dev);
}

/* queue.c */
extern const MemOps nvme_doorbell_ops;
NvmeCq *nvme_cq_new(Nvme *n, unsigned id, uint64_t base, uint32_t size, unsigned vector, bool irq);
NvmeSq *nvme_sq_new(Nvme *n, unsigned id, uint64_t base, uint32_t size, NvmeCq *cq);
/* Free a queue. No request refers to it. */
void nvme_cq_free(Nvme *n, NvmeCq *cq);
void nvme_sq_free(Nvme *n, NvmeSq *sq);
void nvme_queues_free(Nvme *n);
/* Add a completion to a queue: to its ring, or to `pending` while there is no room or DMA is not
 * possible. */
void nvme_complete(Nvme *n, NvmeCq *cq, NvmeCqe cqe);
/* Charge units to the turn. */
void nvme_charge(Nvme *n, uint64_t units);
/* Begin a turn soon. */
void nvme_later(Nvme *n);
/* Continue the submission queues that wait for room. */
void nvme_wake(Nvme *n);
/* The machine runs, or DMA became possible: continue all queues. */
void nvme_continue_all(Nvme *n);
void nvme_turn(void *nvme);
/* Set the level of the pin. */
void nvme_update_irq(void *nvme);

/* request.c */
/* Begin a command. */
void nvme_request_start(Nvme *n, NvmeSq *sq, const NvmeCommand *cmd);
/* Return the status of a request to the driver, and free it. */
void nvme_request_end(NvmeRequest *req, uint16_t status);
/* Free a request that is not in flight. @written: the controller may have written its memory. */
void nvme_request_free(NvmeRequest *req, bool written);
/* Submit a step to the block node. */
void nvme_request_submit(NvmeRequest *req, BlockNode *node);
/* Run a due request, or one of a loaded state. False: there is none. */
bool nvme_request_next_due(Nvme *n);
/* Move the failed requests to `due`. */
void nvme_requests_retry(Nvme *n);
/* End the requests of a queue or of a namespace that are not in flight. NULL: any. */
void nvme_requests_cancel(Nvme *n, const NvmeSq *sq, const NvmeNs *ns, uint16_t status);
/* Free all requests that are not in flight, without a completion. */
void nvme_requests_drop(Nvme *n);
/* Wait for all requests in flight. */
void nvme_drain(Nvme *n);

/* data.c: the memory of a command, which the PRP entries or the SGL describe. The functions return
 * a status. */
uint16_t nvme_data_map(NvmeRequest *req, uint64_t len, bool write);
void nvme_data_unmap(NvmeRequest *req, bool written);
uint16_t nvme_data_send(NvmeRequest *req, const void *from, uint64_t len);
uint16_t nvme_data_receive(NvmeRequest *req, void *to, uint64_t len);

/* admin.c, io.c */
extern const NvmeOp nvme_admin_ops[], nvme_io_ops[];
extern const size_t n_nvme_admin_ops, n_nvme_io_ops;
uint16_t nvme_admin_start(NvmeRequest *req);
uint16_t nvme_io_start(NvmeRequest *req);
/* Continue an I/O command after a step. */
void nvme_io_next(NvmeRequest *req);
void nvme_io_failed(NvmeRequest *req, int error);
void nvme_io_step(NvmeRequest *req);

/* identify.c: a number of len bytes, and a text padded with spaces, in a structure of the host */
void nvme_put(uint8_t *data, unsigned at, unsigned len, uint64_t value);
void nvme_put_text(uint8_t *data, unsigned at, unsigned len, const char *text);

/* identify.c, features.c, log.c, event.c: commands of admin.c */
uint16_t nvme_identify(NvmeRequest *req);
uint16_t nvme_set_features(NvmeRequest *req);
uint16_t nvme_get_features(NvmeRequest *req);
uint16_t nvme_get_log(NvmeRequest *req);
uint16_t nvme_async_event(NvmeRequest *req);
void nvme_features_reset(Nvme *n);
static inline bool nvme_write_cache(const Nvme *n)
{
    return n->features[NVME_FEATURE_WRITE_CACHE] & 1;
}
void nvme_log_error(Nvme *n, const NvmeRequest *req, uint16_t status);
enum { NVME_TEMPERATURE = 323 }; /* K */
enum { NVME_WARNING_TEMPERATURE = 1 << 1 };

/* Asynchronous events (5.2.1). Bit n of Nvme.events: event n waits for a request of the driver. */
typedef enum NvmeEvent {
    NVME_EVENT_DOORBELL_REGISTER,
    NVME_EVENT_DOORBELL_VALUE,
    NVME_EVENT_TEMPERATURE,
    NVME_EVENT_NAMESPACE,
    NVME_EVENTS
} NvmeEvent;
void nvme_event(Nvme *n, NvmeEvent event);
/* A namespace was added, removed or resized: list it in the log page, and report the event. */
void nvme_event_namespace(Nvme *n, uint32_t id);
/* Send events for which there is a request. */
void nvme_events_send(Nvme *n);
/* The driver read a log page: events of its type may occur again. */
void nvme_event_log_read(Nvme *n, uint8_t page);

/* namespace.c */
/* Attach the back end of a namespace. nvme_ns_detach() undoes it, after all requests ended. */
bool nvme_ns_attach(NvmeNs *ns, Nvme *n, Device *dev, uint32_t id, GError **err);
void nvme_ns_detach(NvmeNs *ns);
/* Wait for the requests in flight of a namespace. */
void nvme_ns_drain(NvmeNs *ns);
void nvme_ns_clear_counters(NvmeNs *ns);
/* Return the namespace, or NULL if the identifier is not in use. */
NvmeNs *nvme_ns_find(const Nvme *n, uint32_t id);
static inline uint64_t nvme_ns_blocks(const NvmeNs *ns)
{
    return block_size(ns->node) >> ns->shift;
}

/* Properties of a namespace in the member m of T. */
#define NVME_NS_PROPS(T, m)                                                                        \
    PROP_U32(T, m.logical, "logical_block_size", 512, 512, 32768, "bytes of a block"),             \
        PROP_U32(T, m.physical, "physical_block_size", 512, 512, 2 << 20, "unit of the medium"),   \
    {                                                                                              \
        .name = "share-rw", .kind = PLAN_PROP_BOOL, .flags = PLAN_PROP_HOST,                       \
        .field = FIELD(T, m.share_rw, bool),                                                       \
        .doc = "allow other devices and processes to write to the drive"                           \
    }

/* state.c */
extern const VmState nvme_state, nvme_counter_state;

#endif
