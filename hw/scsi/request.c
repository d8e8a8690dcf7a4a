/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI requests: their start, their results, and the commands of a target that lacks the unit
 * (contract in hw/scsi/scsi.h).
 */
#include <string.h>

#include "internal.h"
#include "util/iov.h"

static const SCSIDeviceType *request_type_of(const SCSIRequest *req)
{
    return (const SCSIDeviceType *)req->dev->dev.type;
}

/* --- results --- */

/* A request that was cancelled while it was in flight has the outcome of the cancellation. */
static void request_end(SCSIRequest *req)
{
    if (req->cancelled != SCSI_ENDED) {
        req->outcome = req->cancelled;
    }
    if (req->outcome != SCSI_ENDED || req->status != SCSI_GOOD) {
        req->transferred = 0;
    }
    req->bus->ops->done(req);
}

void scsi_end(SCSIRequest *req)
{
    req->outcome = SCSI_ENDED;
    req->status = SCSI_GOOD;
    req->sense_len = 0;
    request_end(req);
}

void scsi_end_as(SCSIRequest *req, SCSIOutcome outcome)
{
    req->outcome = outcome;
    request_end(req);
}

void scsi_sense_write(uint8_t *at, SCSISense sense)
{
    memset(at, 0, SCSI_SENSE_LEN);
    at[0] = 0x70;
    at[2] = sense.key;
    at[7] = SCSI_SENSE_LEN - 8;
    at[12] = sense.asc;
    at[13] = sense.ascq;
}

void scsi_fail(SCSIRequest *req, SCSISense sense)
{
    req->outcome = SCSI_ENDED;
    req->status = SCSI_CHECK_CONDITION;
    req->sense_len = SCSI_SENSE_LEN;
    scsi_sense_write(req->sense, sense);
    request_end(req);
}

void scsi_request_clear(SCSIRequest *req)
{
    g_clear_pointer(&req->slice, g_free);
    g_clear_pointer(&req->bounce, g_free);
    g_clear_pointer(&req->ranges, g_free);
}

/* --- data --- */

static void request_write_data(SCSIRequest *req, const uint8_t *data, size_t len)
{
    for (int i = 0; i < req->n_in && len > 0; i++) {
        size_t part = MIN(req->in[i].iov_len, len);

        memcpy(req->in[i].iov_base, data, part);
        data += part;
        len -= part;
    }
}

void scsi_reply(SCSIRequest *req, const void *data, size_t len, size_t allocated)
{
    if (allocated > req->in_len) {
        scsi_end_as(req, SCSI_OVERRUN);
        return;
    }
    req->transferred = MIN(len, allocated);
    request_write_data(req, data, req->transferred);
    scsi_end(req);
}

bool scsi_parameters(SCSIRequest *req, void *data, size_t len)
{
    if (iov_read(req->out, req->n_out, 0, data, len) < len) {
        scsi_end_as(req, SCSI_OVERRUN);
        return false;
    }
    req->transferred = len;
    return true;
}

/* --- commands of every target --- */

static uint64_t request_be(const uint8_t *at, unsigned len)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < len; i++) {
        v = v << 8 | at[i];
    }
    return v;
}

uint64_t scsi_cdb(const SCSIRequest *req, unsigned at, unsigned len)
{
    return request_be(req->cdb + at, len);
}

static int request_compare_luns(gconstpointer a, gconstpointer b)
{
    return (int)*(const uint32_t *)a - (int)*(const uint32_t *)b;
}

/* Return the units of the target in ascending order. */
static GArray *request_luns(const SCSIRequest *req)
{
    GArray *luns = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    const GPtrArray *members = req->bus->bus.members;

    for (unsigned i = 0; i < members->len; i++) {
        const SCSIDevice *dev = g_ptr_array_index(members, i);

        if (dev->channel == 0 && dev->id == req->target && !dev->dev.hidden) {
            g_array_append_val(luns, dev->lun);
        }
    }
    g_array_sort(luns, request_compare_luns);
    return luns;
}

/* REPORT LUNS (SPC-3, 6.21). Units below 256 have the format of peripheral devices, others that of
 * flat space. The list always contains unit 0. */
