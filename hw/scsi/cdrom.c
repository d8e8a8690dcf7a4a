/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands of CD-ROM drives (MMC-5). The medium is one session with one data track.
 */
#include <string.h>

#include "internal.h"

enum { LEAD_OUT = 0xaa, LEAD_OUT_CONTROL = 0x16, DATA_TRACK = 0x14, CD_MAX_BLOCKS = 80 * 60 * 75 };
enum { PROFILE_CD_ROM = 0x0008, PROFILE_DVD_ROM = 0x0010 };
enum {
    EVENT_CLASS_NONE = 0x80,
    EVENT_CLASS_MEDIA = 4,
    TRAY_OPEN = 1 << 0,
    MEDIUM_PRESENT = 1 << 1
};
enum { FRAMES = 75, SECONDS = 60, FIRST_FRAME = 150 };

static void cdrom_append_be(GByteArray *out, uint64_t v, unsigned len)
{
    for (unsigned i = len; i > 0; i--) {
        uint8_t byte = (uint8_t)(v >> (8 * (i - 1)));

        g_byte_array_append(out, &byte, 1);
    }
}

/* Append a block address, or minute, second and frame. */
static void cdrom_append_address(GByteArray *out, uint32_t lba, bool msf)
{
    uint32_t at = lba + FIRST_FRAME;

    if (msf) {
        cdrom_append_be(out, at / (FRAMES * SECONDS) % 256, 2);
        cdrom_append_be(out, at / FRAMES % SECONDS, 1);
        cdrom_append_be(out, at % FRAMES, 1);
    } else {
        cdrom_append_be(out, lba, 4);
    }
}

/* Store the length of the data behind the length field. */
static void cdrom_set_length(GByteArray *out, unsigned len)
{
    uint32_t n = out->len - len;

    for (unsigned i = 0; i < len; i++) {
        out->data[i] = (uint8_t)(n >> (8 * (len - 1 - i)));
    }
}

static void cdrom_append_track(GByteArray *out, uint8_t track, uint32_t lba, bool msf)
{
    cdrom_append_be(out, DATA_TRACK << 16 | (uint32_t)track << 8, 4);
    cdrom_append_address(out, lba, msf);
}

/* A row of the full TOC: a point, and its address. */
static void cdrom_append_point(GByteArray *out, uint8_t point, uint8_t min, uint8_t sec,
                               uint8_t frame)
{
    uint8_t row[11] = { 1, DATA_TRACK, 0, point, [8] = min, [9] = sec, [10] = frame };

    g_byte_array_append(out, row, sizeof(row));
}

static void cdrom_append_full_toc(GByteArray *out, uint32_t blocks)
{
    uint32_t end = blocks + FIRST_FRAME;

    cdrom_append_point(out, 0xa0, 1, 0, 0);
    cdrom_append_point(out, 0xa1, 1, 0, 0);
    cdrom_append_point(out, 0xa2, (uint8_t)(end / (FRAMES * SECONDS)),
                       (uint8_t)(end / FRAMES % SECONDS), (uint8_t)(end % FRAMES));
    cdrom_append_point(out, 1, 0, 2, 0);
}

/* READ TOC/PMA/ATIP (6.26): formats 0 (tracks), 1 (sessions) and 2 (full TOC). */
void scsi_cdrom_read_toc(ScsiDisk *d, SCSIRequest *req)
{
    bool msf = req->cdb[1] & 2;
    unsigned format = req->cdb[2] & 0xf, track = req->cdb[6];
    uint32_t blocks = (uint32_t)MIN(scsi_disk_blocks(d), UINT32_MAX - FIRST_FRAME);
    g_autoptr(GByteArray) out = g_byte_array_new();

    if (format > 2 || (format == 0 && track > 1 && track != LEAD_OUT)) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    cdrom_append_be(out, 0x0101, 4); /* length; first and last track or session */
    if (format == 2) {
        cdrom_append_full_toc(out, blocks);
    } else if (format == 1) {
        cdrom_append_track(out, 1, 0, msf);
    } else {
        if (track <= 1) {
            cdrom_append_track(out, 1, 0, msf);
        }
        cdrom_append_track(out, LEAD_OUT, blocks, msf);
        out->data[out->len - 7] = LEAD_OUT_CONTROL;
    }
    cdrom_set_length(out, 2);
    scsi_reply(req, out->data, out->len, scsi_cdb(req, 7, 2));
}

