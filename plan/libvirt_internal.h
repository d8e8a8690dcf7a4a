/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of libvirt's domain XML that serve reading and writing: which element is which device
 * type, and which of its values are which properties.
 */
#ifndef PLAN_LIBVIRT_INTERNAL_H
#define PLAN_LIBVIRT_INTERNAL_H

#include "plan/xml_internal.h"

/* An element is of the device type if each condition holds: "path=value", separated by ';'. An
 * empty value is that of an absent attribute. */
typedef struct LibvirtType {
    const char *element, *conditions;
    const char *type; /* NULL: the element has no place on a bus of the machine */
} LibvirtType;

/* A value of an element that is a property of its device. */
typedef struct LibvirtProp {
    const char *element, *path, *prop;
    const char *types; /* prefix of the types that have the property; "": all */
} LibvirtProp;

/* The id of the device of an element: a word and a number. */
typedef struct LibvirtName {
    const char *element, *word;
} LibvirtName;

/* Return the row of an element, or NULL if no row matches. */
const LibvirtType *plan_libvirt_type(const PlanXml *x);
/* Return the first row with a device type, or NULL. */
const LibvirtType *plan_libvirt_type_named(const char *type);
/* Set the values of @x that the conditions of a row require. */
void plan_libvirt_apply(const LibvirtType *row, PlanXml *x);
/* Return row @i of the table of properties; NULL behind the last one. */
const LibvirtProp *plan_libvirt_prop(size_t i);
/* Return true if a row applies to a device type of an element. */
bool plan_libvirt_prop_applies(const LibvirtProp *row, const char *element, const char *type);
/* Return the word with which the ids of an element begin ("net" of interface). */
const char *plan_libvirt_word(const char *element);
/* Return true if an element of <devices> describes the host or is none of the guest's addresses. */
bool plan_libvirt_is_host(const char *element);

#endif
