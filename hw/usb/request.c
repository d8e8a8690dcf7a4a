/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Standard requests (USB 2.0, 9.4) and the descriptors that they return (9.6).
 */
#include <string.h>

#include "internal.h"

enum { STRING_LANGUAGES, STRING_MANUFACTURER, STRING_PRODUCT, STRING_SERIAL };
enum { LANGUAGE_US = 0x0409, MAX_PACKET_0 = 64, USB_2_0 = 0x0200, MAX_STRING = 126 };

/* Bytes of a descriptor that is being built. */
typedef struct USBBytes {
    uint8_t data[256];
    unsigned len;
} USBBytes;

static void usb_put(USBBytes *b, unsigned n, uint32_t value)
{
    for (unsigned i = 0; i < n && b->len < sizeof(b->data); i++) {
        b->data[b->len++] = (uint8_t)(value >> (8 * i));
    }
}

/* --- descriptors --- */

static void usb_put_device(const USBDevice *dev, USBBytes *b)
{
    const USBDescriptors *d = usb_type(dev)->descriptors;

    usb_put(b, 1, USB_DT_DEVICE_SIZE);
    usb_put(b, 1, USB_DT_DEVICE);
    usb_put(b, 2, USB_2_0);
    usb_put(b, 3, 0); /* the interface has the class */
    usb_put(b, 1, MAX_PACKET_0);
    usb_put(b, 2, d->vendor);
    usb_put(b, 2, d->product);
    usb_put(b, 2, d->release);
    usb_put(b, 1, STRING_MANUFACTURER);
    usb_put(b, 1, STRING_PRODUCT);
    usb_put(b, 1, STRING_SERIAL);
    usb_put(b, 1, 1);
}

/* Device_Qualifier: the device at the other speed (9.6.2). */
static void usb_put_qualifier(USBBytes *b)
{
    usb_put(b, 1, sizeof(struct usb_qualifier_descriptor));
    usb_put(b, 1, USB_DT_DEVICE_QUALIFIER);
    usb_put(b, 2, USB_2_0);
    usb_put(b, 3, 0);
    usb_put(b, 1, MAX_PACKET_0);
    usb_put(b, 2, 1);
}

static void usb_put_configuration(const USBDevice *dev, USBBytes *b, unsigned type, bool high)
{
    const USBDescriptors *d = usb_type(dev)->descriptors;

    usb_put(b, 1, USB_DT_CONFIG_SIZE);
    usb_put(b, 1, type);
    usb_put(b, 2, USB_DT_CONFIG_SIZE + USB_DT_INTERFACE_SIZE + d->class_len + USB_DT_ENDPOINT_SIZE);
    usb_put(b, 2, 1 | 1 << 8); /* one interface; bConfigurationValue */
    usb_put(b, 1, 0);
    usb_put(b, 1, USB_CONFIG_ATT_ONE | d->attributes);
    usb_put(b, 1, d->power);
    usb_put(b, 1, USB_DT_INTERFACE_SIZE);
    usb_put(b, 1, USB_DT_INTERFACE);
    usb_put(b, 2, 0);
    usb_put(b, 1, 1); /* endpoints */
    usb_put(b, 1, d->interface_class);
    usb_put(b, 1, d->subclass);
    usb_put(b, 2, d->protocol);
    for (unsigned i = 0; i < d->class_len; i++) {
        usb_put(b, 1, d->class_descriptor[i]);
    }
    usb_put(b, 1, USB_DT_ENDPOINT_SIZE);
    usb_put(b, 1, USB_DT_ENDPOINT);
    usb_put(b, 1, d->endpoint.address);
    usb_put(b, 1, USB_ENDPOINT_XFER_INT);
    usb_put(b, 2, d->endpoint.max_packet);
    usb_put(b, 1, high ? d->endpoint.interval_high : d->endpoint.interval_full);
}

/* Return the serial number; g_free(). */
static char *usb_serial(const USBDevice *dev)
{
    const Device *owner = dev->dev.bus->owner;

    return dev->serial ? g_strdup(dev->serial)
                       : g_strdup_printf("%s-%s-%u", usb_type(dev)->descriptors->serial,
                                         owner->plan_id, dev->port);
}

static bool usb_put_string(const USBDevice *dev, USBBytes *b, unsigned index)
{
    const USBDescriptors *d = usb_type(dev)->descriptors;
    g_autofree char *serial = usb_serial(dev);
    const char *texts[] = { [STRING_MANUFACTURER] = d->manufacturer,
                            [STRING_PRODUCT] = d->name,
                            [STRING_SERIAL] = serial };
    size_t len;

    if (index >= G_N_ELEMENTS(texts)) {
        return false;
    }
    if (index == STRING_LANGUAGES) {
        usb_put(b, 4, 4 | USB_DT_STRING << 8 | LANGUAGE_US << 16);
        return true;
    }
    len = MIN(strlen(texts[index]), MAX_STRING);
    usb_put(b, 1, (uint32_t)(2 + 2 * len));
    usb_put(b, 1, USB_DT_STRING);
    for (size_t i = 0; i < len; i++) {
        usb_put(b, 2, (uint8_t)texts[index][i]);
    }
    return true;
}

