/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exchange with other programs: command lines of QEMU and domain XML of libvirt.
 *
 * The readers return descriptions that are not resolved. They accept untrusted text: memory and
 * time are linear in its length, and each failure is one message with the position in the document.
 * No function of this header needs a lock.
 */
#ifndef PLAN_EXCHANGE_H
#define PLAN_EXCHANGE_H

#include "plan/edit.h"

G_BEGIN_DECLS

/**
 * plan_from_arguments() - Read a command line of QEMU or Backplane.
 * @args: the arguments without the name of the program, NULL-terminated
 * @c:    the catalogue of the program
 * @err:  set for an unknown option or a malformed argument; the message begins with "argument N"
 *
 * Options of the process, such as monitors and displays, are ignored. Without -nodefaults, devices
 * that the machine type creates by default ("default-devices" of the catalogue) are added unless an
 * option replaces them. -drive with an interface becomes a device and a host part.
 *
 * Return: the description, freed by plan_machine_free(); or NULL.
 */
PlanMachine *plan_from_arguments(const char *const *args, const PlanCatalog *c, GError **err);
/* Like plan_from_arguments() with text in the notation of a shell, of at most 16 MiB: quotes, and
 * lines that end in a backslash. The first word may be the name of the program. */
PlanMachine *plan_from_command_line(const char *text, size_t len, const PlanCatalog *c,
                                    GError **err);

/**
 * plan_from_libvirt() - Read a domain XML document of libvirt.
 * @text: the document, of at most 16 MiB
 * @len:  its length in bytes
 * @c:    the catalogue of the machine
 * @err:  set on failure; the message begins with the path of the element: "domain/devices/disk[2]"
 *
 * Devices receive the ids that libvirt gives them; the prefix "ua-" of an alias is omitted.
 * Elements that describe only the host are ignored. Disks in files, and user-mode networks, become
 * host parts; other host parts are referred to by their id.
 *
 * Return: the description, freed by plan_machine_free(); or NULL.
 */
PlanMachine *plan_from_libvirt(const char *text, size_t len, const PlanCatalog *c, GError **err);

/**
 * plan_to_libvirt() - The domain XML document of a resolved description.
 * @m:        the description
 * @target:   the program that runs the domain
 * @emulator: path of the program, or NULL: libvirt chooses it
 * @err:      set if libvirt cannot express a device; the message names it
 *
 * Each device has its <address>, and each PCI controller its index, so that libvirt changes no
 * address. Ids are the aliases "ua-ID". Chassis and slot numbers of ports are those of libvirt
 * unless the slot number is 0.
 *
 * Return: the document for g_free(), or NULL.
 */
char *plan_to_libvirt(const PlanMachine *m, PlanTarget target, const char *emulator, GError **err);

/**
 * plan_merge_hints() - Apply the addresses of one description to the devices of another.
 * @m:     the description, not resolved; changed in place
 * @hints: the addresses; devices that @m lacks, and devices without an address, are ignored
 *
 * Devices are identified by id. A device of @m whose address was chosen by the user keeps it. The
 * address is checked when @m is resolved.
 *
 * Return: the number of devices that received an address.
 */
unsigned plan_merge_hints(PlanMachine *m, const PlanMachine *hints);

G_END_DECLS

#endif