static unsigned cdrom_profile(const ScsiDisk *d)
{
    return !scsi_disk_ready(d)                   ? 0
           : scsi_disk_blocks(d) > CD_MAX_BLOCKS ? PROFILE_DVD_ROM
                                                 : PROFILE_CD_ROM;
}

/* The data of feature @n (5.3). False: the drive lacks it. */
static bool cdrom_append_feature(const ScsiDisk *d, unsigned n, GByteArray *out)
{
    unsigned profile = cdrom_profile(d);

    switch (n) {
    case 0: /* profile list */
        cdrom_append_be(out, 0x00000308, 4);
        cdrom_append_be(out, PROFILE_DVD_ROM << 16 | (profile == PROFILE_DVD_ROM) << 8, 4);
        cdrom_append_be(out, PROFILE_CD_ROM << 16 | (profile == PROFILE_CD_ROM) << 8, 4);
        return true;
    case 1: /* core: SCSI, DBE */
        cdrom_append_be(out, 0x00010b08, 4);
        cdrom_append_be(out, 1, 4);
        cdrom_append_be(out, 0x01000000, 4);
        return true;
    case 3: /* removable medium: tray, load, eject, lock */
        cdrom_append_be(out, 0x00030b04, 4);
        cdrom_append_be(out, 0x39000000, 4);
        return true;
    default:
        return false;
    }
}

/* GET CONFIGURATION (6.6). */
void scsi_cdrom_get_configuration(ScsiDisk *d, SCSIRequest *req)
{
    unsigned rt = req->cdb[1] & 3, first = (unsigned)scsi_cdb(req, 2, 2);
    g_autoptr(GByteArray) out = g_byte_array_new();

    if (rt == 3) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    cdrom_append_be(out, 0, 6);
    cdrom_append_be(out, cdrom_profile(d), 2);
    for (unsigned n = first; n <= 3 && (rt != 2 || n == first); n++) {
        cdrom_append_feature(d, n, out);
    }
    cdrom_set_length(out, 4);
    scsi_reply(req, out->data, out->len, scsi_cdb(req, 7, 2));
}

/* GET EVENT STATUS NOTIFICATION (6.7): polled media events. */
void scsi_cdrom_get_event(ScsiDisk *d, SCSIRequest *req)
{
    uint8_t data[8] = { 0, 2, EVENT_CLASS_NONE, 1 << EVENT_CLASS_MEDIA };
    bool media = req->cdb[4] >> EVENT_CLASS_MEDIA & 1;

    if (!(req->cdb[1] & 1)) { /* asynchronous notification */
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    if (media) {
        data[1] = 6;
        data[2] = EVENT_CLASS_MEDIA;
        data[4] = d->media_event;
        data[5] = (d->media.tray_open ? TRAY_OPEN : 0) | (scsi_disk_ready(d) ? MEDIUM_PRESENT : 0);
        d->media_event = SCSI_MEDIA_NO_CHANGE;
    }
    scsi_reply(req, data, media ? 8 : 4, scsi_cdb(req, 7, 2));
}

void scsi_cdrom_mechanism_status(ScsiDisk *d, SCSIRequest *req)
{
    uint8_t data[8] = { [1] = d->media.tray_open ? 0x10 : 0, [5] = 1 };

    scsi_reply(req, data, sizeof(data), scsi_cdb(req, 8, 2));
}

/* READ DISC INFORMATION (6.22): a finished disc with one session and one track. */
void scsi_cdrom_disc_information(ScsiDisk *d, SCSIRequest *req)
{
    uint8_t data[34] = { 0, sizeof(data) - 2, 0x0e, 1, 1, 1, 1, 0x20 };

    if (req->cdb[1] & 7) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    scsi_reply(req, data, sizeof(data), scsi_cdb(req, 7, 2));
}
