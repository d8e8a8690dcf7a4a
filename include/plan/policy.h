/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Placement policies: what a device prefers, which controllers may be added when no free address
 * satisfies it, and what is reserved for later growth.
 *
 * A policy is immutable and opaque. Built-in policies have a name; others are JSON files.
 * docs/plan-policy.md describes the format. plan/grow.h applies policies. No function of this
 * header needs a lock; a policy may be used by several threads.
 */
#ifndef PLAN_POLICY_H
#define PLAN_POLICY_H

#include "plan/description.h"

G_BEGIN_DECLS

typedef enum PlanWish {
    PLAN_WISH_UNSET, /* the rules of the policy decide */
    PLAN_WISH_ANY,
    PLAN_WISH_REQUIRED,
    PLAN_WISH_AVOID,
} PlanWish;

typedef enum PlanLink {
    PLAN_LINK_UNSET,
    PLAN_LINK_EITHER,
    PLAN_LINK_EXPRESS,      /* on an Express bus */
    PLAN_LINK_CONVENTIONAL, /* on a conventional bus */
} PlanLink;

typedef enum PlanSharing {
    PLAN_SHARING_UNSET,
    PLAN_SHARING_EXCLUSIVE, /* the only function of its slot */
    PLAN_SHARING_SHARED,    /* a function of a multifunction slot */
} PlanSharing;

enum { PLAN_NUMA_UNSET = -2, PLAN_NUMA_ANY = -1, PLAN_SLOT_ANY = -1 };

/*
 * The preferences of one device. plan_prefs_init() sets each member to "unset". Preferences of a
 * request override those of the rules of a policy. hotplug, link, numa and sharing are conditions:
 * a device that cannot have them is refused. The others are satisfied if possible.
 */
typedef struct PlanPrefs {
    PlanWish hotplug; /* a place at which it can be plugged and unplugged while the guest runs */
    PlanLink link;
    int numa; /* number of a node, or PLAN_NUMA_* */
    PlanSharing sharing;
    PlanWish own_line; /* REQUIRED: an interrupt line that no other device uses, if possible */
    int slot;          /* preferred slot number, or PLAN_SLOT_ANY */
    char *near;        /* id of a device to be close to, or NULL; owned */
    char *apart;       /* id of a device to be away from, or NULL; owned */
} PlanPrefs;

/* Set each member to "unset". */
void plan_prefs_init(PlanPrefs *p);
/* Free what the members own. */
void plan_prefs_clear(PlanPrefs *p);
/**
 * plan_prefs_parse() - Parse preferences.
 * @p:    set to the preferences; freed by plan_prefs_clear() also on failure
 * @text: "hotplug=required|any|avoid,link=express|conventional|either,numa=N|any,
 *        slot=exclusive|shared,interrupt=own|any,at=SLOT,near=ID,apart=ID", each part optional
 * @err:  set to a message that names the key, the value and the accepted values
 *
 * Return: true; or false.
 */
bool plan_prefs_parse(PlanPrefs *p, const char *text, GError **err);

typedef struct PlanPolicy PlanPolicy;

/* A reservation behind a hot-plug port without a device. 0: nothing. */
typedef struct PlanReserve {
    unsigned buses;           /* bus numbers, including the bus of the port itself */
    uint64_t io, mem, pref64; /* bytes of the windows */
} PlanReserve;

/* Return the name of built-in policy @i, counted from 0; NULL behind the last one:
 *
 *   default  network and storage devices each in a hot-plug port of their own; other devices on the
 *            root bus; one port is always free
 *   hotplug  every device that can be hot-plugged in a port of its own
 *   static   no device requires hot plug; the root bus is used first, one device per slot
 *   dense    eight devices share a slot; conventional bridges are added, for thousands of devices
 */
const char *plan_policy_name(size_t i);
/**
 * plan_policy_load() - Return a policy by the name of a built-in one or the path of a JSON file.
 * @name: a name without '/' and '.' is built in; otherwise a path
 * @err:  set if there is no such policy; the message lists the built-in ones; or if the file is
 *        malformed, with the path inside the document
 *
 * Return: the policy, freed by plan_policy_free(); or NULL.
 */
PlanPolicy *plan_policy_load(const char *name, GError **err);
/* Like plan_policy_load() with JSON text; the message has no file name. */
PlanPolicy *plan_policy_from_text(const char *text, size_t len, GError **err);
/* Free a policy. NULL is accepted. */
void plan_policy_free(PlanPolicy *p);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PlanPolicy, plan_policy_free)
/* Return a policy in the form that plan_policy_from_text() reads, with all members, for
 * json_object_put(). */
struct json_object *plan_policy_to_json(const PlanPolicy *p);
/* Return what the policy reserves behind each free hot-plug port. */
PlanReserve plan_policy_reserve(const PlanPolicy *p);
/**
 * plan_policy_prefs() - The preferences of a device: the request first, then the rules of the
 * policy, then the built-in defaults.
 * @p:     the policy
 * @t:     type of the device
 * @id:    its id, or NULL
 * @given: preferences of the request, or NULL
 * @out:   set; every member has a value; freed by plan_prefs_clear()
 */
void plan_policy_prefs(const PlanPolicy *p, const PlanType *t, const char *id,
                       const PlanPrefs *given, PlanPrefs *out);

G_END_DECLS

#endif
