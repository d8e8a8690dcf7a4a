/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI: a bus of logical units behind a controller, and the requests between them (SAM-4, SPC-3).
 *
 * A controller embeds a SCSIBus and provides its SCSIBusOps. A logical unit is a device on the bus
 * with an address (channel, target, unit) and a SCSIDeviceType. A request refers to the data
 * buffers of the guest directly. The unit completes the request with a status and sense data, or
 * asks the controller to continue it later, so that the amount of work and of data in flight stays
 * bounded.
 *
 * Locking: the machine lock for every function and every callback.
 */
#ifndef HW_SCSI_SCSI_H
#define HW_SCSI_SCSI_H

#include <sys/uio.h>

#include "block/block.h"
#include "hw/core/device.h"

enum {
    SCSI_CDB_MAX = 32,
    SCSI_SENSE_LEN = 18,  /* fixed format (SPC-3, 4.5.3) */
    SCSI_REPLY_MAX = 4096 /* of the data that a command returns from a buffer */
};

/* Status codes (SAM-4, 5.3). */
enum {
    SCSI_GOOD = 0x00,
    SCSI_CHECK_CONDITION = 0x02,
};

/* How a request ended. All but SCSI_ENDED have no status and no sense data. */
typedef enum SCSIOutcome {
    SCSI_ENDED,   /* with a status */
    SCSI_OVERRUN, /* the command requires larger buffers; it was not executed */
    SCSI_GONE,    /* the logical unit was unplugged, or the target does not exist */
    SCSI_ABORTED, /* by task management */
    SCSI_RESET,   /* by a reset of the logical unit or the target */
} SCSIOutcome;

typedef struct SCSISense {
    uint8_t key, asc, ascq;
} SCSISense;

/* Unit attention conditions, in the order in which they are reported. Saved as a bit mask. */
typedef enum SCSIAttention {
    SCSI_ATTENTION_POWER_ON,
    SCSI_ATTENTION_RESET,
    SCSI_ATTENTION_NEXUS_LOSS,
    SCSI_ATTENTION_MEDIUM,
    SCSI_ATTENTION_CAPACITY,
    SCSI_ATTENTION_MODE,
    SCSI_ATTENTION_LUNS,
    SCSI_ATTENTIONS
} SCSIAttention;

typedef struct SCSIBus SCSIBus;
typedef struct SCSIDevice SCSIDevice;
typedef struct SCSIRequest SCSIRequest;

/*
 * A request. The controller owns it, fills in the first part, and frees it in SCSIBusOps.done. The
 * memory of the buffers stays valid until then.
 */
struct SCSIRequest {
    SCSIBus *bus;
    SCSIDevice *dev; /* NULL: the target has no such unit */
    uint8_t target;
    uint8_t cdb[SCSI_CDB_MAX];
    const struct iovec *out, *in; /* data to the unit, and from the unit */
    int n_out, n_in;
    size_t out_len, in_len;
    /* the result */
    SCSIOutcome outcome;
    uint8_t status;
    unsigned sense_len;
    uint8_t sense[SCSI_SENSE_LEN];
    size_t transferred; /* bytes of `in` or `out` */
    /* Set by the controller while the request is in flight: the outcome to report instead of the
     * result. SCSI_ENDED: none. */
    SCSIOutcome cancelled;
    /* private to disks */
    BlockRequest io;
    uint64_t offset, len, done; /* on the disk; `done` bytes of len are complete */
    uint64_t step;              /* bytes of one step at most */
    struct iovec *slice;        /* the part of the data that is being transferred */
    uint8_t *bounce;            /* data that are not in the buffers of the guest */
    bool compare;               /* bounce is read and compared with `out` */
    uint32_t n_ranges, at_range;
    struct SCSIRange {
        uint64_t offset, len;
    } * ranges; /* further ranges of UNMAP */
};

typedef enum SCSIEvent { SCSI_EVENT_ADDED, SCSI_EVENT_REMOVED, SCSI_EVENT_CHANGED } SCSIEvent;

