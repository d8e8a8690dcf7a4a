/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The address types of devices, for the allocator of plan/alloc.h, and the ranges of addresses that
 * controllers provide.
 */
#ifndef PLAN_ADDRESS_TYPES_H
#define PLAN_ADDRESS_TYPES_H

#include "plan/alloc.h"

G_BEGIN_DECLS

/* Return a built-in type by name, or NULL. The types, with an address of each:
 *
 *   pci             0000:00:1f.7   domain, bus, slot and function; the functions of a slot are a
 *                                  group; "1f.7", "1f" and "00:1f.7" are accepted
 *   pci-controller  pci.3          for buses with one slot: the controller alone
 *   virtio-serial   0.1            controller and port
 *   scsi            0:0:3:1        controller, bus, target and logical unit
 *   ide             0:1:0          controller, bus and unit; also for SATA
 *   usb             1-2.3          bus and port path of up to 6 ports; ports count from 1
 *   virtio-mmio     virtio-mmio-bus.5
 *   disk            sda            disk names: sda to sdz, sdaa ...
 */
const PlanAddrType *plan_address_type(const char *name);
/* Return the name of built-in type @i, counted from 0; NULL behind the last one. */
const char *plan_address_type_name(size_t i);

/**
 * plan_controller_pool() - The addresses that a controller provides.
 * @model: device type of the controller: "virtio-scsi-pci", "lsi53c895a", "ich9-ahci" ...
 * @index: number of the controller; for USB, of the bus
 * @type:  set to the address type; may be NULL
 * @range: set to the addresses; may be NULL
 * @err:   set for an unknown model, or if @index exceeds the first dimension of the type
 *
 * The ranges are the defaults of the model. If a controller has a smaller limit, such as
 * fewer ports, the caller reduces the range.
 *
 * Return: true; or false.
 */
bool plan_controller_pool(const char *model, unsigned index, const PlanAddrType **type,
                          PlanAddrRange *range, GError **err);
/* Return the name of model @i, counted from 0; NULL behind the last one. */
const char *plan_controller_model(size_t i);

G_END_DECLS

#endif