static void request_report_luns(SCSIRequest *req)
{
    g_autoptr(GArray) luns = request_luns(req);
    g_autoptr(GByteArray) reply = g_byte_array_new();
    uint8_t select = req->cdb[2];
    size_t allocated = scsi_cdb(req, 6, 4);
    uint8_t header[8] = { 0 };

    if (select > 2 || allocated < 16) {
        scsi_fail(req, SCSI_INVALID_FIELD);
        return;
    }
    g_byte_array_append(reply, header, sizeof(header));
    if (select != 1 && (luns->len == 0 || g_array_index(luns, uint32_t, 0) != 0)) {
        g_byte_array_append(reply, header, sizeof(header));
    }
    for (unsigned i = 0; select != 1 && i < luns->len; i++) {
        uint32_t lun = g_array_index(luns, uint32_t, i);
        uint8_t entry[8] = { (uint8_t)(lun >= 256 ? lun >> 8 | 0x40 : 0), (uint8_t)lun };

        g_byte_array_append(reply, entry, sizeof(entry));
    }
    for (unsigned i = 0; i < 4; i++) {
        reply->data[i] = (uint8_t)((reply->len - 8) >> (24 - 8 * i));
    }
    req->bus->ops->charge(req->bus, reply->len / 64);
    scsi_reply(req, reply->data, reply->len, allocated);
}

/* The target has other units: "not capable of supporting a device at this unit" (SPC-3, 6.4.2). */
static void request_inquire_absent(SCSIRequest *req)
{
    uint8_t data[36] = { 0x7f, 0, 5, 2, 36 - 5 };

    if (req->cdb[1] & 1) {
        scsi_fail(req, SCSI_LUN_NOT_SUPPORTED);
    } else {
        scsi_reply(req, data, sizeof(data), scsi_cdb(req, 3, 2));
    }
}

void scsi_request_sense(SCSIRequest *req, SCSISense sense)
{
    uint8_t data[SCSI_SENSE_LEN];

    if (req->cdb[1] & 1) { /* descriptor format (SPC-3, 4.5.2) */
        uint8_t descriptor[8] = { 0x72, sense.key, sense.asc, sense.ascq };

        scsi_reply(req, descriptor, sizeof(descriptor), req->cdb[4]);
        return;
    }
    scsi_sense_write(data, sense);
    scsi_reply(req, data, sizeof(data), req->cdb[4]);
}

static void request_start_absent(SCSIRequest *req)
{
    if (!scsi_bus_has_target(req->bus, 0, req->target)) {
        scsi_end_as(req, SCSI_GONE);
    } else if (req->cdb[0] == OP_INQUIRY) {
        request_inquire_absent(req);
    } else if (req->cdb[0] == OP_REPORT_LUNS) {
        request_report_luns(req);
    } else if (req->cdb[0] == OP_REQUEST_SENSE) {
        scsi_request_sense(req, SCSI_LUN_NOT_SUPPORTED);
    } else {
        scsi_fail(req, SCSI_LUN_NOT_SUPPORTED);
    }
}

/* INQUIRY, REPORT LUNS and REQUEST SENSE are executed with a unit attention pending. The last one
 * reports it (SAM-4, 5.14). */
void scsi_request_start(SCSIRequest *req, uint32_t lun)
{
    uint8_t op = req->cdb[0];
    SCSISense sense = { 0 };

    req->dev = scsi_bus_find(req->bus, 0, req->target, lun);
    if (!req->dev) {
        request_start_absent(req);
    } else if (op == OP_REPORT_LUNS) {
        req->dev->attention &= ~(1u << SCSI_ATTENTION_LUNS);
        request_report_luns(req);
    } else if (op == OP_REQUEST_SENSE) {
        scsi_attention_take(req->dev, &sense);
        scsi_request_sense(req, sense);
    } else if (op != OP_INQUIRY && scsi_attention_take(req->dev, &sense)) {
        scsi_fail(req, sense);
    } else {
        request_type_of(req)->start(req->dev, req);
    }
}

void scsi_request_continue(SCSIRequest *req)
{
    request_type_of(req)->resume(req->dev, req);
}
