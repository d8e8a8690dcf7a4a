/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Trays and media of drives: the commands of the guest, and the reports of changes by monitors.
 */
#include "internal.h"

enum { START = 1 << 0, LOEJ = 1 << 1, POWER_CONDITION = 0xf0 };

void scsi_media_moved(Device *dev)
{
    ScsiDisk *d = (ScsiDisk *)dev;

    d->media_event = d->media.tray_open ? SCSI_MEDIA_REMOVED : SCSI_MEDIA_NEW;
    if (scsi_disk_ready(d)) {
        scsi_changed(&d->scsi, SCSI_ATTENTION_MEDIUM);
    }
}

void scsi_media_eject_request(Device *dev)
{
    ((ScsiDisk *)dev)->media_event = SCSI_MEDIA_EJECT_REQUEST;
}

/* START STOP UNIT (SBC-3, 5.25): LOEJ ejects or loads the medium. A disk that stops writes its
 * cache back. */
void scsi_media_start_stop(ScsiDisk *d, SCSIRequest *req)
{
    bool start = req->cdb[4] & START, load = req->cdb[4] & LOEJ;
    bool power = req->cdb[4] & POWER_CONDITION;

    if (!power && scsi_is_cdrom(d) && load) {
        if (!start && d->media.locked) {
            scsi_fail(req, SCSI_REMOVAL_PREVENTED);
            return;
        }
        block_media_move_tray(&d->media, !start);
    } else if (!power && !scsi_is_cdrom(d) && !start && d->read_only != PLAN_ON) {
        scsi_disk_flush(d, req);
        return;
    }
    scsi_end(req);
}

/* PREVENT ALLOW MEDIUM REMOVAL (SPC-3, 6.13). */
void scsi_media_prevent_allow(ScsiDisk *d, SCSIRequest *req)
{
    d->media.locked = req->cdb[4] & 1;
    scsi_end(req);
}