static int usb_get_descriptor(USBDevice *dev, const USBRequest *r, uint8_t *data)
{
    bool high = usb_device_speed(dev) == USB_SPEED_HIGH;
    unsigned type = r->value >> 8, index = r->value & 0xff;
    USBBytes b = { .len = 0 };

    if (type == USB_DT_STRING) {
        usb_put_string(dev, &b, index);
    } else if (index == 0 && type == USB_DT_DEVICE) {
        usb_put_device(dev, &b);
    } else if (index == 0 && type == USB_DT_CONFIG) {
        usb_put_configuration(dev, &b, type, high);
    } else if (index == 0 && high && type == USB_DT_DEVICE_QUALIFIER) {
        usb_put_qualifier(&b);
    } else if (index == 0 && high && type == USB_DT_OTHER_SPEED_CONFIG) {
        usb_put_configuration(dev, &b, type, false);
    }
    if (b.len == 0) {
        return -1;
    }
    memcpy(data, b.data, MIN(b.len, r->length));
    return (int)b.len;
}

/* --- requests --- */

static bool usb_has_endpoint(const USBDevice *dev, unsigned address)
{
    const USBEndpoint *e = &usb_type(dev)->descriptors->endpoint;

    return (address & 0x7f) == 0 || (dev->configuration && address == e->address);
}

static int usb_set_device_feature(USBDevice *dev, const USBRequest *r, bool set)
{
    if (r->value != USB_DEVICE_REMOTE_WAKEUP ||
        !(usb_type(dev)->descriptors->attributes & USB_CONFIG_ATT_WAKEUP)) {
        return -1;
    }
    dev->remote_wakeup = set;
    return 0;
}

static int usb_set_endpoint_feature(USBDevice *dev, const USBRequest *r, bool set)
{
    uint32_t bit = usb_endpoint_bit(r->index);

    if (r->value != USB_ENDPOINT_HALT || !usb_has_endpoint(dev, r->index)) {
        return -1;
    }
    if (r->index & 0x7f) { /* endpoint 0 does not halt */
        dev->halted = set ? dev->halted | bit : dev->halted & ~bit;
    }
    return 0;
}

static int usb_device_request(USBDevice *dev, const USBRequest *r, uint8_t *data)
{
    switch (r->request) {
    case USB_REQ_GET_STATUS:
        data[0] = dev->remote_wakeup ? 1 << USB_DEVICE_REMOTE_WAKEUP : 0;
        return 2;
    case USB_REQ_CLEAR_FEATURE:
    case USB_REQ_SET_FEATURE:
        return usb_set_device_feature(dev, r, r->request == USB_REQ_SET_FEATURE);
    case USB_REQ_SET_ADDRESS:
        if (r->value > 0x7f) {
            return -1;
        }
        dev->address = (uint8_t)r->value;
        return 0;
    case USB_REQ_GET_DESCRIPTOR:
        return usb_get_descriptor(dev, r, data);
    case USB_REQ_GET_CONFIGURATION:
        data[0] = dev->configuration;
        return 1;
    case USB_REQ_SET_CONFIGURATION:
        if (r->value > 1) {
            return -1;
        }
        dev->configuration = (uint8_t)r->value;
        dev->halted = 0;
        return 0;
    default:
        return -1;
    }
}

static int usb_interface_request(USBDevice *dev, const USBRequest *r, uint8_t *data)
{
    if (dev->configuration == 0 || r->index != 0) {
        return -1;
    }
    switch (r->request) {
    case USB_REQ_GET_STATUS:
        return 2;
    case USB_REQ_GET_INTERFACE:
        return 1; /* alternate setting 0 */
    case USB_REQ_SET_INTERFACE:
        return r->value == 0 ? 0 : -1;
    default:
        return usb_type(dev)->request(dev, r, data);
    }
}

static int usb_endpoint_request(USBDevice *dev, const USBRequest *r, uint8_t *data)
{
    switch (r->request) {
    case USB_REQ_GET_STATUS:
        if (!usb_has_endpoint(dev, r->index)) {
            return -1;
        }
        data[0] = (dev->halted & usb_endpoint_bit(r->index)) != 0;
        return 2;
    case USB_REQ_CLEAR_FEATURE:
    case USB_REQ_SET_FEATURE:
        return usb_set_endpoint_feature(dev, r, r->request == USB_REQ_SET_FEATURE);
    default:
        return -1;
    }
}

/* The requests that have a data stage to the host have one, and the others do not. */
static bool usb_direction_fits(const USBRequest *r)
{
    bool in = r->request == USB_REQ_GET_STATUS || r->request == USB_REQ_GET_DESCRIPTOR ||
              r->request == USB_REQ_GET_CONFIGURATION || r->request == USB_REQ_GET_INTERFACE;

    return in ? (r->type & USB_DIR_IN) && r->length > 0 : !(r->type & USB_DIR_IN) && r->length == 0;
}

int usb_request(USBDevice *dev, const USBRequest *r, uint8_t *data)
{
    if ((r->type & USB_TYPE_MASK) != USB_TYPE_STANDARD) {
        bool ours = (r->type & USB_RECIP_MASK) == USB_RECIP_INTERFACE && r->index == 0;

        return ours && dev->configuration ? usb_type(dev)->request(dev, r, data) : -1;
    }
    if (!usb_direction_fits(r)) {
        return -1;
    }
    switch (r->type & USB_RECIP_MASK) {
    case USB_RECIP_DEVICE:
        return usb_device_request(dev, r, data);
    case USB_RECIP_INTERFACE:
        return usb_interface_request(dev, r, data);
    case USB_RECIP_ENDPOINT:
        return usb_endpoint_request(dev, r, data);
    default:
        return -1;
    }
}
