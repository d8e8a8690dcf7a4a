/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The common part of HID devices (contract in hid_internal.h).
 */
#include "hid_internal.h"

#include <string.h>

enum {
    HID_GET_REPORT = 0x01,
    HID_GET_IDLE = 0x02,
    HID_GET_PROTOCOL = 0x03,
    HID_SET_REPORT = 0x09,
    HID_SET_IDLE = 0x0a,
    HID_SET_PROTOCOL = 0x0b,
    HID_REPORT_INPUT = 1,
    HID_REPORT_OUTPUT = 2,
    HID_IDLE_NS = 4000000,
    HID_CLASS_BYTES = 9,
};

static USBHid *hid_of(USBDevice *dev)
{
    return (USBHid *)dev;
}

static const USBHidType *hid_type(const USBHid *h)
{
    return (const USBHidType *)h->usb.dev.type;
}

/* --- the idle rate (7.2.4) --- */

static void hid_idle_restart(USBHid *h)
{
    timer_cancel(&h->idle_timer);
    h->idle_due = false;
    if (h->idle) {
        timer_arm_ns(&h->idle_timer, (uint64_t)h->idle * HID_IDLE_NS);
    }
}

static void hid_idle_expired(void *dev)
{
    USBHid *h = dev;

    h->idle_due = true;
    timer_cancel(&h->idle_timer);
    usb_wakeup(&h->usb, HID_ENDPOINT);
}

/* --- reports --- */

void hid_changed(USBHid *h)
{
    usb_wakeup(&h->usb, HID_ENDPOINT);
}

USBResult hid_transfer(USBDevice *dev, USBPacket *p)
{
    USBHid *h = hid_of(dev);
    uint8_t report[HID_MAX_REPORT] = { 0 };
    unsigned n;

    if (!hid_type(h)->pending(h) && !h->idle_due) {
        return USB_NAK;
    }
    n = hid_type(h)->report(h, report);
    if (n > p->len) {
        return USB_BABBLE;
    }
    hid_type(h)->next(h);
    p->actual = hid_type(h)->report(h, report);
    memcpy(p->data, report, p->actual);
    hid_idle_restart(h);
    return USB_DONE;
}

/* --- requests (7.1, 7.2) --- */

static int hid_get_descriptor(const USBHid *h, const USBRequest *r, uint8_t *data)
{
    const USBHidType *t = hid_type(h);
    bool report = r->value == HID_DT_REPORT << 8;
    const uint8_t *from = report ? t->report_descriptor : t->usb.descriptors->class_descriptor;
    unsigned n = report ? t->report_len : HID_CLASS_BYTES;

    if (!report && r->value != HID_DT_HID << 8) {
        return -1;
    }
    memcpy(data, from, MIN(n, r->length));
    return (int)n;
}

static int hid_get_request(USBHid *h, const USBRequest *r, uint8_t *data)
{
    uint8_t report[HID_MAX_REPORT] = { 0 };
    unsigned n;

    switch (r->request) {
    case HID_GET_REPORT:
        if (r->value >> 8 != HID_REPORT_INPUT) {
            return -1;
        }
        n = hid_type(h)->report(h, report);
        memcpy(data, report, MIN(n, r->length));
        return (int)n;
    case HID_GET_IDLE:
        data[0] = h->idle;
        return 1;
    case HID_GET_PROTOCOL:
        data[0] = h->protocol;
        return hid_type(h)->usb.descriptors->subclass == HID_SUBCLASS_BOOT ? 1 : -1;
    default:
        return -1;
    }
}

static int hid_set_request(USBHid *h, const USBRequest *r, const uint8_t *data)
{
    bool boot = hid_type(h)->usb.descriptors->subclass == HID_SUBCLASS_BOOT;

    switch (r->request) {
    case HID_SET_REPORT:
        if (r->value >> 8 != HID_REPORT_OUTPUT || r->length != 1 || !hid_type(h)->output) {
            return -1;
        }
        hid_type(h)->output(h, data[0]);
        return 0;
    case HID_SET_IDLE:
        h->idle = (uint8_t)(r->value >> 8);
        hid_idle_restart(h);
        return 0;
    case HID_SET_PROTOCOL:
        if (!boot || r->value > HID_PROTOCOL_REPORT) {
            return -1;
        }
        h->protocol = (uint8_t)r->value;
        return 0;
    default:
        return -1;
    }
}

int hid_request(USBDevice *dev, const USBRequest *r, uint8_t *data)
{
    bool in = r->type & USB_DIR_IN;

    if ((r->type & USB_TYPE_MASK) == USB_TYPE_STANDARD) {
        return r->request == USB_REQ_GET_DESCRIPTOR ? hid_get_descriptor(hid_of(dev), r, data) : -1;
    }
    if ((r->type & USB_TYPE_MASK) != USB_TYPE_CLASS) {
        return -1;
    }
    return in && r->length ? hid_get_request(hid_of(dev), r, data)
           : in            ? -1
                           : hid_set_request(hid_of(dev), r, data);
}

/* --- life --- */

bool hid_realize(void *dev, GError **err)
{
    USBHid *h = dev;

    timer_setup(&h->idle_timer, hid_idle_expired, h);
    return true;
}

void hid_unrealize(void *dev)
{
    timer_cancel(&((USBHid *)dev)->idle_timer);
}

void hid_bus_reset(USBDevice *dev)
{
    USBHid *h = hid_of(dev);

    h->idle = 0;
    h->protocol = HID_PROTOCOL_REPORT;
    hid_idle_restart(h);
    hid_type(h)->clear(h);
}

static const VmField hid_fields[] = {
    VM_USB(USBHid, usb),
    VM_U8(USBHid, idle),
    VM_U8(USBHid, protocol, .max = HID_PROTOCOL_REPORT),
    VM_BOOL(USBHid, idle_due),
    VM_TIMER(USBHid, idle_timer),
};
const VmState hid_state = { .name = "usb-hid", .version = 1, .fields = LIST(hid_fields) };
