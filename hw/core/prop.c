/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Properties of live devices (contract in hw/core/prop.h).
 */
#include "hw/core/prop.h"

#include <string.h>

#include "hw/core/device.h"

static size_t prop_member_size(PlanPropKind kind)
{
    switch (kind) {
    case PLAN_PROP_BOOL:
        return sizeof(bool);
    case PLAN_PROP_U8:
        return 1;
    case PLAN_PROP_U16:
        return 2;
    case PLAN_PROP_U32:
    case PLAN_PROP_I32:
    case PLAN_PROP_ENUM:
    case PLAN_PROP_ONOFF:
    case PLAN_PROP_CAP:
        return 4;
    case PLAN_PROP_U64:
    case PLAN_PROP_SIZE:
        return 8;
    case PLAN_PROP_MAC:
        return 6;
    case PLAN_PROP_STRING:
    case PLAN_PROP_BACKEND:
        break;
    }
    return sizeof(char *);
}

static bool prop_holds_string(const PlanProp *p)
{
    return p->kind == PLAN_PROP_STRING || p->kind == PLAN_PROP_BACKEND;
}

static bool prop_holds_signed(const PlanProp *p)
{
    return p->kind == PLAN_PROP_I32 || p->kind == PLAN_PROP_CAP;
}

PlanValue prop_default(const PlanProp *p)
{
    PlanValue v = { .kind = p->kind };

    if (p->kind == PLAN_PROP_BOOL) {
        v.b = p->def != 0;
    } else if (prop_holds_string(p)) {
        v.s = (char *)p->def_str;
    } else if (p->kind != PLAN_PROP_MAC) {
        v.u = p->def;
    }
    return v;
}

PlanValue prop_value(const PlanProp *p, const void *obj)
{
    const uint8_t *at = (const uint8_t *)obj + p->field;
    PlanValue v = { .kind = p->kind };
    int32_t narrow;

    if (prop_holds_signed(p)) {
        memcpy(&narrow, at, sizeof(narrow));
        v.i = narrow;
    } else if (p->kind == PLAN_PROP_MAC) {
        memcpy(v.mac, at, sizeof(v.mac));
    } else if (p->kind == PLAN_PROP_BOOL) {
        memcpy(&v.b, at, sizeof(v.b));
    } else if (prop_holds_string(p)) {
        memcpy(&v.s, at, sizeof(v.s));
    } else {
        memcpy(&v.u, at, prop_member_size(p->kind)); /* little-endian host: reg.c checks */
    }
    return v;
}

static void prop_store(const PlanProp *p, void *obj, const PlanValue *v)
{
    uint8_t *at = (uint8_t *)obj + p->field;

    if (prop_holds_string(p)) {
        *(char **)(void *)at = g_strdup(v->s);
    } else if (p->kind == PLAN_PROP_MAC) {
        memcpy(at, v->mac, sizeof(v->mac));
    } else if (p->kind == PLAN_PROP_BOOL) {
        memcpy(at, &v->b, sizeof(v->b));
    } else {
        memcpy(at, &v->u, prop_member_size(p->kind));
    }
}

const PlanSetting *props_find_setting(const PlanDevice *plan, const char *name)
{
    for (unsigned i = 0; plan && plan->settings && i < plan->settings->len; i++) {
        const PlanSetting *s = g_ptr_array_index(plan->settings, i);

        if (g_str_equal(s->name, name)) {
            return s;
        }
    }
    return NULL;
}

bool props_store(const PlanProp *props, size_t n, void *obj, const PlanDevice *plan, GError **err)
{
    for (size_t i = 0; i < n; i++) {
        const PlanSetting *s = props_find_setting(plan, props[i].name);
        PlanValue v = prop_default(&props[i]);

        if (s && s->resolved) {
            prop_store(&props[i], obj, &s->value);
        } else if (s && s->text) {
            if (!plan_value_parse(&props[i], s->text, &v, err)) {
                return false;
            }
            prop_store(&props[i], obj, &v);
            plan_value_clear(&v);
        } else {
            prop_store(&props[i], obj, &v);
        }
    }
    return true;
}

void props_free(const PlanProp *props, size_t n, void *obj)
{
    for (size_t i = 0; i < n; i++) {
        if (prop_holds_string(&props[i])) {
            char *s;

            memcpy(&s, (uint8_t *)obj + props[i].field, sizeof(s));
            g_free(s);
        }
    }
}

static bool prop_find_row(const DeviceType *type, const char *name, PlanProp *row)
{
    const PlanProp *p = plan_find_prop(type->props, type->n_props, name);

    if (p) {
        *row = *p;
        return true;
    }
    for (size_t i = 0; type->kind && type->kind->prop && type->kind->prop(type, i, row); i++) {
        if (g_str_equal(row->name, name)) {
            return true;
        }
    }
    return false;
}

char *device_prop_text(const Device *dev, const char *name)
{
    PlanProp row;
    PlanValue v;

    if (!prop_find_row(dev->type, name, &row)) {
        return NULL;
    }
    v = prop_value(&row, dev);
    return plan_value_format(&row, &v);
}