/* The operations of a controller. */
typedef struct SCSIBusOps {
    /* The request ended: return the result to the driver and free the request with
     * scsi_request_clear(). */
    void (*done)(SCSIRequest *req);
    /* Call scsi_request_continue() in a later turn. */
    void (*later)(SCSIRequest *req);
    /* Keep a request that failed. The machine stops; call scsi_request_continue() when it runs. */
    void (*keep)(SCSIRequest *req);
    /* End the requests of a unit that wait for `later` or `keep`, with SCSI_GONE. */
    void (*drop)(SCSIBus *bus, SCSIDevice *dev);
    /* Charge units of work to the turn of the controller. */
    void (*charge)(SCSIBus *bus, uint64_t units);
    /* Requests in flight became fewer. */
    void (*wake)(SCSIBus *bus);
    /* Notify the driver of a unit. @sense: what changed, for SCSI_EVENT_CHANGED. */
    void (*event)(SCSIBus *bus, SCSIDevice *dev, SCSIEvent event, SCSISense sense);
} SCSIBusOps;

struct SCSIBus {
    Bus bus;
    const SCSIBusOps *ops;
    GMainContext *context; /* completes the requests (BlockUser.context); the controller sets it */
    unsigned in_flight;    /* requests submitted to block nodes */
    uint64_t bytes_in_flight;
};

struct SCSIDevice {
    Device dev;
    uint32_t channel, id, lun; /* properties */
    uint8_t attention;         /* 1 << SCSIAttention: pending unit attentions; saved */
};

typedef struct SCSIDeviceType {
    DeviceType base;
    /* Start a command. Pending unit attentions are handled before. */
    void (*start)(SCSIDevice *dev, SCSIRequest *req);
    /* Continue a request after SCSIBusOps.later or .keep. */
    void (*resume)(SCSIDevice *dev, SCSIRequest *req);
    /* Wait for the requests in flight. */
    void (*drain)(SCSIDevice *dev);
    /* Undo reservations, locks and mode changes of the initiators. */
    void (*unit_reset)(SCSIDevice *dev);
} SCSIDeviceType;

extern const DeviceKind scsi_device_kind;

/* --- the bus, for controllers --- */

/**
 * scsi_bus_init() - Create the bus of a controller, named after it.
 * @err: names a bus that exists already
 *
 * Sets Device.child_bus. scsi_bus_fini() undoes it.
 */
bool scsi_bus_init(SCSIBus *bus, Device *owner, const SCSIBusOps *ops, GError **err);
void scsi_bus_fini(SCSIBus *bus);

/** scsi_bus_find() - Get a unit; NULL if there is none. */
SCSIDevice *scsi_bus_find(SCSIBus *bus, uint32_t channel, uint32_t id, uint32_t lun);

/** scsi_bus_has_target() - Return whether a target has at least one unit. */
bool scsi_bus_has_target(SCSIBus *bus, uint32_t channel, uint32_t id);

/** scsi_bus_drain() - Wait until no request of the bus is in flight. */
void scsi_bus_drain(SCSIBus *bus);

/** scsi_device_reset() - Reset a logical unit (SAM-4, 6.3.3): a unit attention @why, and no locks.
 */
void scsi_device_reset(SCSIDevice *dev, SCSIAttention why);

/**
 * scsi_request_start() - Start a request.
 * @lun: the unit of req->target in channel 0
 *
 * Sets req->dev. The request ends with SCSIBusOps.done, possibly within this function.
 */
void scsi_request_start(SCSIRequest *req, uint32_t lun);

/** scsi_request_continue() - Continue a request after SCSIBusOps.later or .keep. */
void scsi_request_continue(SCSIRequest *req);

/** scsi_request_clear() - Free what the unit allocated for a request. */
void scsi_request_clear(SCSIRequest *req);

/* --- results, for units --- */

