/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The catalogue of this build: the linked descriptors in the form that plan/ uses.
 */
#ifndef HW_CORE_TYPE_CATALOG_H
#define HW_CORE_TYPE_CATALOG_H

#include "hw/core/board.h"

/* All types of device_type_entries sorted by name, all boards of board_types and the rows of
 * board_compats. The strings and tables of the descriptors are borrowed; free with
 * type_catalog_free(). */
PlanCatalog *type_catalog_new(void);
void type_catalog_free(PlanCatalog *c);

#endif
