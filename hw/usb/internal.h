/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB inside hw/usb/.
 *
 *   bus.c      the bus, the class of devices, packets
 *   request.c  standard requests and descriptors
 */
#ifndef HW_USB_INTERNAL_H
#define HW_USB_INTERNAL_H

#include "hw/usb/usb.h"

static inline const USBDeviceType *usb_type(const USBDevice *dev)
{
    return (const USBDeviceType *)dev->dev.type;
}

/* Bit of an endpoint in USBDevice.halted. */
static inline uint32_t usb_endpoint_bit(unsigned address)
{
    return 1u << ((address & 15) + (address & USB_DIR_IN ? 16 : 0));
}

/* request.c: execute a request. @data: as in USBDeviceType.request. Return the bytes to send, or -1
 * for a stall. */
int usb_request(USBDevice *dev, const USBRequest *r, uint8_t *data);

#endif