/** scsi_end() - End a request with SCSI_GOOD. */
void scsi_end(SCSIRequest *req);
/** scsi_fail() - End a request with CHECK CONDITION. */
void scsi_fail(SCSIRequest *req, SCSISense sense);
/** scsi_end_as() - End a request without a status. */
void scsi_end_as(SCSIRequest *req, SCSIOutcome outcome);

/**
 * scsi_reply() - End a request with data for the initiator.
 * @allocated: the allocation length of the command; data beyond it are cut off
 */
void scsi_reply(SCSIRequest *req, const void *data, size_t len, size_t allocated);

/**
 * scsi_parameters() - Copy the parameters of a command from the initiator.
 * @len: of the parameter list in the command
 *
 * Return: false if the data are shorter; the request has ended then.
 */
bool scsi_parameters(SCSIRequest *req, void *data, size_t len);

/** scsi_sense_write() - Store sense data in fixed format in SCSI_SENSE_LEN bytes. */
void scsi_sense_write(uint8_t *at, SCSISense sense);

/** scsi_attention() - Establish a unit attention condition. */
void scsi_attention(SCSIDevice *dev, SCSIAttention what);
/** scsi_attention_sense() - Get the sense data of a condition. */
SCSISense scsi_attention_sense(SCSIAttention what);
/** scsi_attention_take() - Report and clear the first pending condition. False: there is none. */
bool scsi_attention_take(SCSIDevice *dev, SCSISense *sense);

/** scsi_changed() - Establish a unit attention condition and notify the driver of it. */
void scsi_changed(SCSIDevice *dev, SCSIAttention what);

/* Return the bus of a unit. */
static inline SCSIBus *scsi_bus_of(const SCSIDevice *dev)
{
    return (SCSIBus *)dev->dev.bus;
}

/* Sense data that several files use (SPC-3, table 27 and annex D). */
enum {
    SCSI_KEY_NONE = 0,
    SCSI_KEY_NOT_READY = 2,
    SCSI_KEY_MEDIUM_ERROR = 3,
    SCSI_KEY_HARDWARE_ERROR = 4,
    SCSI_KEY_ILLEGAL_REQUEST = 5,
    SCSI_KEY_UNIT_ATTENTION = 6,
    SCSI_KEY_DATA_PROTECT = 7,
    SCSI_KEY_MISCOMPARE = 14,
};
#define SCSI_INVALID_OPCODE     ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x20, 0x00 })
#define SCSI_LBA_OUT_OF_RANGE   ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x21, 0x00 })
#define SCSI_INVALID_FIELD      ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x24, 0x00 })
#define SCSI_LUN_NOT_SUPPORTED  ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x25, 0x00 })
#define SCSI_INVALID_PARAMETER  ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x26, 0x00 })
#define SCSI_PARAMETER_LENGTH   ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x1a, 0x00 })
#define SCSI_SAVING_UNSUPPORTED ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x39, 0x00 })
#define SCSI_REMOVAL_PREVENTED  ((SCSISense){ SCSI_KEY_ILLEGAL_REQUEST, 0x53, 0x02 })
#define SCSI_WRITE_PROTECTED    ((SCSISense){ SCSI_KEY_DATA_PROTECT, 0x27, 0x00 })
#define SCSI_SPACE_ALLOCATION   ((SCSISense){ SCSI_KEY_DATA_PROTECT, 0x27, 0x07 })
#define SCSI_NO_MEDIUM          ((SCSISense){ SCSI_KEY_NOT_READY, 0x3a, 0x01 })
#define SCSI_NO_MEDIUM_OPEN     ((SCSISense){ SCSI_KEY_NOT_READY, 0x3a, 0x02 })
#define SCSI_READ_ERROR         ((SCSISense){ SCSI_KEY_MEDIUM_ERROR, 0x11, 0x00 })
#define SCSI_WRITE_ERROR        ((SCSISense){ SCSI_KEY_MEDIUM_ERROR, 0x0c, 0x00 })
#define SCSI_COMPARE_FAILED     ((SCSISense){ SCSI_KEY_MISCOMPARE, 0x1d, 0x00 })

#endif
