/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state of backplane-plan, and its commands.
 */
#ifndef PLAN_TOOL_INTERNAL_H
#define PLAN_TOOL_INTERNAL_H

#include <json-c/json.h>

#include "plan/catalog_json.h"
#include "plan/edit.h"
#include "plan/exchange.h"
#include "plan/grow.h"
#include "plan/site.h"

enum { EXIT_DIFFERS = 2 };

typedef struct Tool {
    PlanMachine *m;     /* the machine that the options describe */
    GPtrArray *files;   /* paths of -machine-config */
    unsigned n_devices; /* -device options so far */
    const PlanCatalog *c;
    PlanCatalog *loaded;     /* of -catalog or -emulator, or NULL */
    const char *catalog;     /* its name, or NULL: the built-in one */
    const char *emulator;    /* path of the program, or NULL */
    const char *policy_name; /* of -policy, or NULL */
    PlanPolicy *policy;      /* in use, or NULL: as QEMU places devices */
    PlanPrefs prefs;         /* of -prefer */
    PlanSite *site;          /* of -machine-type, or NULL */
    bool json, guest, hints;
    bool has_target;
    PlanTarget target;
    const char *command;
    bool command_new; /* the command creates a description: the policy is "default" */
    GPtrArray *args;  /* char*: the words behind the command, borrowed */
} Tool;

/* Return argument @i of the command, or NULL. */
const char *tool_arg(const Tool *tool, guint i);
/* Use the file that argument @i names as a description, if it is given. */
void tool_use_file(Tool *tool, guint i);
/* Return the complete description of the files and options; NULL with @err set. */
PlanMachine *tool_resolve(Tool *tool, GError **err);
/* Load the policy of -policy, or else the one that the description names, or else @otherwise, which
 * may be NULL. "none" selects none. */
bool tool_use_policy(Tool *tool, const char *otherwise, GError **err);
/* Return the resolved description of one file; NULL with @err set. */
PlanMachine *tool_read(Tool *tool, const char *path, GError **err);
/* Use the catalogue that a description names, unless an option names one. */
bool tool_use_catalog(Tool *tool, const PlanMachine *m, GError **err);
/* Print and free an object. */
void tool_print_json(struct json_object *o);
/* Print {KEY: TEXT} if JSON is requested. */
void tool_print_result(const Tool *tool, const char *key, const char *text);

/* Commands return the exit status. On failure, @err is set. */
int tool_new(Tool *tool, GError **err);
int tool_import(Tool *tool, GError **err);
int tool_add(Tool *tool, GError **err);
int tool_grow(Tool *tool, GError **err);
int tool_fit(Tool *tool, GError **err);
int tool_remove(Tool *tool, GError **err);
int tool_set(Tool *tool, GError **err);
int tool_move(Tool *tool, GError **err);
int tool_merge(Tool *tool, GError **err);
int tool_freeze(Tool *tool, GError **err);
int tool_thaw(Tool *tool, GError **err);
int tool_check(Tool *tool, GError **err);
int tool_args(Tool *tool, GError **err);
int tool_xml(Tool *tool, GError **err);
int tool_explain(Tool *tool, GError **err);
int tool_machine(Tool *tool, GError **err);
int tool_slots(Tool *tool, GError **err);
int tool_diff(Tool *tool, GError **err);
int tool_types(Tool *tool, GError **err);
int tool_machines(Tool *tool, GError **err);

#endif
