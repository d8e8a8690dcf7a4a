/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HID devices (Device Class Definition for Human Interface Devices 1.11): class requests, idle
 * rate, and reports on one interrupt endpoint.
 */
#ifndef HW_USB_HID_INTERNAL_H
#define HW_USB_HID_INTERNAL_H

#include "hw/usb/usb.h"

enum {
    HID_DT_HID = 0x21,
    HID_DT_REPORT = 0x22,
    HID_ENDPOINT = 1,
    HID_MAX_REPORT = 8,
    HID_PROTOCOL_BOOT = 0,
    HID_PROTOCOL_REPORT = 1,
    HID_SUBCLASS_BOOT = 1,
};

typedef struct USBHid {
    USBDevice usb;
    Timer idle_timer;
    /* guest-visible state */
    uint8_t idle;     /* period of reports in units of 4 ms; 0: only changes */
    uint8_t protocol; /* HID_PROTOCOL_* */
    bool idle_due;    /* the period passed */
} USBHid;

/* An instance's structure starts with a USBHid. */
typedef struct USBHidType {
    USBDeviceType usb;
    const uint8_t *report_descriptor;
    uint8_t report_len; /* bytes of the descriptor */
    /* Return whether there is a report of an event. */
    bool (*pending)(const USBHid *h);
    /* Take the next event, if there is one. */
    void (*next)(USBHid *h);
    /* Store the report of the current state in HID_MAX_REPORT bytes. Return its length. */
    unsigned (*report)(const USBHid *h, uint8_t *data);
    /* The host set the output report. NULL: there is none. */
    void (*output)(USBHid *h, uint8_t value);
    void (*clear)(USBHid *h); /* after a USB reset */
} USBHidType;

/* Functions of the types. */
bool hid_realize(void *dev, GError **err);
void hid_unrealize(void *dev);
int hid_request(USBDevice *dev, const USBRequest *r, uint8_t *data);
USBResult hid_transfer(USBDevice *dev, USBPacket *p);
void hid_bus_reset(USBDevice *dev);

/* Report that pending() became true. */
void hid_changed(USBHid *h);
/* Return whether the driver configured the device, so that it receives reports. */
static inline bool hid_configured(const USBHid *h)
{
    return h->usb.configuration != 0;
}

extern const VmState hid_state;

/* The HID descriptor (6.2.1) of a report descriptor with n bytes. */
#define HID_CLASS_DESCRIPTOR(n) 9, HID_DT_HID, 0x11, 0x01, 0, 1, HID_DT_REPORT, (n), 0

#endif
