/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Structures and codes of NVM Express 1.4, with the names of the specification.
 */
#ifndef HW_NVME_SPEC_INTERNAL_H
#define HW_NVME_SPEC_INTERNAL_H

#include <glib.h>
#include <stdint.h>

/* Offsets of registers (3.1). */
enum {
    NVME_REG_CAP = 0x00,
    NVME_REG_VS = 0x08,
    NVME_REG_INTMS = 0x0c,
    NVME_REG_INTMC = 0x10,
    NVME_REG_CC = 0x14,
    NVME_REG_CSTS = 0x1c,
    NVME_REG_NSSR = 0x20,
    NVME_REG_AQA = 0x24,
    NVME_REG_ASQ = 0x28,
    NVME_REG_ACQ = 0x30,
    NVME_REG_CMBLOC = 0x38,
    NVME_REG_CMBSZ = 0x3c,
    NVME_REG_BPINFO = 0x40,
    NVME_REG_PMRCAP = 0xe00,
    NVME_REG_DOORBELLS = 0x1000,
};

enum {
    NVME_CC_EN = 1 << 0,
    NVME_CC_CSS = 7 << 4,
    NVME_CC_MPS = 15 << 7,
    NVME_CC_AMS = 7 << 11,
    NVME_CC_SHN = 3 << 14,
    NVME_CC_IOSQES = 15 << 16,
    NVME_CC_IOCQES = 15 << 20,
    NVME_CSTS_RDY = 1 << 0,
    NVME_CSTS_CFS = 1 << 1,
    NVME_CSTS_SHST = 3 << 2,
    NVME_CSTS_SHST_OCCURRING = 1 << 2,
    NVME_CSTS_SHST_COMPLETE = 2 << 2,
};

/* A submission queue entry (4.2). */
typedef struct NvmeCommand {
    uint8_t opcode, flags; /* flags: FUSE in bits 1:0, PSDT in bits 7:6 */
    uint16_t cid;
    uint32_t nsid, cdw2, cdw3;
    uint64_t mptr, prp1, prp2;
    uint32_t cdw10, cdw11, cdw12, cdw13, cdw14, cdw15;
} NvmeCommand;
G_STATIC_ASSERT(sizeof(NvmeCommand) == 64);

enum { NVME_FUSE = 3, NVME_PSDT = 3 << 6, NVME_PSDT_SGL = 1 << 6 };

/* A completion queue entry (4.6). */
typedef struct NvmeCqe {
    uint32_t result, reserved;
    uint16_t sq_head, sq_id, cid, status; /* status: the Phase Tag in bit 0 */
} NvmeCqe;
G_STATIC_ASSERT(sizeof(NvmeCqe) == 16);

/* An SGL descriptor (4.4). */
typedef struct NvmeSgl {
    uint64_t addr;
    uint32_t len;
    uint8_t reserved[3], type; /* type: bits 7:4; sub type: bits 3:0 */
} NvmeSgl;
G_STATIC_ASSERT(sizeof(NvmeSgl) == 16);

enum { NVME_SGL_DATA = 0, NVME_SGL_BIT_BUCKET = 1, NVME_SGL_SEGMENT = 2, NVME_SGL_LAST = 3 };

/* Admin commands (5). */
enum {
    NVME_ADMIN_DELETE_SQ = 0x00,
    NVME_ADMIN_CREATE_SQ = 0x01,
    NVME_ADMIN_GET_LOG = 0x02,
    NVME_ADMIN_DELETE_CQ = 0x04,
    NVME_ADMIN_CREATE_CQ = 0x05,
    NVME_ADMIN_IDENTIFY = 0x06,
    NVME_ADMIN_ABORT = 0x08,
    NVME_ADMIN_SET_FEATURES = 0x09,
    NVME_ADMIN_GET_FEATURES = 0x0a,
    NVME_ADMIN_ASYNC_EVENT = 0x0c,
};

/* Commands of the NVM command set (6). */
enum {
    NVME_IO_FLUSH = 0x00,
    NVME_IO_WRITE = 0x01,
    NVME_IO_READ = 0x02,
    NVME_IO_COMPARE = 0x05,
    NVME_IO_WRITE_ZEROES = 0x08,
    NVME_IO_DSM = 0x09,
};

/* Status Field without the Phase Tag (4.6.1): code, code type, Do Not Retry. */
enum {
    NVME_SUCCESS = 0,
    NVME_INVALID_OPCODE = 0x001,
    NVME_INVALID_FIELD = 0x002,
    NVME_DATA_TRANSFER_ERROR = 0x004,
    NVME_INTERNAL_ERROR = 0x006,
    NVME_ABORT_REQUESTED = 0x007,
    NVME_ABORTED_SQ_DELETION = 0x008,
    NVME_INVALID_NAMESPACE = 0x00b,
    NVME_SEQUENCE_ERROR = 0x00c,
    NVME_INVALID_SGL_SEGMENT = 0x00d,
    NVME_INVALID_SGL_COUNT = 0x00e,
    NVME_INVALID_SGL_LENGTH = 0x00f,
    NVME_INVALID_SGL_TYPE = 0x011,
    NVME_INVALID_PRP_OFFSET = 0x013,
    NVME_WRITE_PROTECTED = 0x020,
    NVME_LBA_OUT_OF_RANGE = 0x080,
    NVME_CAPACITY_EXCEEDED = 0x081,
    NVME_INVALID_CQ = 0x100,
    NVME_INVALID_QUEUE_ID = 0x101,
    NVME_INVALID_QUEUE_SIZE = 0x102,
    NVME_EVENT_LIMIT_EXCEEDED = 0x105,
    NVME_INVALID_VECTOR = 0x108,
    NVME_INVALID_LOG_PAGE = 0x109,
    NVME_INVALID_QUEUE_DELETION = 0x10c,
    NVME_FEATURE_NOT_SAVEABLE = 0x10d,
    NVME_FEATURE_NOT_CHANGEABLE = 0x10e,
    NVME_FEATURE_NOT_NAMESPACE = 0x10f,
    NVME_WRITE_FAULT = 0x280,
    NVME_UNRECOVERED_READ = 0x281,
    NVME_COMPARE_FAILURE = 0x285,
    NVME_DNR = 0x4000,
};

/* Features (5.21.1). */
enum {
    NVME_FEATURE_ARBITRATION = 0x01,
    NVME_FEATURE_POWER = 0x02,
    NVME_FEATURE_TEMPERATURE = 0x04,
    NVME_FEATURE_ERROR_RECOVERY = 0x05,
    NVME_FEATURE_WRITE_CACHE = 0x06,
    NVME_FEATURE_QUEUES = 0x07,
    NVME_FEATURE_COALESCING = 0x08,
    NVME_FEATURE_VECTOR = 0x09,
    NVME_FEATURE_ATOMICITY = 0x0a,
    NVME_FEATURE_EVENTS = 0x0b,
    NVME_FEATURE_TIMESTAMP = 0x0e,
    NVME_FEATURES = 0x10, /* number of slots */
};

/* Log pages (5.14.1). */
enum {
    NVME_LOG_ERROR = 0x01,
    NVME_LOG_SMART = 0x02,
    NVME_LOG_FIRMWARE = 0x03,
    NVME_LOG_CHANGED_NAMESPACES = 0x04,
    NVME_LOG_EFFECTS = 0x05,
};

enum { NVME_ALL_NAMESPACES = 0xffffffff, NVME_DATA_SIZE = 4096 };

#endif
