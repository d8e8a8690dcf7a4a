/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI inside hw/scsi/: requests, and the parts of disks and CD-ROM drives.
 *
 *   request.c       start and results of requests, commands of every target
 *   disk.c          types, properties and life of disks and drives, the table of commands
 *   disk_io.c       transfers in bounded steps, error policies
 *   disk_inquiry.c  INQUIRY and vital product data
 *   disk_mode.c     mode pages
 *   cdrom.c         commands of CD-ROM drives (MMC-5)
 *   media.c         trays and media
 */
#ifndef HW_SCSI_INTERNAL_H
#define HW_SCSI_INTERNAL_H

#include "block/media.h"
#include "hw/scsi/scsi.h"

/* Operation codes (SPC-3, SBC-3, MMC-5). */
enum {
    OP_TEST_UNIT_READY = 0x00,
    OP_REQUEST_SENSE = 0x03,
    OP_READ_6 = 0x08,
    OP_WRITE_6 = 0x0a,
    OP_SEEK_6 = 0x0b,
    OP_INQUIRY = 0x12,
    OP_MODE_SELECT_6 = 0x15,
    OP_RESERVE_6 = 0x16,
    OP_RELEASE_6 = 0x17,
    OP_MODE_SENSE_6 = 0x1a,
    OP_START_STOP_UNIT = 0x1b,
    OP_PREVENT_ALLOW = 0x1e,
    OP_READ_CAPACITY_10 = 0x25,
    OP_READ_10 = 0x28,
    OP_WRITE_10 = 0x2a,
    OP_SEEK_10 = 0x2b,
    OP_WRITE_VERIFY_10 = 0x2e,
    OP_VERIFY_10 = 0x2f,
    OP_SYNCHRONIZE_CACHE_10 = 0x35,
    OP_WRITE_SAME_10 = 0x41,
    OP_UNMAP = 0x42,
    OP_READ_TOC = 0x43,
    OP_GET_CONFIGURATION = 0x46,
    OP_GET_EVENT_STATUS = 0x4a,
    OP_READ_DISC_INFORMATION = 0x51,
    OP_MODE_SELECT_10 = 0x55,
    OP_RESERVE_10 = 0x56,
    OP_RELEASE_10 = 0x57,
    OP_MODE_SENSE_10 = 0x5a,
    OP_READ_16 = 0x88,
    OP_WRITE_16 = 0x8a,
    OP_WRITE_VERIFY_16 = 0x8e,
    OP_VERIFY_16 = 0x8f,
    OP_SYNCHRONIZE_CACHE_16 = 0x91,
    OP_WRITE_SAME_16 = 0x93,
    OP_SERVICE_ACTION_IN_16 = 0x9e,
    OP_REPORT_LUNS = 0xa0,
    OP_READ_12 = 0xa8,
    OP_WRITE_12 = 0xaa,
    OP_WRITE_VERIFY_12 = 0xae,
    OP_VERIFY_12 = 0xaf,
    OP_SET_CD_SPEED = 0xbb,
    OP_MECHANISM_STATUS = 0xbd,
};

typedef struct ScsiDisk {
    SCSIDevice scsi;
    /* properties */
    char *drive, *serial, *vendor, *product, *ver, *device_id;
    uint64_t wwn;
    uint32_t logical, physical;
    uint16_t rotation_rate;
    int32_t bootindex;
    bool removable, share_rw;
    uint32_t read_only;      /* PlanOnOff; not PLAN_AUTO after realize */
    uint32_t write_cache;    /* PlanOnOff */
    uint32_t werror, rerror; /* 0: the policy of the drive; otherwise BlockErrorPolicy + 1 */
    /* back end */
    BlockMedia media; /* of disks: only node, user and locked are used */
    char *text_id;    /* the identification in VPD page 83 */
    /* guest-visible state */
    uint8_t writeback;   /* WCE of the caching page */
    uint8_t media_event; /* SCSI_MEDIA_*, for GET EVENT STATUS NOTIFICATION */
} ScsiDisk;

/* Media events (MMC-5, table 305). */
enum {
    SCSI_MEDIA_NO_CHANGE,
    SCSI_MEDIA_EJECT_REQUEST,
    SCSI_MEDIA_NEW,
    SCSI_MEDIA_REMOVED,
    SCSI_MEDIA_EVENTS
};

typedef struct ScsiDiskType {
    SCSIDeviceType scsi;
    bool cdrom;
} ScsiDiskType;

enum {
    SCSI_STEP = 2 << 20,        /* of a transfer: Linux's requests are smaller */
    SCSI_RANGE_STEP = 32 << 20, /* of a discard or of zeroes */
    SCSI_MAX_RANGE = 1 << 22,   /* blocks of one UNMAP or WRITE SAME */
    SCSI_MAX_RANGES = 255,      /* descriptors of one UNMAP */
    SCSI_UNIT_BYTES = 4096,     /* bytes for one unit of a turn */
    SCSI_SUBMIT_UNITS = 4,
};

static inline bool scsi_is_cdrom(const ScsiDisk *d)
{
    return ((const ScsiDiskType *)d->scsi.dev.type)->cdrom;
}

/* Return whether a medium is present and the tray is closed. */
static inline bool scsi_disk_ready(const ScsiDisk *d)
{
    return d->media.node && !d->media.tray_open;
}

/* Return the number of logical blocks of the medium. */
static inline uint64_t scsi_disk_blocks(const ScsiDisk *d)
{
    return d->media.node ? block_size(d->media.node) / d->logical : 0;
}

/* request.c: a big-endian field of the command; a reply to REQUEST SENSE. */
uint64_t scsi_cdb(const SCSIRequest *req, unsigned at, unsigned len);
void scsi_request_sense(SCSIRequest *req, SCSISense sense);

/* disk_io.c */
void scsi_disk_read_write(ScsiDisk *d, SCSIRequest *req);
void scsi_disk_verify(ScsiDisk *d, SCSIRequest *req);
void scsi_disk_flush(ScsiDisk *d, SCSIRequest *req);
void scsi_disk_unmap(ScsiDisk *d, SCSIRequest *req);
void scsi_disk_write_same(ScsiDisk *d, SCSIRequest *req);
/* Continue a request with its next step. */
void scsi_disk_step(ScsiDisk *d, SCSIRequest *req);

/* disk_inquiry.c */
void scsi_disk_inquiry(ScsiDisk *d, SCSIRequest *req);

/* disk_mode.c */
void scsi_disk_mode_sense(ScsiDisk *d, SCSIRequest *req);
void scsi_disk_mode_select(ScsiDisk *d, SCSIRequest *req);

/* media.c: the callbacks of BlockMedia, and commands. */
void scsi_media_moved(Device *dev);
void scsi_media_eject_request(Device *dev);
void scsi_media_start_stop(ScsiDisk *d, SCSIRequest *req);
void scsi_media_prevent_allow(ScsiDisk *d, SCSIRequest *req);

/* cdrom.c */
void scsi_cdrom_read_toc(ScsiDisk *d, SCSIRequest *req);
void scsi_cdrom_get_configuration(ScsiDisk *d, SCSIRequest *req);
void scsi_cdrom_get_event(ScsiDisk *d, SCSIRequest *req);
void scsi_cdrom_mechanism_status(ScsiDisk *d, SCSIRequest *req);
void scsi_cdrom_disc_information(ScsiDisk *d, SCSIRequest *req);

#endif
