/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trays and media of drives: the commands of the guest, and those of the monitors.
 */
#include "internal.h"
#include "machine-events.h"

enum { START = 1 << 0, LOEJ = 1 << 1, POWER_CONDITION = 0xf0 };

static void media_move_tray(ScsiDisk *d, bool open)
{
    if (d->tray_open == open) {
        return;
    }
    d->tray_open = open;
    d->media_event = open ? SCSI_MEDIA_REMOVED : SCSI_MEDIA_NEW;
    if (!open && d->node) {
        scsi_attention(&d->scsi, SCSI_ATTENTION_MEDIUM);
    }
    event_device_tray_moved(d->scsi.dev.machine, d->node ? block_drive_id(d->node) : "",
                            d->scsi.dev.path, open);
}

/* START STOP UNIT (SBC-3, 5.25): LOEJ ejects or loads the medium. A disk that stops writes its
 * cache back. */
void scsi_media_start_stop(ScsiDisk *d, SCSIRequest *req)
{
    bool start = req->cdb[4] & START, load = req->cdb[4] & LOEJ;

    if (req->cdb[4] & POWER_CONDITION) {
        scsi_end(req);
    } else if (scsi_is_cdrom(d) && load) {
        if (!start && d->tray_locked) {
            scsi_fail(req, SCSI_REMOVAL_PREVENTED);
            return;
        }
        media_move_tray(d, !start);
        scsi_end(req);
    } else if (!scsi_is_cdrom(d) && !start && d->read_only != PLAN_ON) {
        scsi_disk_flush(d, req);
    } else {
        scsi_end(req);
    }
}

/* PREVENT ALLOW MEDIUM REMOVAL (SPC-3, 6.13). */
void scsi_media_prevent_allow(ScsiDisk *d, SCSIRequest *req)
{
    d->tray_locked = req->cdb[4] & 1;
    scsi_end(req);
}
